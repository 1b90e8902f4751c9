import { Origin, type PathAttributes, type RouteSnapshot } from "@caracal/bgp";
import type { IpFamily } from "@caracal/net";
import type { BirdBgpAttributes, BirdRoute, BirdVia } from "../bird-snapshot.ts";
import { Preference } from "./local-routes.ts";
import { type NextHopPath, type NextHopPaths, unresolvable } from "./next-hop-paths.ts";

/**
 * The routes that peers brought, none marked as best; what policy or a loop kept out is not in BIRD's table either.
 * `startedAtMs` is the zero of the speaker's clock, in milliseconds since 1970.
 */
export function bgpRoutes(
  routes: Iterable<RouteSnapshot>,
  family: IpFamily,
  paths: NextHopPaths,
  startedAtMs: number,
): BirdRoute[] {
  const shown: BirdRoute[] = [];
  for (const route of routes) {
    const { source, prefix, attributes, from, stale } = route;
    if (prefix.family !== family || source.kind === "local") continue;
    if (["filtered", "looped", "leaked"].includes(route.state)) continue;
    const { via, igpMetric } = pathOf(route, paths);
    shown.push({
      prefix,
      via,
      protocol: source.name,
      source: "BGP",
      sinceMs: startedAtMs + route.sinceS * 1000,
      ...(from === undefined || isGateway(via, from) ? {} : { from }),
      preference: Preference.bgp,
      isBest: false,
      ...(stale ? { isStale: true } : {}),
      igpMetric,
      bgp: bgpAttributes(attributes),
    });
  }
  return shown;
}

/** The speaker's word that there is no way counts, since it is what the speaker acted on. */
function pathOf({ state, attributes }: RouteSnapshot, paths: NextHopPaths): NextHopPath {
  const { nextHop, linkLocalNextHop } = attributes;
  if (state === "unreachable" || nextHop === undefined) return unresolvable;
  return paths.resolve(nextHop, linkLocalNextHop);
}

function isGateway(via: BirdVia, from: RouteSnapshot["from"]): boolean {
  return via.kind === "gateway" && via.gateway === from;
}

const originNames: Readonly<Record<Origin, BirdBgpAttributes["origin"]>> = {
  [Origin.igp]: "IGP",
  [Origin.egp]: "EGP",
  [Origin.incomplete]: "Incomplete",
};

/** BIRD gives every route a local preference, also those of external peers, which send none (RFC 4271 §5.1.5). */
const defaultLocalPref = 100;

function bgpAttributes(value: PathAttributes): BirdBgpAttributes {
  const { nextHop, linkLocalNextHop, med, aggregator, originatorId, clusterList } = value;
  const { communities, extendedCommunities, largeCommunities } = value;
  return {
    origin: originNames[value.origin],
    asPath: value.asPath,
    nextHops: [nextHop, linkLocalNextHop].filter((hop) => hop !== undefined),
    ...(med === undefined ? {} : { med }),
    localPref: value.localPref ?? defaultLocalPref,
    ...(value.atomicAggregate === true ? { isAtomicAggregate: true } : {}),
    ...(aggregator === undefined ? {} : { aggregator }),
    ...(communities === undefined ? {} : { communities: communities.map(communityParts) }),
    ...(extendedCommunities === undefined ? {} : { extendedCommunities }),
    ...(largeCommunities === undefined ? {} : { largeCommunities }),
    ...(originatorId === undefined ? {} : { originatorId }),
    ...(clusterList === undefined ? {} : { clusterList }),
  };
}

/** RFC 1997: the AS in the high half. */
function communityParts(community: number): readonly [number, number] {
  return [community >>> 16, community & 0xffff];
}
