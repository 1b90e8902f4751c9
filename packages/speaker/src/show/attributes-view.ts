import { AsPath, Origin, type PathAttributes, WellKnownCommunity } from "@caracal/bgp";
import { IpAddress, Ipv4 } from "@caracal/net";

/** What a path is worth and where it leads, as `show` and `-o json` tell it. */
export interface AttributesView {
  /** Absent: ourselves. */
  readonly nextHop?: string;
  readonly origin: "IGP" | "EGP" | "incomplete";
  /** `65001 65002 {1 2}`. */
  readonly asPath: string;
  readonly localPref?: number;
  readonly med?: number;
  readonly communities?: readonly string[];
  /** Sixteen hexadecimal digits each. */
  readonly extendedCommunities?: readonly string[];
  readonly largeCommunities?: readonly string[];
  /** The AS from which on the route goes to customers only (RFC 9234). */
  readonly onlyToCustomer?: number;
  readonly originatorId?: string;
  readonly clusterList?: readonly string[];
}

const origins: Readonly<Record<Origin, AttributesView["origin"]>> = {
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

export function attributesView(attributes: PathAttributes): AttributesView {
  const { nextHop, localPref, med, communities, extendedCommunities, largeCommunities } = attributes;
  const { onlyToCustomer, originatorId, clusterList } = attributes;
  return {
    ...(nextHop === undefined ? {} : { nextHop: IpAddress.format(nextHop) }),
    origin: origins[attributes.origin],
    asPath: AsPath.format(attributes.asPath),
    ...(localPref === undefined ? {} : { localPref }),
    ...(med === undefined ? {} : { med }),
    ...(communities === undefined ? {} : { communities: communities.map(communityText) }),
    ...(extendedCommunities === undefined
      ? {}
      : { extendedCommunities: extendedCommunities.map((one) => `0x${one.toString(16).padStart(16, "0")}`) }),
    ...(largeCommunities === undefined
      ? {}
      : { largeCommunities: largeCommunities.map((parts) => parts.join(":")) }),
    ...(onlyToCustomer === undefined ? {} : { onlyToCustomer }),
    ...(originatorId === undefined ? {} : { originatorId: Ipv4.format(originatorId) }),
    ...(clusterList === undefined ? {} : { clusterList: clusterList.map(Ipv4.format) }),
  };
}

/** RFC 1997: the AS in the high half. */
function communityText(community: number): string {
  return communityNames.get(community) ?? `${community >>> 16}:${community & 0xffff}`;
}
