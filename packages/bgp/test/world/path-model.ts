import {
  type Link,
  type Relation,
  type Router,
  type Topology,
  linksOf,
  otherEnd,
  relationSeenBy,
} from "./topology.ts";

/** What decides about routes beside the topology. */
export interface Settings {
  /** Prefixes that each router is the source of. */
  readonly origins: ReadonlyMap<Router, readonly string[]>;
  /** Whether a router takes, or tells, a prefix on a link. */
  readonly denies: (router: Router, link: Link, direction: "in" | "out", prefix: string) => boolean;
}

/** A route as this model sees it: what the standards compare, and nothing else. */
interface ModelRoute {
  readonly localPref: number;
  /** AS numbers, the nearest first. */
  readonly path: readonly number[];
  /** Of the AS that it came into ours from; `undefined` for our own AS's. */
  readonly from: Relation | undefined;
  readonly nextHop: string;
  /** How it came to this router: `undefined` is its own. */
  readonly via: Link | undefined;
  readonly originator: string | undefined;
  readonly clusters: readonly string[];
}

/** What becomes of a prefix at a router. */
export interface ModelResult {
  readonly path: readonly number[];
  /** Of all routes that are as good as the best; empty for the router's own prefix. */
  readonly nextHops: readonly string[];
}

const worth = { customer: 300, peer: 200, provider: 100 } as const;

/**
 * The stable state of a network, from its topology alone: every router chooses from what its neighbours have chosen, again
 * and again, until nothing changes. Relations between ASes are such that there is exactly one.
 */
export function stableState(topology: Topology, settings: Settings): Map<Router, Map<string, ModelResult>> {
  const prefixes = new Set([...settings.origins.values()].flat());
  const result = new Map(topology.routers.map((router) => [router, new Map<string, ModelResult>()]));
  for (const prefix of prefixes) {
    const [chosen, candidates] = settle(topology, settings, prefix);
    for (const [router, best] of chosen) {
      const equal = (candidates.get(router) ?? []).filter((one) => compareUpToCost(one, best) === 0);
      const nextHops = best.via === undefined ? [] : [...new Set(equal.map((one) => one.nextHop))].toSorted();
      result.get(router)?.set(prefix, { path: best.path, nextHops });
    }
  }
  return result;
}

type Choice = Map<Router, ModelRoute>;

function settle(topology: Topology, settings: Settings, prefix: string): [Choice, Map<Router, ModelRoute[]>] {
  let chosen: Choice = new Map();
  for (let round = 0; round < 200; round += 1) {
    const candidates = new Map(
      topology.routers.map(
        (router) => [router, routesTo(router, topology, settings, prefix, chosen)] as const,
      ),
    );
    const next: Choice = new Map();
    for (const [router, routes] of candidates) {
      const [best] = routes.toSorted(
        (one, other) => compareUpToCost(one, other) || breakTie(router, one, other),
      );
      if (best !== undefined) next.set(router, best);
    }
    if (JSON.stringify([...next]) === JSON.stringify([...chosen])) return [next, new Map(candidates)];
    chosen = next;
  }
  throw new Error(`no stable state for ${prefix}`);
}

function routesTo(
  router: Router,
  topology: Topology,
  settings: Settings,
  prefix: string,
  chosen: Choice,
): ModelRoute[] {
  if (settings.origins.get(router)?.includes(prefix) === true) {
    const own = { localPref: 100, path: [], from: undefined, nextHop: router.address };
    return [{ ...own, via: undefined, originator: undefined, clusters: [] }];
  }
  return linksOf(topology, router).flatMap((link) => {
    const neighbor = otherEnd(router, link);
    const best = chosen.get(neighbor);
    if (best === undefined || best.via === link) return [];
    if (settings.denies(neighbor, link, "out", prefix) || settings.denies(router, link, "in", prefix))
      return [];
    const told =
      link.kind === "external"
        ? overExternal(neighbor, router, link, best)
        : overInternal(neighbor, router, link, best);
    return told === undefined || told.nextHop === router.address ? [] : [told];
  });
}

/** Customers are told everything; others only what our customers and we have. */
function overExternal(from: Router, to: Router, link: Link, best: ModelRoute): ModelRoute | undefined {
  const isOurs = best.from === undefined || best.from === "customer";
  if (relationSeenBy(from, link) !== "customer" && !isOurs) return undefined;
  const path = [from.asn, ...best.path];
  const relation = relationSeenBy(to, link);
  if (path.includes(to.asn) || relation === undefined) return undefined;
  return {
    localPref: worth[relation],
    path,
    from: relation,
    nextHop: from.address,
    via: link,
    originator: undefined,
    clusters: [],
  };
}

/** RFC 4456: between internal routers only what is from outside, own, or reflected. */
function overInternal(from: Router, to: Router, link: Link, best: ModelRoute): ModelRoute | undefined {
  if (best.via === undefined || best.via.kind === "external")
    return { ...best, via: link, originator: undefined, clusters: [] };
  const isReflected = isClient(from, best.via) || isClient(from, link);
  if (!isReflected) return undefined;
  const originator = best.originator ?? otherEnd(from, best.via).address;
  const clusters = [from.address, ...best.clusters];
  if (originator === to.address || clusters.includes(to.address)) return undefined;
  return { ...best, via: link, originator, clusters };
}

/** Whether the other end of a link is a client of this router. */
function isClient(router: Router, link: Link): boolean {
  return link.kind === "internal" && link.client && link.a === router;
}

function compareUpToCost(one: ModelRoute, other: ModelRoute): number {
  const own = (route: ModelRoute): number => (route.via === undefined ? 0 : 1);
  const inside = (route: ModelRoute): number => (route.via?.kind === "internal" ? 1 : 0);
  return (
    own(one) - own(other) ||
    other.localPref - one.localPref ||
    one.path.length - other.path.length ||
    inside(one) - inside(other)
  );
}

function breakTie(router: Router, one: ModelRoute, other: ModelRoute): number {
  const neighbor = (route: ModelRoute): string =>
    route.via === undefined ? "" : otherEnd(router, route.via).address;
  const number = (address: string): number => Number(address.split(".").at(-1) ?? 0);
  const identifier = (route: ModelRoute): number => number(route.originator ?? neighbor(route));
  return (
    identifier(one) - identifier(other) ||
    one.clusters.length - other.clusters.length ||
    number(neighbor(one)) - number(neighbor(other))
  );
}
