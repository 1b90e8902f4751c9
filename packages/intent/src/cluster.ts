import { IpAddress, type IpFamily, Ipv4, Prefix } from "@caracal/net";
import {
  type BgpConfiguration,
  type BgpFilter,
  type BgpPeer,
  defaultAsNumber,
  type EncapsulationMode,
  type FelixConfiguration,
  type IpPool,
  type KubernetesEndpointSlice,
  type KubernetesService,
  type Labels,
  type Node,
} from "@caracal/resources";
import { compareText, type IntentProblem } from "./intent-problem.ts";
import { type Peering, peeringOf } from "./peering.ts";
import { resourceProblems } from "./resource-problems.ts";

/** The cluster's resources. A change makes a new object: facts are derived once per object. */
export interface ClusterResources {
  readonly nodes: readonly Node[];
  readonly pools: readonly IpPool[];
  readonly bgpConfigurations: readonly BgpConfiguration[];
  readonly bgpPeers: readonly BgpPeer[];
  readonly bgpFilters: readonly BgpFilter[];
  /** Settings of the node agents; absent is none. */
  readonly felixConfigurations?: readonly FelixConfiguration[];
  /** Kubernetes' services and where their endpoints are; a cluster without Kubernetes has none. */
  readonly services?: readonly KubernetesService[];
  readonly endpointSlices?: readonly KubernetesEndpointSlice[];
  /** What the datastore holds and cannot be read as a resource; the rest goes on without it. */
  readonly unreadable?: readonly IntentProblem[];
}

/** A node as BGP sees it. */
export interface NodeFacts {
  readonly name: string;
  /** What Kubernetes calls it. */
  readonly kubernetesName: string;
  readonly labels: Labels;
  /** Its own AS, if it has one. */
  readonly asNumber: number | undefined;
  /** When the node was created (RFC 3339); an unknown time sorts last. */
  readonly createdAt: string;
  /** The session address of each family that it speaks BGP in, with its subnet. An older node's address is not here. */
  readonly addresses: ReadonlyMap<IpFamily, NodeAddress>;
  /** Set on a route reflector. */
  readonly clusterId: Ipv4 | undefined;
}

export interface NodeAddress {
  readonly address: IpAddress;
  /** Canonical text of `address`. */
  readonly text: string;
  readonly subnet: Prefix;
}

/** A node in one of its families. */
export interface Speaker extends NodeAddress {
  readonly node: NodeFacts;
}

/** A pool with its fields parsed. */
export interface PoolFacts {
  readonly name: string;
  readonly prefix: Prefix;
  readonly ipipMode: EncapsulationMode;
  readonly vxlanMode: EncapsulationMode;
  readonly isDisabled: boolean;
  readonly isExported: boolean;
  /** What its addresses send out of the pools gets an address of the node's. */
  readonly hasNatOutgoing: boolean;
  /** Addresses of load balancers only: no workload has one. */
  readonly isForServices: boolean;
}

/** Everything about a cluster that does not depend on whose intent is computed. */
export interface ClusterFacts {
  /** Ordered by name. */
  readonly nodes: readonly NodeFacts[];
  readonly nodesByName: ReadonlyMap<string, NodeFacts>;
  /** The node that speaks BGP from an address. */
  readonly nodesByAddress: ReadonlyMap<string, NodeFacts>;
  /** The nodes of a family, ordered by address. */
  readonly speakers: ReadonlyMap<IpFamily, readonly Speaker[]>;
  /** Ordered by prefix. */
  readonly pools: readonly PoolFacts[];
  /** Ordered by name. */
  readonly peerings: readonly Peering[];
  /** Some BGPPeer makes nodes show another AS than their own. */
  readonly showsOtherAs: boolean;
  readonly filtersByName: ReadonlyMap<string, BgpFilter>;
  readonly settings: BgpConfiguration["spec"];
  readonly nodeSettings: ReadonlyMap<string, BgpConfiguration["spec"]>;
  readonly services: readonly KubernetesService[];
  /** Kubernetes' names of the nodes with a ready endpoint, by `namespace/name` of the service. */
  readonly readyNodes: ReadonlyMap<string, ReadonlySet<string>>;
  readonly problems: readonly IntentProblem[];
}

// Resources are immutable values, so what follows from one is computed once.
const factsOfCluster = new WeakMap<ClusterResources, ClusterFacts>();
const factsOfNode = new WeakMap<Node, NodeFacts>();

/** The facts of a cluster, computed once per `ClusterResources` object and parsed once per node. */
export function clusterFacts(resources: ClusterResources): ClusterFacts {
  const known = factsOfCluster.get(resources);
  if (known !== undefined) return known;
  const facts = deriveFacts(resources);
  factsOfCluster.set(resources, facts);
  return facts;
}

/** What stands for a node that has no resource: it has no address, and no label. */
export function missingNode(name: string): NodeFacts {
  return {
    name,
    kubernetesName: name,
    labels: {},
    createdAt: "",
    asNumber: undefined,
    addresses: new Map(),
    clusterId: undefined,
  };
}

/** The AS a node speaks as: its own, else the cluster's, else 64512. */
export function asNumberOf(cluster: ClusterFacts, node: NodeFacts): number {
  return node.asNumber ?? positive(cluster.settings.asNumber) ?? defaultAsNumber;
}

/** The port a node is configured to listen on, or `undefined` where nothing says (179). */
export function listenPortOf(cluster: ClusterFacts, nodeName: string): number | undefined {
  return cluster.nodeSettings.get(nodeName)?.listenPort ?? cluster.settings.listenPort;
}

function deriveFacts(resources: ClusterResources): ClusterFacts {
  const problems: IntentProblem[] = [...(resources.unreadable ?? [])];
  const named = resources.nodes.map(nodeFacts).toSorted((a, b) => compareText(a.name, b.name));
  const nodes = settleAddresses(named, problems);
  const configurations = new Map(
    resources.bgpConfigurations.map(({ metadata, spec }) => [metadata.name, spec]),
  );
  const prefix = "node.";
  const peerings = resources.bgpPeers.map(peeringOf).toSorted((a, b) => compareText(a.name, b.name));
  problems.push(...resourceProblems(resources, { nodes, peerings }));
  return {
    nodes,
    nodesByName: new Map(nodes.map((node) => [node.name, node])),
    nodesByAddress: new Map(
      nodes.flatMap((node) => [...node.addresses.values()].map(({ text }) => [text, node] as const)),
    ),
    speakers: new Map(([4, 6] as const).map((family) => [family, speakersOf(nodes, family)])),
    pools: resources.pools
      .flatMap(poolFacts)
      .toSorted((a, b) => Prefix.compare(a.prefix, b.prefix) || compareText(a.name, b.name)),
    peerings,
    showsOtherAs: resources.bgpPeers.some(({ spec }) => (spec.localASNumber ?? 0) !== 0),
    filtersByName: new Map(resources.bgpFilters.map((filter) => [filter.metadata.name, filter])),
    settings: configurations.get("default") ?? {},
    nodeSettings: new Map(
      [...configurations]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, spec]) => [name.slice(prefix.length), spec]),
    ),
    services: resources.services ?? [],
    readyNodes: readyNodes(resources.endpointSlices ?? []),
    problems,
  };
}

/** A service may have several slices. */
function readyNodes(slices: readonly KubernetesEndpointSlice[]): ReadonlyMap<string, ReadonlySet<string>> {
  const nodes = new Map<string, Set<string>>();
  for (const { namespace, service, readyNodes: ready } of slices) {
    const name = `${namespace}/${service}`;
    nodes.set(name, new Set([...(nodes.get(name) ?? []), ...ready]));
  }
  return nodes;
}

function nodeFacts(node: Node): NodeFacts {
  const known = factsOfNode.get(node);
  if (known !== undefined) return known;
  const { bgp } = node.spec;
  const addresses = new Map<IpFamily, NodeAddress>();
  for (const [family, text] of [
    [4, bgp?.ipv4Address],
    [6, bgp?.ipv6Address],
  ] as const) {
    const found = text === undefined ? undefined : Prefix.parseInterface(text);
    if (found === undefined || found.network.family !== family) continue;
    const { address, network } = found;
    addresses.set(family, { address, text: IpAddress.format(address), subnet: network });
  }
  const clusterId = bgp?.routeReflectorClusterID;
  const facts: NodeFacts = {
    name: node.metadata.name,
    kubernetesName:
      node.spec.orchRefs?.find(({ orchestrator }) => orchestrator === "k8s")?.nodeName ?? node.metadata.name,
    labels: node.metadata.labels ?? {},
    createdAt: node.metadata.creationTimestamp ?? "~",
    asNumber: positive(bgp?.asNumber),
    addresses,
    clusterId: clusterId === undefined ? undefined : Ipv4.parse(clusterId),
  };
  factsOfNode.set(node, facts);
  return facts;
}

/**
 * Leaves each address to one node. The node that was there first keeps it, so that a newcomer with a wrong address does
 * not take a working node out of the cluster.
 */
function settleAddresses(nodes: readonly NodeFacts[], problems: IntentProblem[]): readonly NodeFacts[] {
  const owners = new Map<string, NodeFacts>();
  const losers = new Map<NodeFacts, Map<IpFamily, NodeAddress>>();
  for (const node of nodes.toSorted(compareAge)) {
    for (const [family, { text }] of node.addresses) {
      const owner = owners.get(text);
      if (owner === undefined) {
        owners.set(text, node);
        continue;
      }
      const left = losers.get(node) ?? new Map(node.addresses);
      left.delete(family);
      losers.set(node, left);
      const message = `has the address ${text} of Node(${owner.name}) and is left out: give one of them another`;
      problems.push({ about: `Node(${node.name})`, message });
    }
  }
  if (losers.size === 0) return nodes;
  return nodes.map((node) => ({ ...node, addresses: losers.get(node) ?? node.addresses }));
}

function compareAge(a: NodeFacts, b: NodeFacts): number {
  return compareText(a.createdAt, b.createdAt) || compareText(a.name, b.name);
}

function speakersOf(nodes: readonly NodeFacts[], family: IpFamily): readonly Speaker[] {
  return nodes
    .flatMap((node) => {
      const address = node.addresses.get(family);
      return address === undefined ? [] : [{ ...address, node }];
    })
    .toSorted((a, b) => IpAddress.compare(a.address, b.address));
}

function poolFacts(pool: IpPool): readonly PoolFacts[] {
  const prefix = Prefix.parse(pool.spec.cidr);
  if (prefix === undefined) return [];
  const { ipipMode = "Never", vxlanMode = "Never", disabled, disableBGPExport, natOutgoing } = pool.spec;
  const { allowedUses = [] } = pool.spec;
  return [
    {
      name: pool.metadata.name,
      prefix,
      ipipMode,
      vxlanMode,
      isDisabled: disabled === true,
      isExported: disableBGPExport !== true,
      hasNatOutgoing: natOutgoing === true,
      isForServices: allowedUses.length > 0 && allowedUses.every((use) => use === "LoadBalancer"),
    },
  ];
}

/** AS 0 is reserved (RFC 7607): Calico's zero means "not set". */
function positive(asNumber: number | undefined): number | undefined {
  return asNumber === 0 ? undefined : asNumber;
}
