import { Reader, Writer } from "@caracal/net";
import { SegmentType, asTrans } from "../iana.ts";

/** RFC 4271 §4.3: a sequence is ordered, a set is not. */
export interface AsSegment {
  readonly kind: "sequence" | "set";
  readonly asns: readonly number[];
}

/** The nearest AS first. Empty for a route of this AS. */
export type AsPath = readonly AsSegment[];

const maxSegmentAsns = 255;

export const AsPath: {
  /** RFC 4271 §9.1.2.2 a: a set counts as one. */
  readonly length: (path: AsPath) => number;
  /** How often `asn` occurs. */
  readonly count: (path: AsPath, asn: number) => number;
  /** The AS that the route came from, or 0 for none or a set: what MED comparison groups by. */
  readonly neighbor: (path: AsPath) => number;
  /** The AS that the route started in, or `undefined` for an empty path and for one that ends in a set. */
  readonly origin: (path: AsPath) => number | undefined;
  readonly prepend: (path: AsPath, asn: number) => AsPath;
  /** `65001 65002 {1 2}`. */
  readonly format: (path: AsPath) => string;
} = {
  length: (path) => path.reduce((sum, one) => sum + (one.kind === "set" ? 1 : one.asns.length), 0),
  count: (path, asn) =>
    path.reduce((sum, one) => sum + one.asns.reduce((found, a) => found + (a === asn ? 1 : 0), 0), 0),
  neighbor: (path) => (path[0]?.kind === "sequence" ? (path[0].asns[0] ?? 0) : 0),
  origin: (path) => {
    const last = path.at(-1);
    return last?.kind === "sequence" ? last.asns.at(-1) : undefined;
  },
  prepend: (path, asn) => {
    const [first, ...rest] = path;
    // RFC 4271 §5.1.2: a full or unordered first segment gets a new sequence in front.
    return first?.kind === "sequence" && first.asns.length < maxSegmentAsns
      ? [{ kind: "sequence", asns: [asn, ...first.asns] }, ...rest]
      : [{ kind: "sequence", asns: [asn] }, ...path];
  },
  format: (path) =>
    path.map((one) => (one.kind === "set" ? `{${one.asns.join(" ")}}` : one.asns.join(" "))).join(" "),
};

/**
 * Takes all that `reader` has left: segments of | type u8 | count u8 | count × AS |. An unknown type, an empty segment
 * and a confederation segment (RFC 5065 §5: refused outside a confederation) throw as the reader blames.
 */
export function decodeAsPath(reader: Reader, as4: boolean): AsPath {
  const path: AsSegment[] = [];
  while (reader.remaining > 0) {
    const type = reader.u8();
    const count = reader.u8();
    if (type !== SegmentType.asSequence && type !== SegmentType.asSet) reader.fail(`AS segment type ${type}`);
    if (count === 0) reader.fail("an empty AS segment");
    const asns: number[] = [];
    for (let index = 0; index < count; index += 1) asns.push(as4 ? reader.u32() : reader.u16());
    // RFC 7607 §2: AS 0 in a path makes it malformed.
    if (asns.includes(0)) reader.fail("AS 0 in a path");
    path.push({ kind: type === SegmentType.asSet ? "set" : "sequence", asns });
  }
  return path;
}

/**
 * AS4_PATH. RFC 6793 §6: one that is cut off or empty is malformed, and confederation segments, which have no business
 * there, are left out.
 */
export function decodeAs4Path(reader: Reader): AsPath {
  if (reader.remaining === 0) reader.fail("empty");
  const kept = new Writer();
  while (reader.remaining > 0) {
    const [type = 0, count = 0] = reader.peek(Math.min(2, reader.remaining));
    const segment = reader.bytes(2 + count * 4);
    const isConfederation = type === SegmentType.confedSequence || type === SegmentType.confedSet;
    if (!isConfederation) kept.bytes(segment);
    else if (count === 0) reader.fail("an empty AS segment");
  }
  return decodeAsPath(new Reader(kept.finish()), true);
}

export function encodeAsPath(writer: Writer, path: AsPath, as4: boolean): void {
  for (const { kind, asns } of path) {
    for (let start = 0; start < asns.length; start += maxSegmentAsns) {
      const part = asns.slice(start, start + maxSegmentAsns);
      writer.u8(kind === "set" ? SegmentType.asSet : SegmentType.asSequence);
      writer.u8(part.length);
      for (const asn of part) {
        if (as4) writer.u32(asn);
        else writer.u16(toTwoOctets(asn));
      }
    }
  }
}

/** Whether a two-octet peer needs AS4_PATH beside the path (RFC 6793 §4.2.2). */
export function needsAs4Path(path: AsPath): boolean {
  return path.some((one) => one.asns.some((asn) => asn > 0xffff));
}

/** RFC 6793 §9: a number that does not fit becomes AS_TRANS. */
export function toTwoOctets(asn: number): number {
  return asn > 0xffff ? asTrans : asn;
}

/**
 * RFC 6793 §4.2.3: what a two-octet speaker relayed in AS4_PATH replaces the end of AS_PATH; the speakers since then
 * stand only in AS_PATH. A longer AS4_PATH than AS_PATH is ignored.
 */
export function mergeAs4Path(path: AsPath, as4Path: AsPath): AsPath {
  let leading = AsPath.length(path) - AsPath.length(as4Path);
  if (leading < 0) return path;
  const merged: AsSegment[] = [];
  for (const one of path) {
    if (leading <= 0) break;
    const isSet = one.kind === "set";
    merged.push(isSet ? one : { kind: "sequence", asns: one.asns.slice(0, leading) });
    leading -= isSet ? 1 : one.asns.length;
  }
  return joinSequences([...merged, ...as4Path]);
}

/** Adjoining sequences are one path; kept together, the same path has one form and is interned once. */
function joinSequences(path: AsPath): AsPath {
  const joined: { kind: AsSegment["kind"]; asns: number[] }[] = [];
  for (const { kind, asns } of path) {
    const last = joined.at(-1);
    // In place: a path may have as many segments as fit a message.
    if (last?.kind === "sequence" && kind === "sequence") last.asns.push(...asns);
    else joined.push({ kind, asns: [...asns] });
  }
  return joined;
}
