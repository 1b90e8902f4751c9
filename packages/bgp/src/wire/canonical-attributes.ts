import { IpAddress, Reader, type Writer } from "@caracal/net";
import { Afi, AttributeCode, AttributeFlag, Safi } from "../iana.ts";
import { decodeAttributes } from "./attribute-decoder.ts";
import { encodeAttributes, encodeNextHop } from "./attribute-encoder.ts";
import { type PathAttributes } from "./path-attributes.ts";

/**
 * The one form in which an attribute set is kept as bytes; equal sets have equal bytes. It is the attribute list of an
 * UPDATE with four-octet AS numbers, ordered by code with unknown attributes last, and so can be sent as it is:
 *
 *     | ORIGIN | AS_PATH | NEXT_HOP, if IPv4 | … | MP_REACH_NLRI without prefixes, if the next hop is IPv6 |
 */
export function encodeCanonical(writer: Writer, value: PathAttributes): void {
  encodeAttributes(writer, value, true);
  if (value.nextHop !== undefined && !IpAddress.isIpv4(value.nextHop)) encodeNextHopOnly(writer, value);
}

/** The set that canonical bytes stand for. They have been checked before, so a fault is ours. */
export function decodeCanonical(bytes: Uint8Array): PathAttributes {
  const { value, mpReach, faults } = decodeAttributes(new Reader(bytes), internalContext);
  const { origin, asPath, ...rest } = value;
  if (origin === undefined || asPath === undefined || faults.length > 0) {
    throw new RangeError(`attribute bytes are not canonical: ${bytes.toHex()}`);
  }
  if (mpReach === undefined) return { ...rest, origin, asPath };
  const { nextHop, linkLocalNextHop } = mpReach;
  return {
    ...rest,
    origin,
    asPath,
    nextHop,
    ...(linkLocalNextHop === undefined ? {} : { linkLocalNextHop }),
  };
}

/** Appends MP_REACH_NLRI (RFC 4760 §3) for IPv6 without prefixes. Its length has two octets, so that it can be set once prefixes follow. */
export function encodeNextHopOnly(
  writer: Writer,
  value: Pick<PathAttributes, "nextHop" | "linkLocalNextHop">,
): void {
  writer.u8(AttributeFlag.optional | AttributeFlag.extendedLength);
  writer.u8(AttributeCode.mpReachNlri);
  writer.u16(0);
  const start = writer.length;
  writer.u16(Afi.ipv6);
  writer.u8(Safi.unicast);
  encodeNextHop(writer, value);
  writer.u8(0);
  writer.patchU16(start - 2, writer.length - start);
}

/** Where the attribute after the one at `at` starts. */
export function nextAttribute(bytes: Uint8Array, at: number): number {
  const isLong = ((bytes[at] ?? 0) & AttributeFlag.extendedLength) !== 0;
  return isLong
    ? at + 4 + (((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0))
    : at + 3 + (bytes[at + 2] ?? 0);
}

/** Where the value of the attribute at `at` starts. */
export function attributeValue(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) & AttributeFlag.extendedLength) === 0 ? at + 3 : at + 4;
}

/** Where the attribute of this code starts, or -1. */
export function findAttribute(bytes: Uint8Array, code: number): number {
  for (let at = 0; at < bytes.length; at = nextAttribute(bytes, at)) if (bytes[at + 1] === code) return at;
  return -1;
}

/** Whether a standard community is in the set (RFC 1997). */
export function hasCommunity(bytes: Uint8Array, community: number): boolean {
  const start = findAttribute(bytes, AttributeCode.communities);
  if (start < 0) return false;
  const end = nextAttribute(bytes, start);
  for (let at = attributeValue(bytes, start); at < end; at += 4)
    if (wordAt(bytes, at) === community) return true;
  return false;
}

/** Network order. */
export function wordAt(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16);
  return (high | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0;
}

/** Attributes of the own AS are in it. */
const internalContext = { as4: true, external: false, addPath: [], isOwn: true } as const;
