import { IpAddress, type IpFamily, type Ipv4 } from "@caracal/net";
import { WellKnownCommunity } from "../iana.ts";
import { type PeerFacts, defaultLocalPref } from "../rib/decision.ts";
import { AsPath } from "../wire/as-path.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";

/** What peers that are told the same have in common. */
export interface GroupTraits {
  readonly family: IpFamily;
  readonly external: boolean;
  readonly as4: boolean;
  readonly addPath: boolean;
  readonly localAsn: number;
  /** The speaker as next hop; absent when it has no address of this family. */
  readonly selfNextHop: IpAddress | undefined;
  readonly nextHop: "default" | "self" | "keep";
  readonly reflectorClient: boolean;
  readonly clusterId: Ipv4;
  readonly exportPolicy: string;
}

/** The sender of a route with what reflection needs; `undefined` is the speaker itself. */
export interface ExportSource extends PeerFacts {
  readonly reflectorClient: boolean;
}

/** Whether a route may go to a group at all. */
export function mayExport(
  value: PathAttributes,
  source: ExportSource | undefined,
  traits: GroupTraits,
): boolean {
  // RFC 1997: NO_ADVERTISE stays here, NO_EXPORT and, without confederations, NO_EXPORT_SUBCONFED in the AS.
  for (const community of value.communities ?? []) {
    if (community === WellKnownCommunity.noAdvertise) return false;
    if (!traits.external) continue;
    if (community === WellKnownCommunity.noExport || community === WellKnownCommunity.noExportSubconfed) {
      return false;
    }
  }
  // RFC 4271 §9.2: what an internal peer said goes to no other one, except by reflection (RFC 4456 §6).
  const isInternalRoute = source !== undefined && !source.external;
  return traits.external || !isInternalRoute || source.reflectorClient || traits.reflectorClient;
}

/**
 * The attributes as a group is told them (RFC 4271 §5.1, RFC 4456 §8), or `undefined` when there is no next hop to
 * tell. `accepted` is the route before the export policy.
 */
export function exportAttributes(
  value: PathAttributes,
  accepted: PathAttributes,
  source: ExportSource | undefined,
  traits: GroupTraits,
): PathAttributes | undefined {
  const nextHop = exportNextHop(value, traits);
  if (nextHop === undefined) return undefined;
  return traits.external
    ? toExternal(value, accepted, source, traits, nextHop)
    : toInternal(value, source, traits, nextHop);
}

interface NextHopPair {
  readonly nextHop: IpAddress;
  readonly linkLocalNextHop?: PathAttributes["linkLocalNextHop"] & bigint;
}

/** RFC 4271 §5.1.3: peers may be far away, so an external one gets our address; an internal one keeps what came. */
function exportNextHop(value: PathAttributes, traits: GroupTraits): NextHopPair | undefined {
  const keeps = traits.nextHop === "keep" || (traits.nextHop === "default" && !traits.external);
  const { nextHop, linkLocalNextHop } = value;
  if (keeps && nextHop !== undefined && IpAddress.family(nextHop) === traits.family) {
    return linkLocalNextHop === undefined ? { nextHop } : { nextHop, linkLocalNextHop };
  }
  return traits.selfNextHop === undefined ? undefined : { nextHop: traits.selfNextHop };
}

function toExternal(
  value: PathAttributes,
  accepted: PathAttributes,
  source: ExportSource | undefined,
  traits: GroupTraits,
  hop: NextHopPair,
): PathAttributes {
  const {
    localPref: _localPref,
    originatorId: _originatorId,
    clusterList: _clusterList,
    linkLocalNextHop: _linkLocal,
    med,
    extendedCommunities,
    ...rest
  } = value;
  // RFC 4271 §5.1.4: a MED learned from one AS is not told to the next; one that policy set is.
  const ownMed = source === undefined || med !== accepted.med ? med : undefined;
  // RFC 4360 §6: non-transitive communities stay in the AS.
  const crossing = extendedCommunities?.filter((one) => ((one >> 62n) & 1n) === 0n) ?? [];
  return {
    ...rest,
    ...hop,
    ...(ownMed === undefined ? {} : { med: ownMed }),
    ...(crossing.length === 0 ? {} : { extendedCommunities: crossing }),
    asPath: AsPath.prepend(value.asPath, traits.localAsn),
  };
}

function toInternal(
  value: PathAttributes,
  source: ExportSource | undefined,
  traits: GroupTraits,
  hop: NextHopPair,
): PathAttributes {
  const { linkLocalNextHop: _linkLocal, ...rest } = value;
  const told = { ...rest, ...hop, localPref: value.localPref ?? defaultLocalPref };
  if (source === undefined || source.external) return told;
  return {
    ...told,
    originatorId: value.originatorId ?? source.routerId,
    clusterList: [traits.clusterId, ...(value.clusterList ?? [])],
  };
}
