import type { BgpBelief } from "@caracal/testbed";

/** A route of the feeder: what a router should believe of it, less who said it, and its path attributes in bytes. */
export interface FeederRoute {
  readonly belief: Omit<BgpBelief, "from" | "nextHop">;
  /** All attributes but NEXT_HOP, encoded. */
  readonly attributes: Buffer;
  readonly nlri: Buffer;
}

/** How much the feeder says. */
export interface FeederSize {
  readonly count: number;
  /** Also attributes of hundreds of bytes. */
  readonly isLong: boolean;
}

export const feederAsn = 65099;
/** Prefixes that say the same. */
const perSet = 7;
const origins = ["IGP", "EGP", "incomplete"] as const;

/** `count` different prefixes with attributes of many kinds, always the same ones. */
export function feederTable({ count, isLong }: FeederSize): readonly FeederRoute[] {
  return Array.from({ length: count }, (_, index) => {
    const set = Math.floor(index / perSet);
    return { ...attributeSet(set, isLong), nlri: nlri(index) };
  }).map(({ said, attributes, nlri: bytes }, index) => ({
    belief: { prefix: prefixText(index), best: true, ...said },
    attributes,
    nlri: bytes,
  }));
}

function prefixText(index: number): string {
  return `${11 + Math.floor(index / 16_384)}.${(index >> 6) & 255}.${(index & 63) << 2}.0/${22 + (index % 3)}`;
}

/** RFC 4271 §4.3: length in bits, then as many bytes as hold them. */
function nlri(index: number): Buffer {
  const [address = "", length = "0"] = prefixText(index).split("/");
  return Buffer.from([Number(length), ...address.split(".").slice(0, 3).map(Number)]);
}

type Said = Omit<BgpBelief, "prefix" | "from" | "nextHop" | "best">;

function attributeSet(set: number, isLong: boolean): { readonly said: Said; readonly attributes: Buffer } {
  const path = Array.from({ length: set % 5 }, (_, hop) =>
    hop % 2 === 0 ? 3000 + set + hop : 4_200_000_000 + set,
  );
  const asSet = set % 11 === 0 ? [5000 + set, 5001 + set] : [];
  const med = set % 3 === 0 ? set : undefined;
  const communities = Array.from({ length: (set % 4) * (isLong && set % 50 === 3 ? 40 : 2) }, (_, at) => [
    64_500 + (set % 90),
    1000 + at,
  ]);
  const large = Array.from({ length: set % 3 }, (_, at) => [4_200_000_000 + set, at, 0xffffffff]);
  const targets = Array.from({ length: set % 2 }, () => [64_512, set]);
  const unknown = set % 6 === 1 ? Buffer.alloc(1 + (set % (isLong ? 400 : 40)), set & 255) : undefined;
  const aggregator = set % 9 === 2;
  const origin = set % 3;
  const said: Said = {
    origin: origins[origin] ?? "IGP",
    asPath: [feederAsn, ...path, ...(asSet.length === 0 ? [] : [`{${asSet.join(" ")}}`])].join(" "),
    ...(med === undefined ? {} : { med }),
    ...(communities.length === 0 ? {} : { communities: texts(communities) }),
    ...(targets.length === 0 ? {} : { extendedCommunities: texts(targets).map((one) => `rt:${one}`) }),
    ...(large.length === 0 ? {} : { largeCommunities: texts(large) }),
    ...(aggregator ? { aggregator: `10.9.9.9 AS${4_200_000_000 + set}` } : {}),
    ...(unknown === undefined ? {} : { unknown: [`213:${unknown.toString("hex")}`] }),
  };
  const attributes = Buffer.concat([
    attribute(0x40, 1, Buffer.from([origin])),
    attribute(0x40, 2, Buffer.concat([segment(2, [feederAsn, ...path]), segment(1, asSet)])),
    ...(med === undefined ? [] : [attribute(0x80, 4, words([med]))]),
    ...(aggregator
      ? [attribute(0x40, 6, Buffer.alloc(0)), attribute(0xc0, 7, words([4_200_000_000 + set, 0x0a090909]))]
      : []),
    ...(communities.length === 0 ? [] : [attribute(0xc0, 8, halves(communities.flat()))]),
    ...(targets.length === 0
      ? []
      : [attribute(0xc0, 16, Buffer.concat([Buffer.from([0, 2]), halves([64_512]), words([set])]))]),
    ...(large.length === 0 ? [] : [attribute(0xc0, 32, words(large.flat()))]),
    ...(unknown === undefined ? [] : [attribute(0xc0, 213, unknown)]),
  ]);
  return { said, attributes };
}

function texts(parts: readonly (readonly number[])[]): readonly string[] {
  return parts.map((one) => one.join(":")).toSorted();
}

/** RFC 4271 §4.3: flags, code, one or two bytes of length, value. */
export function attribute(flags: number, code: number, value: Buffer): Buffer {
  const long = value.length > 255;
  const head = long
    ? [flags | 0x10, code, value.length >> 8, value.length & 255]
    : [flags, code, value.length];
  return Buffer.concat([Buffer.from(head), value]);
}

function segment(type: number, asns: readonly number[]): Buffer {
  return asns.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([type, asns.length]), words(asns)]);
}

function words(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
  return bytes;
}

function halves(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, index * 2);
  return bytes;
}
