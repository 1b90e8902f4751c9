import { IpAddress, type IpFamily } from "@caracal/net";
import { asNumberOf, type ClusterFacts, listenPortOf, type NodeFacts } from "./cluster.ts";
import type { IntentProblem } from "./intent-problem.ts";
import type { Peering } from "./peering.ts";
import {
  bgpPort,
  nextHopOf,
  type PeerIntent,
  peerName,
  type PeerType,
  timersOf,
  waitsForPeer,
} from "./peer-intent.ts";

/** A session that a BGPPeer asks for, before names and settings are worked out. */
interface Candidate {
  readonly peering: Peering;
  readonly type: PeerType;
  readonly isReverse: boolean;
  readonly address: IpAddress;
  readonly asNumber: number;
  readonly port: number | undefined;
  readonly node: NodeFacts | undefined;
}

/**
 * The sessions that the BGPPeers ask of `self`: global ones, those of its own, and the reverse ones of nodes that peer
 * with it. Of several to one address and port the first in that order counts; a mesh session with the address wins over all.
 */
export function configuredPeers(
  cluster: ClusterFacts,
  self: NodeFacts,
  mesh: readonly PeerIntent[],
  problems: IntentProblem[],
): readonly PeerIntent[] {
  const ordered = candidates(cluster, self, cluster.nodes, problems);
  if (ordered.length === 0) return [];
  const meshed = new Map(mesh.map((peer) => [IpAddress.format(peer.address), peer]));
  const chosen = new Map<string, Candidate>();
  for (const candidate of ordered) {
    const text = IpAddress.format(candidate.address);
    const session = meshed.get(text);
    if (session !== undefined) {
      const message = `asks for a session with ${text}, which the node-to-node mesh already has as ${session.name}; the mesh's is kept`;
      problems.push({ about: `BGPPeer(${candidate.peering.name})`, message });
      continue;
    }
    const key = `${text}|${candidate.port ?? bgpPort}`;
    const first = chosen.get(key);
    if (first === undefined) chosen.set(key, candidate);
    else if (first.asNumber !== candidate.asNumber && !candidate.isReverse) {
      const message = `asks for AS ${candidate.asNumber} at ${text}, where BGPPeer(${first.peering.name}) asks for AS ${first.asNumber}; that one is kept`;
      problems.push({ about: `BGPPeer(${candidate.peering.name})`, message });
    }
  }
  return [...chosen.values()]
    .flatMap((candidate) => toPeer(cluster, self, candidate, problems) ?? [])
    .toSorted(comparePeers);
}

/** What the BGPPeers ask of `self` towards some nodes and what is outside the cluster; the first of equals counts. */
function candidates(
  cluster: ClusterFacts,
  self: NodeFacts,
  nodes: readonly NodeFacts[],
  problems: IntentProblem[],
): readonly Candidate[] {
  const peerings = cluster.peerings.filter(({ isWorkload }) => isWorkload === undefined);
  const forward = peerings.flatMap((peering) => forwardCandidates(cluster, self, nodes, peering, problems));
  const reverse = peerings.flatMap((peering) => reverseCandidates(cluster, self, nodes, peering));
  return [
    ...forward.filter(({ type }) => type === "global"),
    ...forward.filter(({ type }) => type === "node"),
    ...reverse,
  ];
}

/** Global before node-specific, then by family, address and port. */
function comparePeers(a: PeerIntent, b: PeerIntent): number {
  if (a.type !== b.type) return a.type === "global" ? -1 : 1;
  return IpAddress.compare(a.address, b.address) || a.port - b.port;
}

/** What the resource says about our own peers. */
function forwardCandidates(
  cluster: ClusterFacts,
  self: NodeFacts,
  nodes: readonly NodeFacts[],
  peering: Peering,
  problems: IntentProblem[],
): readonly Candidate[] {
  const { isRemote } = peering;
  if (!peering.isLocal(self)) return [];
  const type = peering.isGlobal ? "global" : "node";
  if (isRemote === undefined) return addressCandidates(cluster, self, peering, type, problems);
  const selected = nodes.filter(({ labels }) => isRemote(labels));
  return selected.flatMap((node) => nodeCandidates(cluster, self, node, { peering, type, isReverse: false }));
}

function addressCandidates(
  cluster: ClusterFacts,
  self: NodeFacts,
  peering: Peering,
  type: PeerType,
  problems: IntentProblem[],
): readonly Candidate[] {
  const about = `BGPPeer(${peering.name})`;
  const { peer } = peering;
  const { peerIP, asNumber = 0 } = peering.spec;
  if (peer === undefined) {
    problems.push({
      about,
      message: peerIP === undefined ? "names no peer" : `has a malformed peerIP: ${peerIP}`,
    });
    return [];
  }
  if (asNumber === 0) {
    problems.push({ about, message: "has no asNumber, so no session can open; it is left out" });
    return [];
  }
  if (isOwnAddress(self, peer.text) || !self.addresses.has(IpAddress.family(peer.address))) return [];
  const node = cluster.nodesByAddress.get(peer.text);
  const isNode = node !== undefined && asNumberOf(cluster, node) === asNumber;
  checkPort(cluster, node, peering, problems);
  const listens = isNode ? listenPortOf(cluster, node.name) : undefined;
  return [
    { peering, type, isReverse: false, address: peer.address, asNumber, port: peer.port ?? listens, node },
  ];
}

/** A node that listens elsewhere than the resource says is not reached. */
function checkPort(
  cluster: ClusterFacts,
  node: NodeFacts | undefined,
  { name, peer }: Peering,
  problems: IntentProblem[],
): void {
  if (node === undefined || peer?.port === undefined) return;
  const listens = listenPortOf(cluster, node.name) ?? bgpPort;
  if (peer.port === listens) return;
  const message = `gives Node(${node.name}) the port ${peer.port}, but it listens on ${listens}: the session will not open`;
  problems.push({ about: `BGPPeer(${name})`, message });
}

/** Peerings back to the nodes that a resource makes peer with us. */
function reverseCandidates(
  cluster: ClusterFacts,
  self: NodeFacts,
  nodes: readonly NodeFacts[],
  peering: Peering,
): readonly Candidate[] {
  if (peering.spec.reversePeering === "Manual" || !isPeeredWith(cluster, peering, self)) return [];
  const found = nodes
    .filter((node) => peering.isLocal(node))
    .flatMap((node) => nodeCandidates(cluster, self, node, { peering, type: "node", isReverse: true }));
  const { peer } = peering;
  if (peer === undefined) return found;
  // A peerIP is one of our addresses, so only its family is peered back.
  return found.filter(({ address }) => IpAddress.family(address) === IpAddress.family(peer.address));
}

/** Whether the resource's peer is this node: by selector, or by address with its AS and port. */
function isPeeredWith(cluster: ClusterFacts, { spec, isRemote, peer }: Peering, node: NodeFacts): boolean {
  if (isRemote !== undefined) return isRemote(node.labels);
  if (peer === undefined || cluster.nodesByAddress.get(peer.text) !== node) return false;
  const listens = listenPortOf(cluster, node.name) ?? bgpPort;
  return spec.asNumber === asNumberOf(cluster, node) && (peer.port ?? listens) === listens;
}

/** One candidate for each family that both nodes speak. */
function nodeCandidates(
  cluster: ClusterFacts,
  self: NodeFacts,
  node: NodeFacts,
  parts: Pick<Candidate, "peering" | "type" | "isReverse">,
): readonly Candidate[] {
  if (node === self) return [];
  const asNumber = asNumberOf(cluster, node);
  return [...node.addresses].flatMap(([family, { address }]) =>
    self.addresses.has(family)
      ? [{ ...parts, address, asNumber, port: listenPortOf(cluster, node.name), node }]
      : [],
  );
}

function isOwnAddress(self: NodeFacts, text: string): boolean {
  return [...self.addresses.values()].some((own) => own.text === text);
}

function toPeer(
  cluster: ClusterFacts,
  self: NodeFacts,
  candidate: Candidate,
  problems: IntentProblem[],
): PeerIntent | undefined {
  const { peering, type, isReverse, address, port, node } = candidate;
  const { spec } = peering;
  const asNumber = remoteAsNumberOf(cluster, self, candidate, problems);
  const family: IpFamily = IpAddress.family(address);
  const local = self.addresses.get(family);
  if (local === undefined) return undefined;
  const text = IpAddress.format(address);
  const { password, ttlSecurity = 0 } = spec;
  const localAsNumber = localAsNumberOf(cluster, self, candidate);
  const secret = password?.secretKeyRef;
  const gateway = isReverse || spec.reachableBy === undefined ? undefined : IpAddress.parse(spec.reachableBy);
  return {
    name: peerName(type, text, port),
    type,
    family,
    ...(family === 6 && peering.carriesIpv4 ? { carriesIpv4: true as const } : {}),
    address,
    port: port ?? bgpPort,
    remoteAsNumber: asNumber,
    localAsNumber,
    ...(spec.sourceAddress === "None" ? {} : { sourceAddress: local.address }),
    isPassive: type === "global" && node !== undefined && waitsForPeer(local.text, text),
    ...(node === undefined ? {} : { node: node.name }),
    bgpPeer: peering.name,
    ...reflection(self, node, localAsNumber, asNumber),
    ...(ttlSecurity === 0 ? {} : { ttlSecurityHops: ttlSecurity }),
    nextHop: nextHopOf(spec, asNumber, localAsNumber),
    allowedLocalAsCount: spec.numAllowedLocalASNumbers ?? 0,
    ...timersOf(spec),
    ...(secret?.name === undefined ? {} : { password: { name: secret.name, key: secret.key } }),
    ...(gateway === undefined ? {} : { reachableBy: gateway }),
    filters: spec.filters ?? [],
  };
}

/** The AS that we show the peer. */
function localAsNumberOf(cluster: ClusterFacts, self: NodeFacts, { isReverse, peering }: Candidate): number {
  const { localASNumber = 0 } = peering.spec;
  return !isReverse && localASNumber !== 0 ? localASNumber : asNumberOf(cluster, self);
}

/**
 * The AS that the peer shows us. Of a node that is what its own session with us shows, which a BGPPeer may make another than
 * the node's; for a peer given by its address the resource says it, and is told where a node shows another.
 */
function remoteAsNumberOf(
  cluster: ClusterFacts,
  self: NodeFacts,
  { node, asNumber, peering, isReverse, address }: Candidate,
  problems: IntentProblem[],
): number {
  if (node === undefined) return asNumber;
  const shown = shownAsNumber(cluster, self, node, IpAddress.family(address));
  if (isReverse || peering.isRemote !== undefined || shown === asNumber) return shown;
  const message = `gives Node(${node.name}) the AS ${asNumber}, but it speaks as ${shown}: the session will not open`;
  problems.push({ about: `BGPPeer(${peering.name})`, message });
  return asNumber;
}

function shownAsNumber(cluster: ClusterFacts, self: NodeFacts, node: NodeFacts, family: IpFamily): number {
  const own = self.addresses.get(family);
  if (!cluster.showsOtherAs || own === undefined) return asNumberOf(cluster, node);
  const listens = listenPortOf(cluster, self.name) ?? bgpPort;
  const session = candidates(cluster, node, [self], []).find(
    ({ address, port = bgpPort }) => address === own.address && port === listens,
  );
  return session === undefined ? asNumberOf(cluster, node) : localAsNumberOf(cluster, node, session);
}

/** RFC 4456: we reflect inside our AS, to peers that are not reflectors of our own cluster. */
function reflection(
  self: NodeFacts,
  node: NodeFacts | undefined,
  localAsNumber: number,
  remoteAsNumber: number,
): Pick<PeerIntent, "reflectorClusterId"> {
  const { clusterId } = self;
  if (clusterId === undefined || localAsNumber !== remoteAsNumber || node?.clusterId === clusterId) return {};
  return { reflectorClusterId: clusterId };
}
