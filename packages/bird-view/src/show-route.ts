import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import { BirdCode, type BirdLine, lastLine, moreLine } from "./bird-reply.ts";
import type { BirdAsSegment, BirdBgpAttributes, BirdRoute, BirdSnapshot, BirdVia } from "./bird-snapshot.ts";
import { formatSince } from "./bird-time.ts";
import { formatExtendedCommunity } from "./extended-community.ts";

/** What `show route` was asked. */
export interface RouteQuery {
  /** Exactly this network, or with `isFor` the longest one that covers it. */
  readonly prefix?: Prefix;
  readonly isFor: boolean;
  /** Attributes too (`all`). */
  readonly isVerbose: boolean;
  /** Best routes only (`primary`). */
  readonly isPrimary: boolean;
  /** Only routes that this protocol brought. */
  readonly protocol?: string;
  /** Only how many (`count`). */
  readonly isCount: boolean;
}

/** `show route …`. */
export function* showRoute(snapshot: BirdSnapshot, query: RouteQuery): Generator<BirdLine> {
  const { prefix } = query;
  const network = prefix === undefined ? undefined : findNetwork(snapshot.routes, prefix, query.isFor);
  if (prefix !== undefined && network === undefined) {
    yield lastLine(BirdCode.networkNotFound, "Network not in table");
    return;
  }
  const candidates =
    network === undefined
      ? snapshot.routes
      : snapshot.routes.filter((route) => Prefix.equals(route.prefix, network));
  for (const line of showTable(candidates, query, snapshot.nowMs)) if (line !== undefined) yield line;
}

/** The same of a table that is read as it is shown, grouped by network; pauses go through. */
export function* showTable(
  routes: Iterable<BirdRoute | undefined>,
  query: RouteQuery,
  nowMs: number,
): Generator<BirdLine | undefined> {
  const count = { shown: 0, routes: 0, networks: 0 };
  let network: Prefix | undefined;
  // Further routes of the same network leave its column blank.
  let isNamed = false;
  for (const route of routes) {
    if (route === undefined) {
      yield undefined;
      continue;
    }
    count.routes += 1;
    if (network === undefined || !Prefix.equals(network, route.prefix)) {
      network = route.prefix;
      isNamed = false;
      count.networks += 1;
    }
    if (!isWanted(route, query)) continue;
    count.shown += 1;
    if (query.isCount) continue;
    yield* routeLines(route, isNamed ? "" : Prefix.format(network), nowMs, query.isVerbose);
    isNamed = true;
  }
  const text = `${count.shown} of ${count.routes} routes for ${count.networks} networks`;
  yield query.isCount ? lastLine(BirdCode.routeCount, text) : lastLine(BirdCode.ok);
}

function findNetwork(routes: readonly BirdRoute[], wanted: Prefix, isFor: boolean): Prefix | undefined {
  let best: Prefix | undefined;
  for (const { prefix } of routes) {
    const isMatch = isFor ? Prefix.covers(prefix, wanted) : Prefix.equals(prefix, wanted);
    if (isMatch && (best === undefined || prefix.length > best.length)) best = prefix;
  }
  return best;
}

function isWanted(route: BirdRoute, query: RouteQuery): boolean {
  if (query.isPrimary && !route.isBest) return false;
  return query.protocol === undefined || route.protocol === query.protocol;
}

function* routeLines(
  route: BirdRoute,
  network: string,
  nowMs: number,
  isVerbose: boolean,
): Generator<BirdLine> {
  const from = route.from === undefined ? "" : ` from ${IpAddress.format(route.from)}`;
  const origin = `[${route.protocol} ${formatSince(route.sinceMs, nowMs)}${from}]`;
  const mark = route.isBest ? (route.hasSyncError === true ? " !" : " *") : "";
  const text = `${network.padEnd(18)} ${formatVia(route.via)} ${origin}${mark}${formatInfo(route)}`;
  yield moreLine(BirdCode.route, text);
  if (route.via.kind === "multipath") {
    for (const path of route.via.paths) {
      const gateway = IpAddress.format(path.gateway);
      yield moreLine(BirdCode.route, `\tvia ${gateway} on ${path.interface} weight ${path.weight}`);
    }
  }
  if (!isVerbose) return;
  yield moreLine(BirdCode.routeType, `\tType: ${sourceNames[route.source]} unicast univ`);
  if (route.kernel !== undefined) {
    yield moreLine(BirdCode.attributes, `\tKernel.source: ${route.kernel.source}`);
    yield moreLine(BirdCode.attributes, `\tKernel.metric: ${route.kernel.metric}`);
  }
  if (route.bgp !== undefined) {
    for (const line of attributeLines(route.bgp)) yield moreLine(BirdCode.attributes, `\tBGP.${line}`);
  }
}

/** BIRD calls a route that was in the kernel before it an inherited one. */
const sourceNames: Readonly<Record<BirdRoute["source"], string>> = {
  static: "static",
  kernel: "inherit",
  device: "device",
  BGP: "BGP",
};

function formatVia(via: BirdVia): string {
  switch (via.kind) {
    case "gateway":
      return `via ${IpAddress.format(via.gateway)} on ${via.interface}`;
    case "device":
      return `dev ${via.interface}`;
    case "blackhole":
    case "unreachable":
    case "prohibited":
    case "multipath":
      return via.kind;
  }
}

/** ` (10)`, or for BGP preference, metric to the next hop, the path's last AS and the origin: ` (100/0) [AS65001i]`. */
function formatInfo(route: BirdRoute): string {
  if (route.bgp === undefined) return ` (${route.preference})`;
  const stale = route.isStale === true ? "s" : "";
  return ` (${route.preference}${stale}${formatMetric(route.igpMetric)}) [${lastAs(route.bgp.asPath)}${originLetters[route.bgp.origin]}]`;
}

const originLetters = { IGP: "i", EGP: "e", Incomplete: "?" } as const;

function formatMetric(metric: BirdRoute["igpMetric"]): string {
  if (metric === undefined) return "";
  if (metric === "unresolvable") return "/-";
  return metric === "unknown" ? "/?" : `/${metric}`;
}

/** The AS a path began at; a set at the far end hides it, so then BIRD takes the last one that is certain. */
function lastAs(path: readonly BirdAsSegment[]): string {
  let last: number | undefined;
  for (const segment of path) {
    if (segment.kind === "set") break;
    last = segment.asns.at(-1) ?? last;
  }
  return last === undefined ? "" : `AS${last}`;
}

/** In the order of the attributes' type codes. */
function* attributeLines(bgp: BirdBgpAttributes): Generator<string> {
  yield `origin: ${bgp.origin}`;
  yield `as_path: ${formatAsPath(bgp.asPath)}`;
  yield `next_hop: ${bgp.nextHops.map(IpAddress.format).join(" ")}`;
  if (bgp.med !== undefined) yield `med: ${bgp.med}`;
  if (bgp.localPref !== undefined) yield `local_pref: ${bgp.localPref}`;
  if (bgp.isAtomicAggregate === true) yield "atomic_aggr: ";
  if (bgp.aggregator !== undefined) {
    yield `aggregator: ${Ipv4.format(bgp.aggregator.address)} AS${bgp.aggregator.asn}`;
  }
  if (isFilled(bgp.communities)) yield `community: ${formatTuples(bgp.communities)}`;
  if (bgp.originatorId !== undefined) yield `originator_id: ${Ipv4.format(bgp.originatorId)}`;
  if (isFilled(bgp.clusterList)) yield `cluster_list: ${bgp.clusterList.map(Ipv4.format).join(" ")}`;
  if (isFilled(bgp.extendedCommunities)) {
    yield `ext_community: ${bgp.extendedCommunities.map(formatExtendedCommunity).join(" ")}`;
  }
  if (isFilled(bgp.largeCommunities)) yield `large_community: ${formatTuples(bgp.largeCommunities, ", ")}`;
}

function isFilled<T>(list: readonly T[] | undefined): list is readonly T[] {
  return list !== undefined && list.length > 0;
}

function formatAsPath(path: readonly BirdAsSegment[]): string {
  return path.map(({ kind, asns }) => (kind === "set" ? `{ ${asns.join(" ")} }` : asns.join(" "))).join(" ");
}

function formatTuples(tuples: readonly (readonly number[])[], separator = ","): string {
  return tuples.map((tuple) => `(${tuple.join(separator)})`).join(" ");
}
