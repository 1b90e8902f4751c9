import { IpAddress, type IpFamily, type Writer } from "@caracal/net";
import { Afi, AttributeCode, AttributeFlag, Safi } from "../iana.ts";
import { encodeAsPath, needsAs4Path, toTwoOctets } from "./as-path.ts";
import { type PathAttributes } from "./path-attributes.ts";

/** RFC 4271 §4.3: Well-known, and optional with and without Transitive. */
const wellKnown = AttributeFlag.transitive;
const transitive = AttributeFlag.optional | AttributeFlag.transitive;
const nonTransitive = AttributeFlag.optional;

/**
 * Appends every attribute but MP_REACH_NLRI, ordered by code, and unknown ones last. `as4`: the receiver reads
 * four-octet AS numbers.
 */
export function encodeAttributes(writer: Writer, value: PathAttributes, as4: boolean): void {
  attribute(writer, wellKnown, AttributeCode.origin, () => writer.u8(value.origin));
  attribute(writer, wellKnown, AttributeCode.asPath, () => encodeAsPath(writer, value.asPath, as4));
  const { nextHop } = value;
  if (nextHop !== undefined && IpAddress.isIpv4(nextHop)) {
    attribute(writer, wellKnown, AttributeCode.nextHop, () => writer.u32(nextHop));
  }
  encodeNumber(writer, nonTransitive, AttributeCode.multiExitDisc, value.med);
  encodeNumber(writer, wellKnown, AttributeCode.localPref, value.localPref);
  if (value.atomicAggregate === true) {
    attribute(writer, wellKnown, AttributeCode.atomicAggregate, () => undefined);
  }
  encodeAggregator(writer, value, as4);
  const { communities } = AttributeCode;
  encodeNumbers(writer, transitiveFlags(value, communities), communities, value.communities);
  encodeNumber(writer, nonTransitive, AttributeCode.originatorId, value.originatorId);
  encodeNumbers(writer, nonTransitive, AttributeCode.clusterList, value.clusterList);
  encodeLaterCommunities(writer, value);
  const { onlyToCustomer } = AttributeCode;
  encodeNumber(writer, transitiveFlags(value, onlyToCustomer), onlyToCustomer, value.onlyToCustomer);
  for (const opaque of value.opaque ?? []) {
    attribute(writer, opaque.flags, opaque.code, () => writer.bytes(opaque.value));
  }
}

/** Appends MP_UNREACH_NLRI (RFC 4760 §4): | AFI u16 | SAFI u8 | prefixes |. */
export function encodeMpUnreach(writer: Writer, family: IpFamily, writeNlri: () => void): void {
  attribute(writer, nonTransitive | AttributeFlag.extendedLength, AttributeCode.mpUnreachNlri, () => {
    writer.u16(family === 4 ? Afi.ipv4 : Afi.ipv6);
    writer.u8(Safi.unicast);
    writeNlri();
  });
}

/** | length u8 | next hop, and for IPv6 perhaps the link-local one (RFC 2545 §3) | */
export function encodeNextHop(
  writer: Writer,
  value: Pick<PathAttributes, "nextHop" | "linkLocalNextHop">,
): void {
  const bytes = value.nextHop === undefined ? new Uint8Array(0) : IpAddress.toBytes(value.nextHop);
  const linkLocal =
    value.linkLocalNextHop === undefined ? new Uint8Array(0) : IpAddress.toBytes(value.linkLocalNextHop);
  writer.u8(bytes.length + linkLocal.length);
  writer.bytes(bytes);
  writer.bytes(linkLocal);
}

/** | flags u8 | code u8 | length u8, or u16 with the Extended Length flag | value | */
function attribute(writer: Writer, flags: number, code: number, write: () => void): void {
  const start = writer.length;
  writer.u8(flags);
  writer.u8(code);
  const isLong = (flags & AttributeFlag.extendedLength) !== 0;
  if (isLong) writer.u16(0);
  else writer.u8(0);
  const valueAt = writer.length;
  write();
  const length = writer.length - valueAt;
  if (isLong) {
    writer.patchU16(start + 2, length);
    return;
  }
  if (length <= 255) {
    writer.patchU8(start + 2, length);
    return;
  }
  // Only now is it known to be long: written anew with the two-octet length.
  writer.truncate(start);
  attribute(writer, flags | AttributeFlag.extendedLength, code, write);
}

function encodeNumber(writer: Writer, flags: number, code: number, value: number | undefined): void {
  if (value !== undefined) attribute(writer, flags, code, () => writer.u32(value));
}

function encodeNumbers(
  writer: Writer,
  flags: number,
  code: number,
  values: readonly number[] | undefined,
): void {
  if (values === undefined || values.length === 0) return;
  attribute(writer, flags, code, () => {
    for (const value of values) writer.u32(value);
  });
}

/** RFC 4271 §5: a Partial bit that came with an attribute goes with it. */
function transitiveFlags({ partial }: PathAttributes, code: number): number {
  return partial?.includes(code) === true ? transitive | AttributeFlag.partial : transitive;
}

function encodeAggregator(writer: Writer, value: PathAttributes, as4: boolean): void {
  const { aggregator } = value;
  if (aggregator === undefined) return;
  attribute(writer, transitiveFlags(value, AttributeCode.aggregator), AttributeCode.aggregator, () => {
    if (as4) writer.u32(aggregator.asn);
    else writer.u16(toTwoOctets(aggregator.asn));
    writer.u32(aggregator.address);
  });
}

/** Attributes with codes from 16 on, with those that carry four-octet numbers past a two-octet peer. */
function encodeLaterCommunities(writer: Writer, value: PathAttributes): void {
  const { extendedCommunities, largeCommunities } = value;
  if (extendedCommunities !== undefined && extendedCommunities.length > 0) {
    const code = AttributeCode.extendedCommunities;
    attribute(writer, transitiveFlags(value, code), code, () => {
      for (const community of extendedCommunities) writer.u64(community);
    });
  }
  if (largeCommunities !== undefined && largeCommunities.length > 0) {
    const code = AttributeCode.largeCommunities;
    attribute(writer, transitiveFlags(value, code), code, () => {
      for (const parts of largeCommunities) for (const part of parts) writer.u32(part);
    });
  }
}

/** Appends AS4_PATH and AS4_AGGREGATOR where a two-octet peer needs them (RFC 6793 §4.2.2). */
export function encodeAs4Attributes(writer: Writer, value: PathAttributes): void {
  if (needsAs4Path(value.asPath)) {
    attribute(writer, transitive, AttributeCode.as4Path, () => encodeAsPath(writer, value.asPath, true));
  }
  const { aggregator } = value;
  if (aggregator !== undefined && aggregator.asn > 0xffff) {
    attribute(writer, transitive, AttributeCode.as4Aggregator, () => {
      writer.u32(aggregator.asn);
      writer.u32(aggregator.address);
    });
  }
}
