import { Ipv4 } from "@caracal/net";
import { WellKnownCommunity } from "../iana.ts";
import { type LargeCommunity, type PathAttributes } from "../wire/path-attributes.ts";

/** One community, or with parts left open several. Extended ones are eight bytes as a number, as in `PathAttributes`. */
export type CommunityPattern =
  | { readonly kind: "standard"; readonly bits: number; readonly mask: number }
  | { readonly kind: "extended"; readonly bits: bigint; readonly mask: bigint }
  | { readonly kind: "large"; readonly bits: LargeCommunity; readonly openParts: 0 | 1 | 2 };

/** RFC 1997, 7999, 8326, 9494: communities with names. */
const names: ReadonlyMap<string, number> = new Map([
  ["no-export", WellKnownCommunity.noExport],
  ["no-advertise", WellKnownCommunity.noAdvertise],
  ["no-export-subconfed", WellKnownCommunity.noExportSubconfed],
  ["graceful-shutdown", WellKnownCommunity.gracefulShutdown],
  ["llgr-stale", WellKnownCommunity.llgrStale],
  ["no-llgr", WellKnownCommunity.noLlgr],
  ["blackhole", WellKnownCommunity.blackhole],
]);

/** RFC 4360 §4 and §5. */
const extendedSubtypes: ReadonlyMap<string, bigint> = new Map([
  ["rt", 0x02n],
  ["soo", 0x03n],
]);

/** The forms that a filter may use; `undefined` for any other text. */
export function parseCommunity(text: string): CommunityPattern | undefined {
  const named = names.get(text);
  if (named !== undefined) return { kind: "standard", bits: named, mask: 0xffffffff };
  if (/^0x[0-9a-fA-F]{16}$/.test(text)) {
    return { kind: "extended", bits: BigInt(text), mask: everyBit };
  }
  const [first = "", ...rest] = text.split(":");
  const subtype = extendedSubtypes.get(first);
  if (subtype !== undefined) return extended(subtype, rest);
  const parts = [first, ...rest].map(part);
  if (parts.length === 2) return standard(parts);
  return parts.length === 3 ? large(parts) : undefined;
}

/** Whether it names one community: only such can be added. */
export function isExact(pattern: CommunityPattern): boolean {
  switch (pattern.kind) {
    case "standard":
      return pattern.mask === 0xffffffff;
    case "extended":
      return pattern.mask === everyBit;
    case "large":
      return pattern.openParts === 0;
  }
}

export function coversStandard(pattern: CommunityPattern, community: number): boolean {
  return pattern.kind === "standard" && (community & pattern.mask) >>> 0 === pattern.bits;
}

export function coversExtended(pattern: CommunityPattern, community: bigint): boolean {
  return pattern.kind === "extended" && (community & pattern.mask) === pattern.bits;
}

export function coversLarge(pattern: CommunityPattern, community: LargeCommunity): boolean {
  if (pattern.kind !== "large" || community[0] !== pattern.bits[0]) return false;
  if (pattern.openParts < 2 && community[1] !== pattern.bits[1]) return false;
  return pattern.openParts > 0 || community[2] === pattern.bits[2];
}

/** Whether a route carries a community that the pattern covers. */
export function carries(value: PathAttributes, pattern: CommunityPattern): boolean {
  switch (pattern.kind) {
    case "standard":
      return value.communities?.some((one) => coversStandard(pattern, one)) === true;
    case "extended":
      return value.extendedCommunities?.some((one) => coversExtended(pattern, one)) === true;
    case "large":
      return value.largeCommunities?.some((one) => coversLarge(pattern, one)) === true;
  }
}

/** All communities of a route in the forms that `parseCommunity` reads. */
export function formatCommunities(value: PathAttributes): string {
  return [
    ...(value.communities ?? []).map((one) => `${one >>> 16}:${one & 0xffff}`),
    ...(value.extendedCommunities ?? []).map((one) => `0x${one.toString(16).padStart(16, "0")}`),
    ...(value.largeCommunities ?? []).map((one) => one.join(":")),
  ].join(" ");
}

const everyBit = 0xffffffffffffffffn;

/** A number of 32 bits, "*", or `undefined`. */
function part(text: string): number | "*" | undefined {
  if (text === "*") return text;
  if (!/^(0|[1-9][0-9]{0,9})$/.test(text)) return undefined;
  const value = Number(text);
  return value <= 0xffffffff ? value : undefined;
}

/** RFC 1997: | AS u16 | value u16 |. */
function standard(parts: readonly (number | "*" | undefined)[]): CommunityPattern | undefined {
  const [asn, value] = parts;
  if (typeof asn !== "number" || asn > 0xffff || value === undefined) return undefined;
  if (value === "*") return { kind: "standard", bits: asn * 0x10000, mask: 0xffff0000 };
  return value > 0xffff ? undefined : { kind: "standard", bits: asn * 0x10000 + value, mask: 0xffffffff };
}

/** RFC 8092 §3: three parts of 32 bits. */
function large(parts: readonly (number | "*" | undefined)[]): CommunityPattern | undefined {
  const [global, local1, local2] = parts;
  if (typeof global !== "number" || local1 === undefined || local2 === undefined) return undefined;
  if (local1 === "*") {
    return local2 === "*" ? { kind: "large", bits: [global, 0, 0], openParts: 2 } : undefined;
  }
  if (local2 === "*") return { kind: "large", bits: [global, local1, 0], openParts: 1 };
  return { kind: "large", bits: [global, local1, local2], openParts: 0 };
}

/**
 * RFC 4360 §3 and RFC 5668 §2: | type u8 | subtype u8 | administrator | value |. The administrator is an AS of two octets
 * (type 0) or four (2), or an address (1); the value has what six octets leave.
 */
function extended(subtype: bigint, texts: readonly string[]): CommunityPattern | undefined {
  const [administrator = "", valueText = ""] = texts;
  if (texts.length !== 2) return undefined;
  const address = Ipv4.parse(administrator);
  const found = address ?? part(administrator);
  const value = part(valueText);
  if (typeof found !== "number" || value === undefined) return undefined;
  const isWide = address !== undefined || found > 0xffff;
  const type = address === undefined ? (isWide ? 2n : 0n) : 1n;
  const valueBits = isWide ? 16n : 32n;
  const limit = (1n << valueBits) - 1n;
  if (value !== "*" && BigInt(value) > limit) return undefined;
  const head = (type << 56n) | (subtype << 48n) | (BigInt(found) << valueBits);
  return value === "*"
    ? { kind: "extended", bits: head, mask: everyBit ^ limit }
    : { kind: "extended", bits: head | BigInt(value), mask: everyBit };
}
