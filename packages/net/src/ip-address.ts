import { Ipv4 } from "./ipv4.ts";
import { Ipv6 } from "./ipv6.ts";

/** An address of either family: a number is IPv4, a bigint is IPv6. */
export type IpAddress = Ipv4 | Ipv6;

/** 4 or 6, as in "IPv4" and "IPv6". */
export type IpFamily = 4 | 6;

export const IpAddress: {
  readonly parse: (text: string) => IpAddress | undefined;
  readonly format: (address: IpAddress) => string;
  readonly family: (address: IpAddress) => IpFamily;
  /** 4 or 16 bytes in network order. */
  readonly toBytes: (address: IpAddress) => Uint8Array;
  /** IPv4 from 4 bytes, IPv6 from 16; any other length is `undefined`. */
  readonly fromBytes: (bytes: Uint8Array) => IpAddress | undefined;
  /** Order by family, then by value: for sorting. */
  readonly compare: (a: IpAddress, b: IpAddress) => number;
  readonly isIpv4: (address: IpAddress) => address is Ipv4;
  readonly isIpv6: (address: IpAddress) => address is Ipv6;
} = {
  parse: (text) => (text.includes(":") ? Ipv6.parse(text) : Ipv4.parse(text)),
  format: (address) => (isIpv4(address) ? Ipv4.format(address) : Ipv6.format(address)),
  family: (address) => (isIpv4(address) ? 4 : 6),
  toBytes: (address) => (isIpv4(address) ? Ipv4.toBytes(address) : Ipv6.toBytes(address)),
  fromBytes: (bytes) => {
    if (bytes.length === 4) return Ipv4.read(bytes);
    return bytes.length === 16 ? Ipv6.read(bytes) : undefined;
  },
  compare: (a, b) => {
    if (typeof a !== typeof b) return isIpv4(a) ? -1 : 1;
    if (a === b) return 0;
    return a < b ? -1 : 1;
  },
  isIpv4,
  isIpv6: (address) => typeof address === "bigint",
};

function isIpv4(address: IpAddress): address is Ipv4 {
  return typeof address === "number";
}
