import type { Reader, Writer } from "@caracal/net";
import {
  readAttributes,
  readText,
  writeBytesAttribute,
  writeNested,
  writeTextAttribute,
  writeU32Attribute,
} from "./attribute.ts";
import { Af, Nlm, Rtm, Tca, TcaAct, TcaMirred, TcaTbf, TcaU32, TcHandle } from "./constants.ts";
import type { Message, Request } from "./message.ts";

/** Where a queueing discipline sits: on what the interface sends, or on what it receives. */
export type QdiscPlace = "root" | "ingress";

/** A queueing discipline of an interface. */
export interface Qdisc {
  readonly interfaceIndex: number;
  readonly place: QdiscPlace;
  /** Major number in the upper 16 bits; 0 is the kernel's own. */
  readonly handle: number;
  /** "tbf", "ingress", "noqueue"… */
  readonly kind: string;
  /** Of a "tbf". The kernel does not tell its burst again, except within `limitBytes`. */
  readonly tokenBucket?: Pick<TokenBucket, "bytesPerSecond" | "limitBytes">;
}

/** A token bucket: what goes through at `bytesPerSecond` after a first `burstBytes`; no more than `limitBytes` wait. */
export interface TokenBucket {
  readonly bytesPerSecond: number;
  readonly burstBytes: number;
  readonly limitBytes: number;
  /** How fast the burst itself may go, a packet of `bytes` at a time. */
  readonly peak?: { readonly bytesPerSecond: number; readonly bytes: number };
}

/** A filter that hands all that an interface receives to another one to send. */
export interface Redirect {
  readonly interfaceIndex: number;
  readonly toInterfaceIndex: number;
}

const u32Max = 0xffff_ffff;
const u32Range = 2 ** 32;
/** linux/pkt_sched.h, TC_LINKLAYER_ETHERNET: rates are numbers, not tables. */
const linkLayerEthernet = 1;
/** The major number that the kernel gives an ingress discipline, and the parent of its filters. */
const ingressHandle = 0xffff_0000;
/** Every protocol (linux/if_ether.h, ETH_P_ALL), in network order, below the filter's priority. */
const redirectInfo = (1 << 16) | 0x0300;

/** Makes a discipline, or takes the place of the one that is there. A "tbf" has its bucket. */
export function newQdisc(
  at: Pick<Qdisc, "interfaceIndex" | "place" | "handle">,
  tokenBucket?: TokenBucket,
): Request {
  return {
    type: Rtm.RTM_NEWQDISC,
    flags: Nlm.NLM_F_CREATE | Nlm.NLM_F_REPLACE,
    writeBody: (writer) => {
      writeQdiscHeader(writer, at);
      writeTextAttribute(writer, Tca.TCA_KIND, at.place === "ingress" ? "ingress" : "tbf");
      if (tokenBucket === undefined) return;
      writeNested(writer, Tca.TCA_OPTIONS, () => writeTokenBucket(writer, tokenBucket));
    },
  };
}

/** Its filters go with it. */
export function deleteQdisc(at: Pick<Qdisc, "interfaceIndex" | "place" | "handle">): Request {
  return { type: Rtm.RTM_DELQDISC, flags: 0, writeBody: (writer) => writeQdiscHeader(writer, at) };
}

export function dumpQdiscs(): Request {
  return {
    type: Rtm.RTM_GETQDISC,
    flags: Nlm.NLM_F_DUMP,
    writeBody: (writer) => writeHeader(writer, 0, 0, 0, 0),
  };
}

export function newRedirect({ interfaceIndex, toInterfaceIndex }: Redirect): Request {
  return {
    type: Rtm.RTM_NEWTFILTER,
    flags: Nlm.NLM_F_CREATE | Nlm.NLM_F_EXCL,
    writeBody: (writer) => {
      writeHeader(writer, interfaceIndex, 0, ingressHandle, redirectInfo);
      writeTextAttribute(writer, Tca.TCA_KIND, "u32");
      writeNested(writer, Tca.TCA_OPTIONS, () => {
        writeBytesAttribute(writer, TcaU32.TCA_U32_SEL, matchAll);
        writeNested(writer, TcaU32.TCA_U32_ACT, () =>
          writeNested(writer, 1, () => writeMirred(writer, toInterfaceIndex)),
        );
      });
    },
  };
}

/** The filters on what an interface receives. */
export function dumpFilters(interfaceIndex: number): Request {
  return {
    type: Rtm.RTM_GETTFILTER,
    flags: Nlm.NLM_F_DUMP,
    writeBody: (writer) => writeHeader(writer, interfaceIndex, 0, ingressHandle, 0),
  };
}

/** A discipline that a message tells of; `undefined` for other messages, and for disciplines inside of others. */
export function decodeQdisc({ type, payload }: Message): Qdisc | undefined {
  if (type !== Rtm.RTM_NEWQDISC) return undefined;
  const { interfaceIndex, handle, parent } = readHeader(payload);
  let kind = "";
  let tokenBucket: Qdisc["tokenBucket"];
  readAttributes(payload, (attribute, value) => {
    if (attribute === Tca.TCA_KIND) kind = readText(value);
    // The kernel puts the kind before the options that it explains.
    if (attribute === Tca.TCA_OPTIONS && kind === "tbf") tokenBucket = readTokenBucket(value);
  });
  const place = placeOf(parent);
  if (place === undefined) return undefined;
  return { interfaceIndex, place, handle, kind, ...(tokenBucket !== undefined && { tokenBucket }) };
}

/** A redirection that a message tells of; `undefined` for messages about anything else. */
export function decodeRedirect({ type, payload }: Message): Redirect | undefined {
  if (type !== Rtm.RTM_NEWTFILTER) return undefined;
  const { interfaceIndex } = readHeader(payload);
  let toInterfaceIndex: number | undefined;
  readAttributes(payload, (attribute, options) => {
    if (attribute !== Tca.TCA_OPTIONS) return;
    readAttributes(options, (option, actions) => {
      if (option !== TcaU32.TCA_U32_ACT) return;
      readAttributes(actions, (_order, action) => {
        toInterfaceIndex ??= readMirred(action);
      });
    });
  });
  return toInterfaceIndex === undefined ? undefined : { interfaceIndex, toInterfaceIndex };
}

function placeOf(parent: number): QdiscPlace | undefined {
  if (parent === TcHandle.TC_H_ROOT) return "root";
  return parent === TcHandle.TC_H_INGRESS ? "ingress" : undefined;
}

/** struct tcmsg: | family u8 | 0 u8 | 0 u16 | interface i32 | handle u32 | parent u32 | info u32 | */
function writeHeader(
  writer: Writer,
  interfaceIndex: number,
  handle: number,
  parent: number,
  info: number,
): void {
  writer.u8(Af.AF_UNSPEC);
  writer.zeros(3);
  writer.i32le(interfaceIndex);
  writer.u32le(handle);
  writer.u32le(parent);
  writer.u32le(info);
}

function writeQdiscHeader(
  writer: Writer,
  { interfaceIndex, place, handle }: Pick<Qdisc, "interfaceIndex" | "place" | "handle">,
): void {
  if (place === "ingress") writeHeader(writer, interfaceIndex, ingressHandle, TcHandle.TC_H_INGRESS, 0);
  else writeHeader(writer, interfaceIndex, handle, TcHandle.TC_H_ROOT, 0);
}

function readHeader(payload: Reader): { interfaceIndex: number; handle: number; parent: number } {
  payload.skip(4);
  const interfaceIndex = payload.i32le();
  const handle = payload.u32le();
  const parent = payload.u32le();
  payload.skip(4);
  return { interfaceIndex, handle, parent };
}

/** struct tc_tbf_qopt: | rate | peak rate | limit u32 | buffer u32 | mtu u32 |, and what does not fit as attributes. */
function writeTokenBucket(writer: Writer, bucket: TokenBucket): void {
  const { bytesPerSecond, burstBytes, limitBytes, peak } = bucket;
  writer.u16le(4 + 36);
  writer.u16le(TcaTbf.TCA_TBF_PARMS);
  writeRate(writer, bytesPerSecond);
  writeRate(writer, peak?.bytesPerSecond ?? 0);
  writer.u32le(Math.min(limitBytes, u32Max));
  writer.u32le(0);
  writer.u32le(0);
  writeU32Attribute(writer, TcaTbf.TCA_TBF_BURST, Math.min(burstBytes, u32Max));
  if (bytesPerSecond > u32Max) writeU64Attribute(writer, TcaTbf.TCA_TBF_RATE64, bytesPerSecond);
  if (peak === undefined) return;
  writeU32Attribute(writer, TcaTbf.TCA_TBF_PBURST, peak.bytes);
  if (peak.bytesPerSecond > u32Max) {
    writeU64Attribute(writer, TcaTbf.TCA_TBF_PRATE64, peak.bytesPerSecond);
  }
}

/** Numbers below 2^53. */
function writeU64Attribute(writer: Writer, type: number, value: number): void {
  writer.u16le(4 + 8);
  writer.u16le(type);
  writer.u32le(value % u32Range);
  writer.u32le(Math.floor(value / u32Range));
}

/** struct tc_ratespec: | cell log u8 | link layer u8 | overhead u16 | cell align i16 | mpu u16 | rate u32 | */
function writeRate(writer: Writer, bytesPerSecond: number): void {
  writer.u8(0);
  writer.u8(linkLayerEthernet);
  writer.zeros(6);
  writer.u32le(Math.min(bytesPerSecond, u32Max));
}

function readTokenBucket(options: Reader): Qdisc["tokenBucket"] {
  let bytesPerSecond = 0;
  let limitBytes = 0;
  readAttributes(options, (attribute, value) => {
    if (attribute === TcaTbf.TCA_TBF_PARMS) {
      value.skip(8);
      bytesPerSecond = value.u32le();
      value.skip(12);
      limitBytes = value.u32le();
    }
    if (attribute === TcaTbf.TCA_TBF_RATE64) bytesPerSecond = value.u32le() + value.u32le() * u32Range;
  });
  return { bytesPerSecond, limitBytes };
}

/**
 * struct tc_u32_sel with one key: | flags u8 | offset shift u8 | keys u8 | 0 u8 | offset mask u16 | offset u16 | offset offset i16 |
 * hash offset i16 | hash mask u32 | key: mask u32, value u32, offset i32, offset mask i32 |. A mask of 0 matches everything.
 */
const matchAll: Uint8Array = Uint8Array.from({ length: 32 }, (_zero, at) =>
  at === 0 ? TcaU32.TC_U32_TERMINAL : at === 2 ? 1 : 0,
);

/** struct tc_mirred: | index u32 | capabilities u32 | action i32 | references i32 | bindings i32 | what i32 | interface u32 | */
function writeMirred(writer: Writer, toInterfaceIndex: number): void {
  writeTextAttribute(writer, TcaAct.TCA_ACT_KIND, "mirred");
  writeNested(writer, TcaAct.TCA_ACT_OPTIONS, () => {
    writer.u16le(4 + 28);
    writer.u16le(TcaMirred.TCA_MIRRED_PARMS);
    writer.zeros(8);
    writer.i32le(TcaAct.TC_ACT_STOLEN);
    writer.zeros(8);
    writer.i32le(TcaMirred.TCA_EGRESS_REDIR);
    writer.u32le(toInterfaceIndex);
  });
}

function readMirred(action: Reader): number | undefined {
  let kind = "";
  let interfaceIndex: number | undefined;
  readAttributes(action, (attribute, value) => {
    if (attribute === TcaAct.TCA_ACT_KIND) kind = readText(value);
    if (attribute !== TcaAct.TCA_ACT_OPTIONS || kind !== "mirred") return;
    readAttributes(value, (option, parameters) => {
      if (option !== TcaMirred.TCA_MIRRED_PARMS) return;
      parameters.skip(20);
      if (parameters.i32le() === TcaMirred.TCA_EGRESS_REDIR) interfaceIndex = parameters.u32le();
    });
  });
  return interfaceIndex;
}
