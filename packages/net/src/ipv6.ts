import { brand, type Brand } from "./brand.ts";
import { Ipv4 } from "./ipv4.ts";

/** IPv6 address as an unsigned 128-bit number, host order. A zone is not part of it. */
export type Ipv6 = Brand<bigint, "Ipv6">;

const allOnes = (1n << 128n) - 1n;

export const Ipv6: {
  /** The address of a 128-bit number; higher bits are cut off. */
  readonly of: (value: bigint) => Ipv6;
  /** RFC 4291 §2.2 text, with `::` and a trailing dotted IPv4 part allowed; anything else is `undefined`. */
  readonly parse: (text: string) => Ipv6 | undefined;
  /** RFC 5952 §4 text: lower case, no leading zeros, the longest (first) run of zero groups as `::`. */
  readonly format: (address: Ipv6) => string;
  /** Sixteen bytes in network order at `offset`. */
  readonly read: (bytes: Uint8Array, offset?: number) => Ipv6;
  readonly toBytes: (address: Ipv6) => Uint8Array;
  /** `address + count`, or `undefined` outside 128 bits. */
  readonly add: (address: Ipv6, count: bigint) => Ipv6 | undefined;
  /** The netmask of a prefix length 0–128. */
  readonly mask: (length: number) => Ipv6;
  /** fe80::/10 (RFC 4291 §2.5.6). */
  readonly isLinkLocal: (address: Ipv6) => boolean;
} = {
  of: (value) => brand<Ipv6>(value & allOnes),
  parse: parseIpv6,
  format: formatIpv6,
  read: (bytes, offset = 0) => {
    if (bytes.length - offset < 16) {
      throw new RangeError(`an IPv6 address takes 16 bytes; ${bytes.length - offset} are left`);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 16);
    return brand<Ipv6>((view.getBigUint64(0) << 64n) | view.getBigUint64(8));
  },
  toBytes: (address) => {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, address >> 64n);
    view.setBigUint64(8, address & 0xffffffffffffffffn);
    return bytes;
  },
  add: (address, count) => {
    const sum = address + count;
    return sum >= 0n && sum <= allOnes ? brand<Ipv6>(sum) : undefined;
  },
  mask: (length) => brand<Ipv6>(allOnes ^ (allOnes >> BigInt(length))),
  isLinkLocal: (address) => address >> 118n === 0xfe80n >> 6n,
};

function parseIpv6(text: string): Ipv6 | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  const tail = parseGroups(halves[1] ?? "", true);
  if (head === undefined || tail === undefined) return undefined;
  const count = head.length + tail.length;
  // `::` stands for at least one group.
  if (halves.length === 1 ? count !== 8 : count > 7) return undefined;
  const groups = [...head, ...Array<number>(8 - count).fill(0), ...tail];
  return brand<Ipv6>(groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n));
}

/** Colon-separated groups; the last may be dotted IPv4 where `isEnd`. */
function parseGroups(text: string, isEnd: boolean): readonly number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const dotted = isEnd && index === parts.length - 1 ? Ipv4.parse(part) : undefined;
    if (dotted === undefined) return undefined;
    groups.push(dotted >>> 16, dotted & 0xffff);
  }
  return groups;
}

function formatIpv6(address: Ipv6): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    Number((address >> BigInt(112 - 16 * index)) & 0xffffn),
  );
  // RFC 5952 §5: IPv4-mapped addresses keep their dotted tail.
  if (address >> 32n === 0xffffn) return `::ffff:${Ipv4.format(Ipv4.of(Number(address & 0xffffffffn)))}`;
  const run = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (run.length < 2) return hex.join(":");
  return `${hex.slice(0, run.start).join(":")}::${hex.slice(run.start + run.length).join(":")}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  }
  return best;
}
