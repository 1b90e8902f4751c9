import { IpAddress, type IpFamily, type Ipv4 } from "@caracal/net";
import { AttributeCode, WellKnownCommunity } from "../iana.ts";
import { type PeerFacts } from "../rib/decision.ts";
import { type PeerIndex } from "../rib/route-rows.ts";
import { isKeptFrom } from "./only-to-customer.ts";
import { type StandingExport } from "./standing-export.ts";
import { attributeValue, findAttribute, nextAttribute, wordAt } from "../wire/canonical-attributes.ts";

/**
 * Of each prefix only so many routes: the best of those that rules and policy let through and that are not the peer's own.
 * Which ones these are differs from peer to peer, so that each has a group of its own.
 */
export interface PathLimit {
  readonly member: PeerIndex;
  readonly count: number;
}

/** What peers that are told the same have in common. */
export interface GroupTraits extends StandingExport {
  readonly family: IpFamily;
  readonly external: boolean;
  readonly as4: boolean;
  readonly addPath: boolean;
  /** Absent: all routes of each prefix. */
  readonly limited?: PathLimit;
  /** The least time between two announcements (RFC 4271 §9.2.1.1); absent: none. */
  readonly advertisementIntervalMs?: number;
  /** They take IPv6 next hops of IPv4 routes (RFC 8950). */
  readonly extendedNextHop?: true;
  readonly localAsn: number;
  /** The speaker as next hop; absent when it has no address of this family. */
  readonly selfNextHop: IpAddress | undefined;
  readonly nextHop: "default" | "self" | "keep";
  readonly reflectorClient: boolean;
  readonly clusterId: Ipv4;
  readonly exportPolicy: string;
  /** RFC 8212 §2.2: nothing goes to another AS without a policy. */
  readonly isSilent?: true;
  /** The longest message that they take (RFC 8654 §4). */
  readonly maxMessageBytes: number;
}

/** The sender of a route with what reflection needs; `undefined` is the speaker itself. */
export interface ExportSource extends PeerFacts {
  readonly reflectorClient: boolean;
  /** Its cluster, for a client. */
  readonly clusterId: Ipv4;
  /** Its routes with the BLACKHOLE community discard traffic (RFC 7999). */
  readonly discardsBlackhole: boolean;
}

/** Why a group is not told a route. */
export type ExportRefusal =
  | "no policy"
  | "internal route"
  | "NO_ADVERTISE"
  | "NO_EXPORT"
  | "NO_EXPORT_SUBCONFED"
  | "LLGR_STALE"
  | "only to customers"
  | "export policy"
  | "no next hop"
  | "path limit"
  | "its own route"
  | "its own address";

/** What keeps a route with these attributes, canonical bytes, from a group; `undefined` when it may go. */
export function exportRefusal(
  set: Uint8Array,
  source: ExportSource | undefined,
  traits: GroupTraits,
): ExportRefusal | undefined {
  if (traits.isSilent === true) return "no policy";
  if (traits.role !== undefined && isKeptFrom(set, traits.role)) return "only to customers";
  // RFC 4271 §9.2: what an internal peer said goes to no other one, except by reflection (RFC 4456 §6).
  const isInternalRoute = source !== undefined && !source.external;
  const mayPass = traits.external || !isInternalRoute || source.reflectorClient || traits.reflectorClient;
  return mayPass ? keptBackBy(set, traits) : "internal route";
}

/** RFC 1997: NO_ADVERTISE stays here, NO_EXPORT and, without confederations, NO_EXPORT_SUBCONFED in the AS. */
function keptBackBy(set: Uint8Array, { external, longLived }: GroupTraits): ExportRefusal | undefined {
  const start = findAttribute(set, AttributeCode.communities);
  if (start < 0) return undefined;
  const end = nextAttribute(set, start);
  for (let at = attributeValue(set, start); at < end; at += 4) {
    const community = wordAt(set, at);
    if (community === WellKnownCommunity.noAdvertise) return "NO_ADVERTISE";
    if (community === WellKnownCommunity.llgrStale && longLived === "untold") return "LLGR_STALE";
    if (!external) continue;
    if (community === WellKnownCommunity.noExport) return "NO_EXPORT";
    if (community === WellKnownCommunity.noExportSubconfed) return "NO_EXPORT_SUBCONFED";
  }
  return undefined;
}

/**
 * The next hop that a group is told: "keep" the one that came, or ours, or `undefined` when there is none to tell.
 * RFC 4271 §5.1.3: peers may be far away, so an external one gets our address; an internal one keeps what came.
 * `isChosen`: by the export policy.
 */
export function exportNextHop(
  nextHop: IpAddress | undefined,
  isChosen: boolean,
  traits: GroupTraits,
): "keep" | IpAddress | undefined {
  const keeps = isChosen || traits.nextHop === "keep" || (traits.nextHop === "default" && !traits.external);
  if (keeps && nextHop !== undefined && mayLead(nextHop, traits)) return "keep";
  return traits.selfNextHop;
}

/** RFC 8950 §3: another family's next hop only where both ends can do with it. */
function mayLead(nextHop: IpAddress, { family, extendedNextHop }: GroupTraits): boolean {
  return IpAddress.family(nextHop) === family || (extendedNextHop === true && family === 4);
}
