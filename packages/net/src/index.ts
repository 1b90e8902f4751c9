/**
 * Addresses, prefixes, tables of prefixes and bytes: the ground floor. Pure values, no I/O.
 *
 * Standards: RFC 791 and RFC 4291 addresses, RFC 4632 prefixes, RFC 5952 text.
 * Not here: sockets, names, interfaces.
 */
export { brand, type Brand } from "./brand.ts";
export { type Cancellation } from "./cancellation.ts";
export { type Blame, type DecodeAction, DecodeError } from "./decode-error.ts";
export { IpAddress, type IpFamily } from "./ip-address.ts";
export { Ipv4 } from "./ipv4.ts";
export { Ipv6 } from "./ipv6.ts";
export { Prefix, type Prefix4, type Prefix6 } from "./prefix.ts";
export { messageOf } from "./message-of.ts";
export { noSlot, PrefixIndex } from "./prefix-index.ts";
export { PrefixTable } from "./prefix-table.ts";
export { Reader } from "./reader.ts";
export { Writer } from "./writer.ts";
export { Utf8 } from "./utf8.ts";
