import { IpAddress } from "./ip-address.ts";
import { Ipv4 } from "./ipv4.ts";
import { Ipv6 } from "./ipv6.ts";

/** An IPv4 network: host bits are zero, `length` is 0–32. */
export interface Prefix4 {
  readonly family: 4;
  readonly address: Ipv4;
  readonly length: number;
}

/** An IPv6 network: host bits are zero, `length` is 0–128. */
export interface Prefix6 {
  readonly family: 6;
  readonly address: Ipv6;
  readonly length: number;
}

/** A network of either family, frozen; compare with `equals`, and key a `Map` by `Prefix.key`. */
export type Prefix = Prefix4 | Prefix6;

export const Prefix: {
  /** The network that holds `address`: host bits are cleared. A length outside the family throws `RangeError`. */
  readonly of: (address: IpAddress, length: number) => Prefix;
  /** The network of one address alone: /32 or /128. */
  readonly host: (address: IpAddress) => Prefix;
  /** Whether it is one address alone. */
  readonly isHost: (prefix: Prefix) => boolean;
  /** `address/length` with host bits zero, or a bare address as /32 or /128; anything else is `undefined`. */
  readonly parse: (text: string) => Prefix | undefined;
  /** The same, host bits allowed: `10.0.0.5/24` gives the address and its network. */
  readonly parseInterface: (
    text: string,
  ) => { readonly address: IpAddress; readonly network: Prefix } | undefined;
  /** `address/length`, IPv6 in RFC 5952 text. */
  readonly format: (prefix: Prefix) => string;
  readonly key: (prefix: Prefix) => string;
  readonly equals: (a: Prefix, b: Prefix) => boolean;
  readonly contains: (prefix: Prefix, address: IpAddress) => boolean;
  /** Whether every address of `inner` is in `outer`; a prefix covers itself. */
  readonly covers: (outer: Prefix, inner: Prefix) => boolean;
  readonly overlaps: (a: Prefix, b: Prefix) => boolean;
  /** Number of addresses. */
  readonly size: (prefix: Prefix) => bigint;
  /** The last address. */
  readonly last: (prefix: Prefix) => IpAddress;
  /** The address `index` places after the first, or `undefined` outside the prefix. */
  readonly at: (prefix: Prefix, index: bigint | number) => IpAddress | undefined;
  /** How far `address` is from the first address, or `undefined` when it is outside. */
  readonly indexOf: (prefix: Prefix, address: IpAddress) => bigint | undefined;
  /** Order by family, address, then length (shorter first): for sorting. */
  readonly compare: (a: Prefix, b: Prefix) => number;
} = {
  of,
  host: (address) => of(address, bits(IpAddress.family(address))),
  isHost: ({ family, length }) => length === bits(family),
  parse: (text) => {
    const found = parseInterface(text);
    return found !== undefined && found.network.address === found.address ? found.network : undefined;
  },
  parseInterface,
  format,
  key: format,
  equals: (a, b) => a.address === b.address && a.length === b.length && a.family === b.family,
  contains,
  covers: (outer, inner) => inner.length >= outer.length && contains(outer, inner.address),
  overlaps: (a, b) => (a.length <= b.length ? contains(a, b.address) : contains(b, a.address)),
  size: (prefix) => 1n << BigInt(bits(prefix.family) - prefix.length),
  last: (prefix) =>
    prefix.family === 4
      ? Ipv4.of(prefix.address | ~Ipv4.mask(prefix.length))
      : Ipv6.of(prefix.address | ((1n << BigInt(128 - prefix.length)) - 1n)),
  at: (prefix, index) => {
    if (prefix.family === 4) {
      const place = Number(index);
      return place < 0 || place >= 2 ** (32 - prefix.length) ? undefined : Ipv4.of(prefix.address + place);
    }
    const place = BigInt(index);
    return place < 0n || place >= 1n << BigInt(128 - prefix.length)
      ? undefined
      : Ipv6.of(prefix.address + place);
  },
  indexOf: (prefix, address) =>
    contains(prefix, address) ? BigInt(address) - BigInt(prefix.address) : undefined,
  compare: (a, b) => IpAddress.compare(a.address, b.address) || a.length - b.length,
};

function bits(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}

function of(address: IpAddress, length: number): Prefix {
  const family = IpAddress.family(address);
  if (!Number.isInteger(length) || length < 0 || length > bits(family)) {
    throw new RangeError(`an IPv${family} prefix length is 0 to ${bits(family)}, not ${length}`);
  }
  return IpAddress.isIpv4(address)
    ? Object.freeze({ family: 4, address: Ipv4.of(address & Ipv4.mask(length)), length })
    : Object.freeze({ family: 6, address: Ipv6.of(address & Ipv6.mask(length)), length });
}

function parseInterface(text: string): { address: IpAddress; network: Prefix } | undefined {
  const slash = text.indexOf("/");
  const address = IpAddress.parse(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const limit = bits(IpAddress.family(address));
  const lengthText = slash < 0 ? String(limit) : text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(lengthText) || Number(lengthText) > limit) return undefined;
  return { address, network: of(address, Number(lengthText)) };
}

function format(prefix: Prefix): string {
  return `${IpAddress.format(prefix.address)}/${prefix.length}`;
}

function contains(prefix: Prefix, address: IpAddress): boolean {
  if (prefix.family === 4) {
    return IpAddress.isIpv4(address) && Ipv4.of(address & Ipv4.mask(prefix.length)) === prefix.address;
  }
  return IpAddress.isIpv6(address) && (address & Ipv6.mask(prefix.length)) === prefix.address;
}
