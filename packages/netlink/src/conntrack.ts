import { IpAddress, type Ipv4, Reader, type Writer } from "@caracal/net";
import {
  readAddress,
  readAttributes,
  writeAddressAttribute,
  writeBytesAttribute,
  writeNested,
  writeU32Attribute,
} from "./attribute.ts";
import { Af, NlaFlag, Nlm } from "./constants.ts";
import type { Message, Request } from "./message.ts";

/** Connections whose packets come from an address in one of their two directions. */
export interface ConnectionMatch {
  /** As it was opened, or as it is answered: translation makes the two differ. */
  readonly direction: "original" | "reply";
  readonly source: IpAddress;
}

/** A tracked connection, as far as it takes to find and to forget it. */
export interface Connection {
  /** `AF_INET` or `AF_INET6`. */
  readonly family: number;
  readonly originalSource: IpAddress | undefined;
  readonly replySource: IpAddress | undefined;
  /** Payload of the attribute that names it, CTA_TUPLE_ORIG; its own bytes. */
  readonly tuple: Uint8Array;
  /** Payload of CTA_ZONE, where it has one; its own bytes. */
  readonly zone: Uint8Array | undefined;
}

const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_NEW = 0;
const IPCTNL_MSG_CT_GET = 1;
const IPCTNL_MSG_CT_DELETE = 2;

/** Attributes of a connection (linux/netfilter/nfnetlink_conntrack.h), and those inside them. */
const Cta = { CTA_TUPLE_ORIG: 1, CTA_TUPLE_REPLY: 2, CTA_ZONE: 18, CTA_FILTER: 25 } as const;
const CTA_TUPLE_IP = 1;
const CtaIp = { CTA_IP_V4_SRC: 1, CTA_IP_V6_SRC: 3 } as const;
const CtaFilter = { CTA_FILTER_ORIG_FLAGS: 1, CTA_FILTER_REPLY_FLAGS: 2 } as const;
/** Of a filter's flags: the source address counts, and nothing else. */
const CTA_FILTER_F_CTA_IP_SRC = 1;

/**
 * Forgets all connections of a match. Kernels before 6.8 refuse it with EOPNOTSUPP. IPv4 only: where the filter is for an
 * IPv6 address, kernels up to 6.18 at least take all that do not match for those that do.
 */
export function forgetConnections(direction: ConnectionMatch["direction"], source: Ipv4): Request {
  return {
    type: messageType(IPCTNL_MSG_CT_DELETE),
    flags: 0,
    writeBody: (writer) => {
      writeHeader(writer, Af.AF_INET);
      writeFilter(writer, direction, source);
    },
  };
}

/** Lists connections; of IPv4 only those of the match, if the kernel knows filters (5.8): look at each. */
export function dumpConnections({ direction, source }: ConnectionMatch): Request {
  const isV4 = IpAddress.isIpv4(source);
  return {
    type: messageType(IPCTNL_MSG_CT_GET),
    flags: Nlm.NLM_F_DUMP,
    writeBody: (writer) => {
      writeHeader(writer, isV4 ? Af.AF_INET : Af.AF_INET6);
      if (isV4) writeFilter(writer, direction, source);
    },
  };
}

/** Forgets one connection; ENOENT when it is gone already. */
export function forgetConnection({ family, tuple, zone }: Connection): Request {
  return {
    type: messageType(IPCTNL_MSG_CT_DELETE),
    flags: 0,
    writeBody: (writer) => {
      writeHeader(writer, family);
      writeBytesAttribute(writer, Cta.CTA_TUPLE_ORIG | NlaFlag.NLA_F_NESTED, tuple);
      if (zone !== undefined) writeBytesAttribute(writer, Cta.CTA_ZONE, zone);
    },
  };
}

/** A connection that a dump lists, or `undefined` for any other message. */
export function decodeConnection({ type, payload }: Message): Connection | undefined {
  if (type !== messageType(IPCTNL_MSG_CT_NEW)) return undefined;
  const family = payload.u8();
  payload.skip(3);
  let tuple: Uint8Array | undefined;
  let zone: Uint8Array | undefined;
  let originalSource: IpAddress | undefined;
  let replySource: IpAddress | undefined;
  readAttributes(payload, (attribute, value) => {
    if (attribute === Cta.CTA_TUPLE_ORIG) {
      const whole = value.rest();
      tuple = Uint8Array.from(whole);
      originalSource = readSource(new Reader(whole));
    } else if (attribute === Cta.CTA_TUPLE_REPLY) replySource = readSource(value);
    else if (attribute === Cta.CTA_ZONE) zone = Uint8Array.from(value.rest());
  });
  if (tuple === undefined) return payload.fail("a connection without its original direction");
  return { family, originalSource, replySource, tuple, zone };
}

function messageType(message: number): number {
  return (NFNL_SUBSYS_CTNETLINK << 8) | message;
}

function writeFilter(writer: Writer, direction: ConnectionMatch["direction"], source: Ipv4): void {
  const isOriginal = direction === "original";
  nested(writer, isOriginal ? Cta.CTA_TUPLE_ORIG : Cta.CTA_TUPLE_REPLY, () =>
    nested(writer, CTA_TUPLE_IP, () => writeAddressAttribute(writer, CtaIp.CTA_IP_V4_SRC, source)),
  );
  nested(writer, Cta.CTA_FILTER, () => {
    const [original, reply] = isOriginal ? [CTA_FILTER_F_CTA_IP_SRC, 0] : [0, CTA_FILTER_F_CTA_IP_SRC];
    writeU32Attribute(writer, CtaFilter.CTA_FILTER_ORIG_FLAGS, original);
    writeU32Attribute(writer, CtaFilter.CTA_FILTER_REPLY_FLAGS, reply);
  });
}

/** | family u8 | version 0 u8 | resource 0 u16 | */
function writeHeader(writer: Writer, family: number): void {
  writer.u8(family);
  writer.zeros(3);
}

/** Netfilter wants nested attributes marked as such. */
function nested(writer: Writer, type: number, body: () => void): void {
  writeNested(writer, type | NlaFlag.NLA_F_NESTED, body);
}

function readSource(tuple: Reader): IpAddress | undefined {
  let source: IpAddress | undefined;
  readAttributes(tuple, (part, addresses) => {
    if (part !== CTA_TUPLE_IP) return;
    readAttributes(addresses, (attribute, value) => {
      if (attribute === CtaIp.CTA_IP_V4_SRC || attribute === CtaIp.CTA_IP_V6_SRC) source = readAddress(value);
    });
  });
  return source;
}
