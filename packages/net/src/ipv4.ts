import { brand, type Brand } from "./brand.ts";

/** IPv4 address as an unsigned 32-bit number, host order. */
export type Ipv4 = Brand<number, "Ipv4">;

export const Ipv4: {
  /** The address of a 32-bit number; higher bits are cut off. */
  readonly of: (value: number) => Ipv4;
  /** Dotted decimal, four parts, no leading zeros; anything else is `undefined`. */
  readonly parse: (text: string) => Ipv4 | undefined;
  readonly format: (address: Ipv4) => string;
  /** Four bytes in network order at `offset`. */
  readonly read: (bytes: Uint8Array, offset?: number) => Ipv4;
  readonly toBytes: (address: Ipv4) => Uint8Array;
  /** `address + count`, or `undefined` past 255.255.255.255 or below 0.0.0.0. */
  readonly add: (address: Ipv4, count: number) => Ipv4 | undefined;
  /** The netmask of a prefix length 0–32. */
  readonly mask: (length: number) => Ipv4;
} = {
  of: (value) => brand<Ipv4>(value >>> 0),
  parse: parseIpv4,
  format: (address) =>
    `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`,
  read: (bytes, offset = 0) => {
    const [a, b, c, d] = bytes.subarray(offset, offset + 4);
    if (a === undefined || b === undefined || c === undefined || d === undefined) {
      throw new RangeError(`an IPv4 address takes 4 bytes; ${bytes.length - offset} are left`);
    }
    return brand<Ipv4>(((a << 24) | (b << 16) | (c << 8) | d) >>> 0);
  },
  toBytes: (address) =>
    Uint8Array.of(address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255),
  add: (address, count) => {
    const sum = address + count;
    return Number.isInteger(sum) && sum >= 0 && sum <= 0xffffffff ? brand<Ipv4>(sum) : undefined;
  },
  mask: (length) => brand<Ipv4>(length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0),
};

function parseIpv4(text: string): Ipv4 | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    // A leading zero would be octal to some parsers, so it is refused rather than guessed at.
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part)) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return brand<Ipv4>(value);
}
