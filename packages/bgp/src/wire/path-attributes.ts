import { type IpAddress, type Ipv4, type Ipv6 } from "@caracal/net";
import { type Origin } from "../iana.ts";
import { type AsPath } from "./as-path.ts";

/** RFC 4271 §5.1.7. */
export interface Aggregator {
  readonly asn: number;
  readonly address: Ipv4;
}

/** RFC 8092 §3: three 32-bit parts. */
export type LargeCommunity = readonly [global: number, local1: number, local2: number];

/** An optional transitive attribute that this speaker does not know, relayed unchanged (RFC 4271 §5). */
export interface OpaqueAttribute {
  /** As received, with the Partial bit set. */
  readonly flags: number;
  readonly code: number;
  readonly value: Uint8Array;
}

/**
 * What a route is worth and where it leads: RFC 4271 §5, less the prefixes. A set is shared by all routes that have it,
 * so it is never changed in place. Absent means not sent.
 */
export interface PathAttributes {
  readonly origin: Origin;
  readonly asPath: AsPath;
  /** From NEXT_HOP or MP_REACH_NLRI; absent on a local route whose next hop is this speaker. */
  readonly nextHop?: IpAddress;
  /** RFC 2545 §3: the second, link-local next hop of IPv6. */
  readonly linkLocalNextHop?: Ipv6;
  readonly med?: number;
  readonly localPref?: number;
  readonly atomicAggregate?: true;
  readonly aggregator?: Aggregator;
  /** As 32-bit numbers, AS in the high half. */
  readonly communities?: readonly number[];
  readonly originatorId?: Ipv4;
  readonly clusterList?: readonly Ipv4[];
  /** Eight bytes each, as one number. */
  readonly extendedCommunities?: readonly bigint[];
  readonly largeCommunities?: readonly LargeCommunity[];
  /** RFC 9234 §5: the AS from which on the route goes to customers only. */
  readonly onlyToCustomer?: number;
  readonly opaque?: readonly OpaqueAttribute[];
  /** Codes of those that a speaker on the way did not know, in order (RFC 4271 §4.3: the Partial bit, never taken back). */
  readonly partial?: readonly number[];
}
