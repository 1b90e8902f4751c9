import { AsPath, Origin, type RouteSnapshot, WellKnownCommunity } from "@caracal/bgp";
import { IpAddress, Ipv4, Prefix } from "@caracal/net";

/** One path to a prefix, as `show` and `-o json` tell it. */
export interface RouteView {
  readonly prefix: string;
  readonly best: boolean;
  /** valid, unreachable, filtered or looped. */
  readonly state: RouteSnapshot["state"];
  readonly stale: boolean;
  /** The neighbour's name; absent for a route of our own. */
  readonly neighbor?: string;
  /** Absent: ourselves. */
  readonly nextHop?: string;
  readonly pathId: number;
  readonly origin: "IGP" | "EGP" | "incomplete";
  /** `65001 65002 {1 2}`. */
  readonly asPath: string;
  readonly localPref?: number;
  readonly med?: number;
  readonly communities?: readonly string[];
  readonly largeCommunities?: readonly string[];
  readonly originatorId?: string;
  readonly clusterList?: readonly string[];
  readonly since: string;
}

const origins: Readonly<Record<Origin, RouteView["origin"]>> = {
  [Origin.igp]: "IGP",
  [Origin.egp]: "EGP",
  [Origin.incomplete]: "incomplete",
};

const communityNames: ReadonlyMap<number, string> = new Map([
  [WellKnownCommunity.noExport, "no-export"],
  [WellKnownCommunity.noAdvertise, "no-advertise"],
  [WellKnownCommunity.noExportSubconfed, "no-export-subconfed"],
  [WellKnownCommunity.llgrStale, "llgr-stale"],
  [WellKnownCommunity.noLlgr, "no-llgr"],
  [WellKnownCommunity.gracefulShutdown, "graceful-shutdown"],
  [WellKnownCommunity.blackhole, "blackhole"],
]);

export function routeView(route: RouteSnapshot): RouteView {
  const { source, attributes, prefix, best, state, stale, pathId } = route;
  const { nextHop, localPref, med, communities, largeCommunities, originatorId, clusterList } = attributes;
  return {
    prefix: Prefix.format(prefix),
    best,
    state,
    stale,
    ...(source.kind === "peer" ? { neighbor: source.name } : {}),
    ...(nextHop === undefined ? {} : { nextHop: IpAddress.format(nextHop) }),
    pathId,
    origin: origins[attributes.origin],
    asPath: AsPath.format(attributes.asPath),
    ...(localPref === undefined ? {} : { localPref }),
    ...(med === undefined ? {} : { med }),
    ...(communities === undefined ? {} : { communities: communities.map(communityText) }),
    ...(largeCommunities === undefined
      ? {}
      : { largeCommunities: largeCommunities.map((parts) => parts.join(":")) }),
    ...(originatorId === undefined ? {} : { originatorId: Ipv4.format(originatorId) }),
    ...(clusterList === undefined ? {} : { clusterList: clusterList.map(Ipv4.format) }),
    since: new Date(route.sinceS * 1000).toISOString(),
  };
}

/** RFC 1997: the AS in the high half. */
function communityText(community: number): string {
  return communityNames.get(community) ?? `${community >>> 16}:${community & 0xffff}`;
}
