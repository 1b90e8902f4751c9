import { IpAddress, type IpFamily } from "@caracal/net";
import { type BgpPeer, parseDurationSeconds } from "@caracal/resources";
import { asNumberOf, type ClusterFacts, listenPortOf, type NodeFacts } from "./cluster.ts";
import type { IntentProblem } from "./intent-problem.ts";
import type { Peering } from "./peering.ts";
import {
  bgpPort,
  type PeerIntent,
  peerName,
  peerTimers,
  type PeerType,
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
  const forward = cluster.peerings.flatMap((peering) => forwardCandidates(cluster, self, peering, problems));
  const reverse = cluster.peerings.flatMap((peering) => reverseCandidates(cluster, self, peering));
  const ordered = [
    ...forward.filter(({ type }) => type === "global"),
    ...forward.filter(({ type }) => type === "node"),
    ...reverse,
  ];
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
    if (!chosen.has(key)) chosen.set(key, candidate);
  }
  return [...chosen.values()]
    .flatMap((candidate) => toPeer(cluster, self, candidate, problems) ?? [])
    .toSorted(comparePeers);
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
  peering: Peering,
  problems: IntentProblem[],
): readonly Candidate[] {
  const about = `BGPPeer(${peering.name})`;
  const { spec, isRemote } = peering;
  if (spec.localWorkloadSelector !== undefined) {
    problems.push({
      about,
      message: "peers with local workloads, which is not supported yet; it is left out",
    });
    return [];
  }
  if (!peering.isLocal(self)) return [];
  const type = peering.isGlobal ? "global" : "node";
  if (isRemote === undefined) return addressCandidates(cluster, self, peering, type, problems);
  const nodes = cluster.nodes.filter(({ labels }) => isRemote(labels));
  if (nodes.length === 0)
    problems.push({ about, message: `selects no node to peer with: ${spec.peerSelector}` });
  return nodes.flatMap((node) => nodeCandidates(cluster, self, node, { peering, type, isReverse: false }));
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
  const actual = node === undefined ? asNumber : asNumberOf(cluster, node);
  if (node !== undefined && actual !== asNumber) {
    const message = `gives Node(${node.name}) the AS ${asNumber}, but it speaks as ${actual}: the session will not open`;
    problems.push({ about, message });
  }
  const listens = node !== undefined && actual === asNumber ? listenPortOf(cluster, node.name) : undefined;
  return [
    { peering, type, isReverse: false, address: peer.address, asNumber, port: peer.port ?? listens, node },
  ];
}

/** Peerings back to the nodes that a resource makes peer with us. */
function reverseCandidates(cluster: ClusterFacts, self: NodeFacts, peering: Peering): readonly Candidate[] {
  if (peering.spec.reversePeering === "Manual" || !isPeeredWith(cluster, peering, self)) return [];
  const candidates = cluster.nodes
    .filter((node) => peering.isLocal(node))
    .flatMap((node) => nodeCandidates(cluster, self, node, { peering, type: "node", isReverse: true }));
  const { peer } = peering;
  if (peer === undefined) return candidates;
  // A peerIP is one of our addresses, so only its family is peered back.
  return candidates.filter(({ address }) => IpAddress.family(address) === IpAddress.family(peer.address));
}

/** Whether the resource's peer is this node: by selector, or by address with its AS and port. */
function isPeeredWith(cluster: ClusterFacts, { spec, isRemote, peer }: Peering, node: NodeFacts): boolean {
  if (spec.localWorkloadSelector !== undefined) return false;
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
  const { localASNumber = 0 } = parts.peering.spec;
  // A node that shows its peers another AS is known to them by that one.
  const asNumber = parts.isReverse && localASNumber !== 0 ? localASNumber : asNumberOf(cluster, node);
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
  const { peering, type, isReverse, address, asNumber, port, node } = candidate;
  const { spec } = peering;
  const family: IpFamily = IpAddress.family(address);
  const local = self.addresses.get(family);
  if (local === undefined) return undefined;
  const text = IpAddress.format(address);
  const { localASNumber = 0, password, ttlSecurity = 0 } = spec;
  const localAsNumber = !isReverse && localASNumber !== 0 ? localASNumber : asNumberOf(cluster, self);
  const secret = password?.secretKeyRef;
  const gateway = isReverse || spec.reachableBy === undefined ? undefined : IpAddress.parse(spec.reachableBy);
  for (const name of spec.filters ?? []) {
    if (cluster.filtersByName.has(name)) continue;
    const message = `names the BGPFilter ${name}, which does not exist`;
    problems.push({ about: `BGPPeer(${peering.name})`, message });
  }
  return {
    name: peerName(type, text, port),
    type,
    family,
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

function nextHopOf(
  spec: BgpPeer["spec"],
  remoteAsNumber: number,
  localAsNumber: number,
): PeerIntent["nextHop"] {
  if (spec.nextHopMode === "Self") return "self";
  if (spec.nextHopMode === "Keep") return "keep";
  return spec.keepOriginalNextHop === true && remoteAsNumber !== localAsNumber ? "keep" : "auto";
}

function timersOf(
  spec: BgpPeer["spec"],
): Pick<PeerIntent, "restartSeconds" | "holdSeconds" | "keepaliveSeconds"> {
  const restart = spec.maxRestartTime === undefined ? undefined : parseDurationSeconds(spec.maxRestartTime);
  const keepalive = spec.keepaliveTime === undefined ? undefined : parseDurationSeconds(spec.keepaliveTime);
  return {
    holdSeconds: peerTimers.holdSeconds,
    restartSeconds: restart === undefined ? peerTimers.restartSeconds : Math.round(restart),
    keepaliveSeconds: keepalive === undefined ? peerTimers.keepaliveSeconds : Math.round(keepalive),
  };
}
