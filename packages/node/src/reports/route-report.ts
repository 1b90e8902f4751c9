import { AsPath, Origin, type PolicyRoute, type RouteSnapshot } from "@caracal/bgp";
import { explainExport, explainPolicy } from "@caracal/bgp-intent";
import { routeKey, type RouteKey } from "@caracal/dataplane";
import { routeText } from "@caracal/forwarding";
import type { KernelResolver, Rtnetlink } from "@caracal/linux";
import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import { type BgpIntent, decideProgramming } from "@caracal/intent";
import { RouteProtocol } from "@caracal/netlink";
import type { ExportReport, PathReport, RouteReport } from "@caracal/questions";
import type { BgpSupervisor } from "../routing/bgp-supervisor.ts";
import type { Routing } from "../routing/routing.ts";

export interface RouteReportSources {
  readonly node: string;
  readonly routing: Routing;
  readonly bgp: BgpSupervisor;
  /** Something speaks BGP on the node. */
  readonly speaksBgp: boolean;
  /** The sessions of whoever speaks BGP here. */
  readonly sessions: () => readonly { readonly name: string; readonly state: string }[];
  readonly tables: Rtnetlink;
  readonly resolver: Pick<KernelResolver, "path">;
}

/** Everything that this node knows of the routes to an address, or to a prefix as a whole. */
export function routeReport(sources: RouteReportSources, wanted: Prefix): RouteReport {
  const { node, routing, bgp, tables, speaksBgp } = sources;
  const routes = bgp.routesTo(wanted);
  const intent = speaksBgp ? routing.intent?.bgp : undefined;
  // Where BIRD speaks BGP, what it learned is seen in the kernel only, and what it tells of its own follows from the intent.
  const byBgp =
    routes[0]?.prefix ??
    longestMatch([...programmedByBgp(tables), ...(intent?.origins ?? []).map((one) => one.prefix)], wanted);
  const ownRoutes = routing.tunnels?.routes ?? [];
  const byDaemon = longestMatch(
    ownRoutes.map((one) => one.prefix),
    wanted,
  );
  const isLonger = byDaemon !== undefined && byDaemon.length >= (byBgp?.length ?? 0);
  const prefix = isLonger ? byDaemon : byBgp;
  const own = isLonger ? ownRoutes.find((one) => Prefix.equals(one.prefix, byDaemon))?.kind : undefined;
  const best = routes.find((route) => route.best);
  const origin =
    prefix === undefined ? undefined : intent?.origins.find((one) => Prefix.equals(one.prefix, prefix))?.kind;
  const told = best ?? (origin === undefined || prefix === undefined ? undefined : ownRoute(prefix));
  const lookup = tables.routeTo(wanted.address);
  const names = new Map(tables.links().map(({ index, name }) => [index, name]));
  const failure = prefix === undefined ? undefined : kernelFailure(routing, prefix);
  return {
    node,
    ...(prefix === undefined ? {} : { prefix: Prefix.format(prefix) }),
    ...(origin === undefined ? {} : { origin }),
    ...(own === undefined ? {} : { own }),
    paths: routes
      .toSorted((a, b) => Number(b.best) - Number(a.best))
      .map((route) => pathReport(sources, intent, route)),
    ...programming(routing, best),
    kernel: tables
      .routes()
      .filter(({ destination }) => Prefix.equals(destination, prefix ?? wanted))
      .map((route) => ({ text: routeText(route, (link) => names.get(link)), protocol: route.protocol })),
    ...(lookup === undefined ? {} : { lookup: routeText(lookup, (link) => names.get(link)) }),
    ...(failure === undefined ? {} : { kernelFailure: failure }),
    exports: told === undefined || intent === undefined ? [] : exportReports(sources, intent, told),
  };
}

/** The longest that has all of `wanted` in it. */
function longestMatch(prefixes: readonly Prefix[], wanted: Prefix): Prefix | undefined {
  let longest: Prefix | undefined;
  for (const prefix of prefixes) {
    if (prefix.length > (longest?.length ?? -1) && Prefix.covers(prefix, wanted)) longest = prefix;
  }
  return longest;
}

function programmedByBgp(tables: Rtnetlink): readonly Prefix[] {
  return tables.routes({ protocol: RouteProtocol.RTPROT_BIRD }).map(({ destination }) => destination);
}

function pathReport(
  { bgp, resolver }: RouteReportSources,
  intent: BgpIntent | undefined,
  route: RouteSnapshot,
): PathReport {
  const { source, attributes, received, best, stale, state } = route;
  const { nextHop, asPath, localPref, originatorId, clusterList = [] } = attributes;
  const peer = intent?.peers.find(({ name }) => source.kind === "peer" && name === source.name);
  const isHeld = bgp.peers().some(({ name }) => name === peer?.name);
  const asReceived: PolicyRoute = { prefix: route.prefix, attributes: received ?? attributes, source };
  return {
    ...(source.kind === "peer" ? { peer: source.name } : {}),
    ...(nextHop === undefined ? {} : { nextHop: IpAddress.format(nextHop) }),
    asPath: AsPath.format(asPath),
    ...(localPref === undefined ? {} : { localPref }),
    ...(originatorId === undefined ? {} : { originatorId: Ipv4.format(originatorId) }),
    clusterList: clusterList.map(Ipv4.format),
    isBest: best,
    isStale: stale,
    state,
    ...(intent === undefined || peer === undefined || !isHeld || state !== "filtered"
      ? {}
      : {
          policy: explainPolicy(
            intent,
            peer,
            "import",
            asReceived,
            (hop) => resolver.path(hop)?.interfaceName,
          ),
        }),
  };
}

function programming(routing: Routing, best: RouteSnapshot | undefined): Pick<RouteReport, "programming"> {
  const { nextHop } = best?.attributes ?? {};
  const policy = routing.intent?.kernel.programming;
  if (best === undefined || best.source.kind === "local" || nextHop === undefined || policy === undefined) {
    return {};
  }
  const verdict = decideProgramming(policy, best.prefix, nextHop);
  switch (verdict.kind) {
    case "skip":
      return { programming: { kind: "skip", reason: verdict.reason, by: verdict.by } };
    case "tunnel": {
      const end = routing.tunnelEnd(best.prefix, nextHop);
      const other = end === nextHop ? {} : { end: IpAddress.format(end) };
      return { programming: { kind: "tunnel", by: verdict.pool, ...other } };
    }
    case "direct":
      return { programming: { kind: "direct", ...(verdict.pool === undefined ? {} : { by: verdict.pool }) } };
  }
}

function kernelFailure({ status }: Routing, prefix: Prefix): string | undefined {
  const key: RouteKey = routeKey({ destination: prefix, protocol: RouteProtocol.RTPROT_BIRD });
  const failure = status.failures.find((one) => one.key === key);
  if (failure !== undefined) return `the kernel refuses it: ${failure.errno} ${failure.detail}`;
  const waiting = status.waiting.find((one) => one.key === key);
  if (waiting !== undefined) return `its link ${waiting.interfaceName} does not exist`;
  return status.conflicts.some((one) => one.key === key)
    ? "another route that is not ours stands in its place"
    : undefined;
}

/** A route of the node itself, as a speaker that is not ours announces it. */
function ownRoute(prefix: Prefix): PolicyRoute {
  return { prefix, attributes: { origin: Origin.igp, asPath: [] }, source: { kind: "local" } };
}

function exportReports(
  { sessions, resolver }: RouteReportSources,
  intent: BgpIntent,
  best: PolicyRoute,
): readonly ExportReport[] {
  const states = new Map(sessions().map(({ name, state }) => [name, state]));
  return intent.peers
    .filter(
      ({ family, carriesIpv4 }) =>
        family === best.prefix.family || (carriesIpv4 === true && best.prefix.family === 4),
    )
    .map((peer) => {
      const state = states.get(peer.name);
      if (state !== "Established") {
        return { peer: peer.name, isTold: false, because: `the session is ${state ?? "not there"}` };
      }
      const linkOf = (hop: IpAddress): string | undefined => resolver.path(hop)?.interfaceName;
      const { isAccepted, by } = explainExport(intent, peer, best, linkOf);
      return { peer: peer.name, isTold: isAccepted, because: by };
    });
}
