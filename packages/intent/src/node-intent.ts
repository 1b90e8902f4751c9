import { type IpAddress, type IpFamily, type Ipv4, Prefix } from "@caracal/net";
import type { WorkloadEndpoint } from "@caracal/resources";
import {
  asNumberOf,
  type ClusterFacts,
  clusterFacts,
  type ClusterResources,
  listenPortOf,
  missingNode,
  type NodeFacts,
} from "./cluster.ts";
import { prefixAdvertisements } from "./communities.ts";
import { configuredPeers } from "./configured-peers.ts";
import { type DeviceRouteSettings, deviceRouteSettings } from "./device-routes.ts";
import { decideExport, type ExportPolicy, exportPolicy } from "./export-policy.ts";
import { type FelixSettings, felixSettingsOf } from "./felix-settings.ts";
import { compareText, type IntentProblem, sortProblems } from "./intent-problem.ts";
import { isInMesh, meshPeers } from "./mesh-peers.ts";
import { type BlockAffinity, ownBlocks } from "./own-blocks.ts";
import { floatingAddresses } from "./packets/floating-addresses.ts";
import { opensExport, type PeerFilter, peerFilterOf } from "./peer-filters.ts";
import { bgpPort, type PeerIntent, type SecretKey } from "./peer-intent.ts";
import { type PodRoute, podRoutes } from "./pod-routes.ts";
import { type ProgrammingPolicy, programmingPolicy } from "./programming-policy.ts";
import { reflectorProblems } from "./reflector-problems.ts";
import { type ServiceRanges, serviceRanges } from "./service-ranges.ts";
import { type RouterIdSettings, routerIdOf } from "./router-id.ts";
import { secretProblems } from "./secret-problems.ts";
import { unsupportedSettings } from "./unsupported-settings.ts";
import { workloadPeers } from "./workload-peers.ts";

/** All that a node's intent depends on. */
export interface IntentInput {
  readonly node: string;
  readonly cluster: ClusterResources;
  /** Block affinities; those of other nodes are ignored. */
  readonly affinities: readonly BlockAffinity[];
  /** Workload endpoints; those of other nodes are ignored. */
  readonly endpoints: readonly WorkloadEndpoint[];
  readonly settings: IntentSettings;
}

/** What the node's daemon is told outside the resources. */
export interface IntentSettings extends RouterIdSettings {
  /** What the daemon's environment says of the agent's settings. */
  readonly environment?: FelixSettings;
  /** Whether a secret that a session's password is in can be read; absent: not known, and not asked. */
  readonly hasSecret?: (secret: SecretKey) => boolean;
}

/** A route that the node announces as its own. */
export interface OriginIntent {
  readonly prefix: Prefix;
  /** A whole block, a workload's address outside the node's own blocks, or a range of service addresses. */
  readonly kind: "block" | "pod" | "service";
  /** The link to a pod. */
  readonly interfaceName?: string;
}

/** The node's BGP speaker. */
export interface BgpIntent {
  readonly asNumber: number;
  readonly routerId: Ipv4;
  readonly clusterId?: Ipv4;
  readonly listen: {
    readonly port: number;
    /** Absent listens on every address. */
    readonly addresses?: readonly IpAddress[];
  };
  /** Patterns of interfaces whose subnets are no routes of ours, beside pods' and kube-proxy's. */
  readonly ignoredInterfaces: readonly string[];
  /** How much is told of the sessions: Calico's three degrees. */
  readonly logging: "all" | "states" | "none";
  /** Whether the node is in the node-to-node mesh, though it may have no peer there. */
  readonly isInMesh: boolean;
  /** The node's own address of each family. */
  readonly addresses: ReadonlyMap<IpFamily, IpAddress>;
  /** Families spoken; a family without a node address has no sessions and no origins. */
  readonly families: readonly IpFamily[];
  /** Mesh first, then global, then node-specific, then local workloads, each by family and address. */
  readonly peers: readonly PeerIntent[];
  /** The BGPFilters that peers name and that exist, by name. */
  readonly filters: readonly PeerFilter[];
  /** What the export policy lets out; more where a filter may let out more. */
  readonly origins: readonly OriginIntent[];
  readonly exportPolicy: ExportPolicy;
}

/** What the node's kernel should have because of the resources alone. */
export interface KernelIntent {
  /** Own blocks, so that packets to free addresses stop here: `blackhole … proto bird`. */
  readonly blackholes: readonly Prefix[];
  readonly podRoutes: readonly PodRoute[];
  /** How these and the tunnels' routes are marked. */
  readonly deviceRoutes: DeviceRouteSettings;
  /** Decides on each route learned from peers. */
  readonly programming: ProgrammingPolicy;
}

/** What should be on one node. Equal input gives equal output, whatever the order of the resources. */
export interface NodeIntent {
  readonly node: string;
  /** The node's own address of each family. */
  readonly addresses: ReadonlyMap<IpFamily, IpAddress>;
  /** Absent when the node is unknown, has no address or no router ID; `problems` says why. */
  readonly bgp?: BgpIntent;
  readonly kernel: KernelIntent;
  readonly problems: readonly IntentProblem[];
}

/** Computes one node's intent from the cluster's resources. */
export function nodeIntent(input: IntentInput): NodeIntent {
  const cluster = clusterFacts(input.cluster);
  const problems: IntentProblem[] = [...cluster.problems];
  const self = cluster.nodesByName.get(input.node) ?? unknownNode(input.node, problems);
  const blocks = ownBlocks(input.node, input.affinities);
  const felix = felixSettingsOf(input.cluster.felixConfigurations ?? [], self, input.settings.environment);
  const routes = [
    ...podRoutes(input.node, input.endpoints, problems),
    ...floatingRoutes(input, felix, problems),
  ];
  const services = serviceRanges(cluster, self);
  const local = { blocks, routes, services, endpoints: input.endpoints };
  const bgp = bgpIntent(cluster, self, local, input.settings, problems);
  problems.push(
    ...unsupportedSettings(felix),
    ...reflectorProblems(cluster),
    ...secretProblems(bgp?.peers ?? [], input.settings.hasSecret),
  );
  return {
    node: input.node,
    addresses: new Map([...self.addresses].map(([family, { address }]) => [family, address])),
    ...(bgp === undefined ? {} : { bgp }),
    kernel: {
      blackholes:
        bgp === undefined
          ? []
          : // One address has no room for a blackhole beside its pod's route.
            blocks.filter((block) => !Prefix.isHost(block) && isRouted(self, bgp.peers, block.family)),
      podRoutes: routes,
      deviceRoutes: deviceRouteSettings(felix, problems),
      programming: programmingPolicy(cluster, self, services),
    },
    problems: sortProblems(problems),
  };
}

/** A floating address is routed, and so announced, as its workload's own are. */
function floatingRoutes(
  { node, cluster, endpoints }: IntentInput,
  felix: FelixSettings,
  problems: IntentProblem[],
): readonly PodRoute[] {
  return floatingAddresses({ cluster: clusterFacts(cluster), node, endpoints, felix, problems }).map(
    ({ external, interfaceName, endpoint }) => ({ prefix: Prefix.host(external), interfaceName, endpoint }),
  );
}

function unknownNode(name: string, problems: IntentProblem[]): NodeFacts {
  problems.push({
    about: `Node(${name})`,
    message: "does not exist, so this node has no routes to give or take",
  });
  return missingNode(name);
}

function bgpIntent(
  cluster: ClusterFacts,
  self: NodeFacts,
  local: LocalRoutes,
  settings: IntentSettings,
  problems: IntentProblem[],
): BgpIntent | undefined {
  if (self.addresses.size === 0) {
    if (cluster.nodesByName.has(self.name)) {
      const message = "has no spec.bgp address of its own, so it speaks to no peer";
      problems.push({ about: `Node(${self.name})`, message });
    }
    return undefined;
  }
  const routerId = routerIdOf(self, settings, problems);
  if (routerId === undefined) return undefined;
  const mesh = meshPeers(cluster, self);
  const peers = [
    ...mesh,
    ...configuredPeers(cluster, self, mesh, problems),
    ...workloadPeers(cluster, self, local.endpoints, problems),
  ];
  const filters = filtersOf(cluster, peers, problems);
  const policy = exportPolicy(
    cluster,
    local.blocks,
    local.services,
    prefixAdvertisements(cluster, self.name, problems),
  );
  const addresses = [...self.addresses.values()].map(({ address }) => address);
  return {
    asNumber: asNumberOf(cluster, self),
    routerId,
    ...(self.clusterId === undefined ? {} : { clusterId: self.clusterId }),
    listen: {
      port: listenPortOf(cluster, self.name) ?? bgpPort,
      ...(cluster.settings.bindMode === "NodeIP" ? { addresses } : {}),
    },
    ignoredInterfaces: cluster.settings.ignoredInterfaces ?? [],
    logging: loggingOf(cluster, self.name),
    isInMesh: isInMesh(cluster, self),
    addresses: new Map([...self.addresses].map(([family, { address }]) => [family, address])),
    families: [...self.addresses.keys()],
    peers,
    filters,
    origins: origins(
      (family) => isRouted(self, peers, family),
      filters.some(opensExport) ? undefined : policy,
      local,
    ),
    exportPolicy: policy,
  };
}

/** Whether routes of a family are spoken of: on sessions of that family, or IPv4 over IPv6. */
function isRouted({ addresses }: NodeFacts, peers: readonly PeerIntent[], family: IpFamily): boolean {
  return addresses.has(family) || (family === 4 && peers.some(({ carriesIpv4 }) => carriesIpv4 === true));
}

/** The node's own level wins over the cluster's. */
function loggingOf(cluster: ClusterFacts, nodeName: string): BgpIntent["logging"] {
  const own = cluster.nodeSettings.get(nodeName)?.logSeverityScreen;
  const level = (own ?? cluster.settings.logSeverityScreen ?? "info").toLowerCase();
  if (level === "debug" || level === "trace") return "all";
  return level === "info" ? "states" : "none";
}

/** Routes that begin at the node. */
interface LocalRoutes {
  readonly blocks: readonly Prefix[];
  readonly routes: readonly PodRoute[];
  readonly services: ServiceRanges;
  readonly endpoints: readonly WorkloadEndpoint[];
}

/** The filters of the peers, each once. */
function filtersOf(
  cluster: ClusterFacts,
  peers: readonly PeerIntent[],
  problems: IntentProblem[],
): readonly PeerFilter[] {
  for (const { filters: named, bgpPeer } of peers) {
    for (const name of named) {
      if (cluster.filtersByName.has(name)) continue;
      const message = `names the BGPFilter ${name}, which does not exist`;
      problems.push({ about: `BGPPeer(${bgpPeer})`, message });
    }
  }
  const names = [...new Set(peers.flatMap(({ filters }) => filters))].toSorted(compareText);
  const filters = names.flatMap((name) => {
    const resource = cluster.filtersByName.get(name);
    return resource === undefined ? [] : [peerFilterOf(resource)];
  });
  for (const { name, warnings } of filters) {
    for (const message of warnings) problems.push({ about: `BGPFilter(${name})`, message });
  }
  return filters;
}

/** Own blocks, workload addresses and service ranges, as far as the export policy, if there is one, lets them out. */
function origins(
  isTold: (family: IpFamily) => boolean,
  policy: ExportPolicy | undefined,
  local: LocalRoutes,
): readonly OriginIntent[] {
  const candidates: readonly OriginIntent[] = [
    ...local.blocks
      .filter((block) => !Prefix.isHost(block))
      .map((prefix) => ({ prefix, kind: "block" as const })),
    ...local.routes.map(({ prefix, interfaceName }) => ({ prefix, kind: "pod" as const, interfaceName })),
    ...local.services.announced.map((prefix) => ({ prefix, kind: "service" as const })),
  ];
  return candidates.filter(
    ({ prefix }) =>
      isTold(prefix.family) && (policy === undefined || decideExport(policy, prefix).isAccepted),
  );
}
