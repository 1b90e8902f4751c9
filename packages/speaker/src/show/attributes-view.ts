import { AsPath, Origin, type PathAttributes, WellKnownCommunity } from "@caracal/bgp";
import { IpAddress, Ipv4, Ipv6 } from "@caracal/net";
import { extendedCommunityText } from "./extended-community-text.ts";

/** What a path is worth and where it leads, as `show` and `-o json` tell it. */
export interface AttributesView {
  /** Absent: ourselves. */
  readonly nextHop?: string;
  /** RFC 2545 §3. */
  readonly linkLocalNextHop?: string;
  readonly origin: "IGP" | "EGP" | "incomplete";
  /** `65001 65002 {1 2}`. */
  readonly asPath: string;
  readonly localPref?: number;
  readonly med?: number;
  readonly communities?: readonly string[];
  /** `rt:65001:100`, `soo:…`, or `0x` with sixteen digits. */
  readonly extendedCommunities?: readonly string[];
  readonly largeCommunities?: readonly string[];
  /** The AS from which on the route goes to customers only (RFC 9234). */
  readonly onlyToCustomer?: number;
  readonly originatorId?: string;
  readonly clusterList?: readonly string[];
  readonly atomicAggregate?: true;
  readonly aggregator?: { readonly asn: number; readonly address: string };
  /** What is relayed without being understood. */
  readonly unknownAttributes?: readonly UnknownAttributeView[];
}

export interface UnknownAttributeView {
  readonly code: number;
  readonly flags: number;
  /** In hexadecimal. */
  readonly value: string;
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
  const { nextHop, linkLocalNextHop, localPref, med, communities, extendedCommunities, largeCommunities } =
    attributes;
  const { onlyToCustomer, originatorId, clusterList, atomicAggregate, aggregator, opaque } = attributes;
  return {
    ...(nextHop === undefined ? {} : { nextHop: IpAddress.format(nextHop) }),
    ...(linkLocalNextHop === undefined ? {} : { linkLocalNextHop: Ipv6.format(linkLocalNextHop) }),
    origin: origins[attributes.origin],
    asPath: AsPath.format(attributes.asPath),
    ...(localPref === undefined ? {} : { localPref }),
    ...(med === undefined ? {} : { med }),
    ...(communities === undefined ? {} : { communities: communities.map(communityText) }),
    ...(extendedCommunities === undefined
      ? {}
      : { extendedCommunities: extendedCommunities.map(extendedCommunityText) }),
    ...(largeCommunities === undefined
      ? {}
      : { largeCommunities: largeCommunities.map((parts) => parts.join(":")) }),
    ...(onlyToCustomer === undefined ? {} : { onlyToCustomer }),
    ...(originatorId === undefined ? {} : { originatorId: Ipv4.format(originatorId) }),
    ...(clusterList === undefined ? {} : { clusterList: clusterList.map(Ipv4.format) }),
    ...(atomicAggregate === undefined ? {} : { atomicAggregate }),
    ...(aggregator === undefined
      ? {}
      : { aggregator: { asn: aggregator.asn, address: Ipv4.format(aggregator.address) } }),
    ...(opaque === undefined
      ? {}
      : {
          unknownAttributes: opaque.map(({ code, flags, value }) => ({ code, flags, value: value.toHex() })),
        }),
  };
}

/** RFC 1997: the AS in the high half. */
function communityText(community: number): string {
  return communityNames.get(community) ?? `${community >>> 16}:${community & 0xffff}`;
}
