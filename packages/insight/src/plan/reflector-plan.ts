import { asNumberOf, clusterFacts, type NodeIntent } from "@caracal/intent";
import { Ipv4 } from "@caracal/net";
import type { RouteTable } from "@caracal/questions";
import { apiVersion, type BgpPeer } from "@caracal/resources";
import type { ClusterSnapshot } from "../cluster/read-cluster.ts";

/** The label of nodes that reflect, as Calico's documentation has it. */
export const reflectorLabel = "route-reflector";
/** The peering that a move to reflectors makes. */
export const reflectorPeerName = "route-reflectors";

/** A move from the mesh to route reflectors. */
export interface ReflectorPlan {
  readonly reflectors: readonly string[];
  /** The same for all of them, so that they do not reflect to each other (RFC 4456 §7). */
  readonly clusterId: string;
  readonly peer: BgpPeer;
}

/** Works out the move, or says why it cannot be made. */
export function planReflectors(
  cluster: ClusterSnapshot,
  reflectors: readonly string[],
  clusterId: string,
):
  | { readonly kind: "plan"; readonly plan: ReflectorPlan }
  | { readonly kind: "refused"; readonly reason: string } {
  const facts = clusterFacts(cluster.resources);
  const refuse = (reason: string): { readonly kind: "refused"; readonly reason: string } => ({
    kind: "refused",
    reason,
  });
  if (reflectors.length === 0) return refuse("no reflector is named: give --reflectors NODE[,NODE…]");
  if (Ipv4.parse(clusterId) === undefined)
    return refuse(`${clusterId} is no cluster ID: it is written as an IPv4 address`);
  for (const name of reflectors) {
    const node = facts.nodesByName.get(name);
    if (node === undefined) return refuse(`there is no node ${name}`);
    if (node.addresses.size === 0) return refuse(`node ${name} has no BGP address`);
  }
  if (facts.settings.nodeMeshPassword !== undefined || facts.settings.nodeMeshMaxRestartTime !== undefined) {
    return refuse(
      "BGPConfiguration(default) has nodeMeshPassword or nodeMeshMaxRestartTime, which may not stand without the mesh: take them out first",
    );
  }
  const owner = facts.nodesByAddress.get(clusterId);
  if (owner !== undefined && !reflectors.includes(owner.name)) {
    return refuse(
      `the cluster ID ${clusterId} is the address of node ${owner.name}, which is no reflector: take another`,
    );
  }
  const others = facts.nodes.filter(
    (node) => node.clusterId !== undefined && !reflectors.includes(node.name),
  );
  if (others.length > 0) {
    return refuse(
      `${others.map(({ name }) => name).join(", ")} reflect(s) already: name all reflectors, or move back to the mesh first`,
    );
  }
  const numbers = new Set(
    facts.nodes.filter(({ addresses }) => addresses.size > 0).map((node) => asNumberOf(facts, node)),
  );
  if (numbers.size > 1) {
    return refuse(
      `the nodes speak as AS ${[...numbers].join(", ")}: route reflection is for nodes of one AS (RFC 4456)`,
    );
  }
  return { kind: "plan", plan: { reflectors, clusterId, peer: reflectorPeer } };
}

/** On the mesh's own terms, so that sessions can go on as the BGPPeer's. */
const reflectorPeer: BgpPeer = {
  kind: "BGPPeer",
  apiVersion,
  metadata: { name: reflectorPeerName },
  spec: { nodeSelector: "all()", peerSelector: `${reflectorLabel} == 'true'` },
};

type Intents = ReadonlyMap<string, NodeIntent>;
type Tables = ReadonlyMap<string, RouteTable>;

/**
 * What nodes would lack if they only had the paths that come by sessions with `through` or from the prefix's own node:
 * `n3 has no path to 10.244.1.0/26`. Empty: it is safe to drop every other session.
 */
export function missingThrough(
  intents: Intents,
  tables: Tables,
  through: readonly string[],
): readonly string[] {
  const home = homes(tables);
  return [...intents.keys()].flatMap((node) => {
    const table = tables.get(node);
    if (table === undefined) return [`${node} does not answer`];
    const nodeOf = new Map((intents.get(node)?.bgp?.peers ?? []).map((peer) => [peer.name, peer.node]));
    return [...home].flatMap(([prefix, owner]) => {
      if (owner === node) return [];
      const paths = table.routes.find((route) => route.prefix === prefix)?.from ?? [];
      const isDirect = through.includes(node) || through.includes(owner);
      const isThere = paths.some((name) => {
        const from = nodeOf.get(name);
        return from !== undefined && (through.includes(from) || (isDirect && from === owner));
      });
      return isThere ? [] : [`${node} has no path to ${prefix} of ${owner}`];
    });
  });
}

/** What nodes lack of the paths that come straight from the prefix's own node, as in a mesh. */
export function missingDirectly(
  intents: Intents,
  tables: Tables,
  nodes: readonly string[],
): readonly string[] {
  const home = homes(tables);
  return nodes.flatMap((node) => {
    const table = tables.get(node);
    if (table === undefined) return [`${node} does not answer`];
    const nodeOf = new Map((intents.get(node)?.bgp?.peers ?? []).map((peer) => [peer.name, peer.node]));
    return [...home].flatMap(([prefix, owner]) => {
      if (owner === node || !nodes.includes(owner)) return [];
      const paths = table.routes.find((route) => route.prefix === prefix)?.from ?? [];
      return paths.some((name) => nodeOf.get(name) === owner)
        ? []
        : [`${node} does not hear ${prefix} from ${owner} itself`];
    });
  });
}

/** Routes that some node had and has no more. */
export function lostRoutes(before: Tables, now: Tables): readonly string[] {
  return [...before].flatMap(([node, { routes }]) => {
    const table = now.get(node);
    if (table === undefined) return [`${node} does not answer`];
    const known = new Map(table.routes.map((route) => [route.prefix, route]));
    return routes.flatMap(({ prefix, nextHop, isOwn, isProgrammed }) => {
      const route = known.get(prefix);
      if (isOwn || nextHop === undefined) return [];
      if (route?.nextHop === undefined) return [`${node} lost ${prefix}`];
      return isProgrammed && !route.isProgrammed ? [`${node}: ${prefix} left the kernel`] : [];
    });
  });
}

/** The node that each prefix belongs to. */
function homes(tables: Tables): ReadonlyMap<string, string> {
  return new Map(
    [...tables.values()].flatMap(({ node, routes }) =>
      routes.filter(({ isOwn }) => isOwn).map(({ prefix }) => [prefix, node] as const),
    ),
  );
}
