import { once } from "node:events";
import { type Socket, connect } from "node:net";
import { Ipv4, Writer } from "@caracal/net";
import { type BenchPeer, routerAddress } from "./routers.ts";

const keepalive = Uint8Array.fromHex(`${"ff".repeat(16)}001304`);
const headerBytes = 19;
const maxMessageBytes = 4096;
const openType = 1;
const updateType = 2;
const keepaliveType = 4;
/** All prefixes are /24, so that they can be counted by bytes: the bench must cost less than what it measures. */
const nlriBytes = 4;
/** 11.0.0.0/24 without its last byte: prefixes are numbered from here. */
const firstNetwork = 0x0b0000;
/** Of IPv6 all are /48, from 2a00::/48 upwards. */
const nlri6Bytes = 7;
const firstNetwork6 = 0x2a00;
const reachCode = 14;
/** MP_REACH_NLRI's value without next hop and prefixes; its length has two octets wherever routers write it. */
const reachHeadBytes = 5;
/** As much as a socket hands over at once. */
const readBytes = 1 << 18;

/** What the other end of a session has announced and withdrawn so far. */
export interface Heard {
  announced: number;
  /** The highest number that the last prefix of a message had. */
  highest: number;
}

/** A neighbour of the router under test. */
export class BenchClient {
  readonly heard: Heard = { announced: 0, highest: 0 };
  readonly #socket: Socket;
  readonly #messages: MessageCutter;
  #isEstablished = false;
  #onChange: () => void = () => undefined;

  /** Connects and says OPEN, and KEEPALIVE as soon as the router has said OPEN, too. */
  constructor({ address, asn, family = 4 }: BenchPeer, port: number) {
    this.#messages = new MessageCutter((type, bytes, at, end) => {
      if (type === updateType) countPrefixes(bytes, at, end, this.heard);
      else if (type === openType) this.send(keepalive);
      else if (type === keepaliveType) this.#isEstablished = true;
    });
    this.#socket = connect({
      host: routerAddress,
      port,
      localAddress: address,
      noDelay: true,
      onread: {
        buffer: new Uint8Array(readBytes),
        callback: (count, buffer) => {
          this.#messages.push(buffer, count);
          this.#onChange();
          return true;
        },
      },
    });
    this.#socket.on("error", () => undefined);
    this.send(openMessage(asn, Ipv4.parse(address) ?? Ipv4.of(1), family));
  }

  /** Resolves when the session is up, and rejects when the connection ends first. */
  async whenEstablished(): Promise<void> {
    const closed = once(this.#socket, "close").then(() => {
      throw new Error("the router closed the connection");
    });
    await Promise.race([this.when(() => this.#isEstablished), closed]);
  }

  /** Resolves as soon as `isDone` holds; looked at whenever something has arrived. One wait at a time. */
  when(isDone: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#onChange = () => {
        if (!isDone()) return;
        this.#onChange = () => undefined;
        resolve();
      };
      this.#onChange();
    });
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Reads nothing any more, so that its window closes. */
  hang(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** MP-BGP for unicast of one family and four-octet AS numbers, one parameter each. */
function openMessage(asn: number, routerId: Ipv4, family: 4 | 6): Uint8Array {
  const writer = new Writer();
  const start = beginMessage(writer, openType);
  writer.u8(4);
  writer.u16(asn);
  writer.u16(240);
  writer.u32(routerId);
  writer.u8(16);
  writer.bytes(Uint8Array.of(2, 6, 1, 4, 0, family === 4 ? 1 : 2, 0, 1, 2, 6, 65, 4));
  writer.u32(asn);
  endMessage(writer, start);
  return writer.finish();
}

/** What a feeder announces, or withdraws. */
export interface FeedOptions {
  readonly count: number;
  /** Number of the first prefix, /24s upwards from 11.0.0.0. */
  readonly first?: number;
  /** 16 or 17: 0.06 attribute sets for each prefix, as in a full Internet table. */
  readonly prefixesPerSet?: number;
  /** The AS in front of the path; undefined: a path without AS, as internal peers announce. */
  readonly asn: number | undefined;
  /** 6: /48s instead, with a next hop of IPv6. */
  readonly family?: 4 | 6;
  /** Told apart from other feeds: the sets differ. */
  readonly variant?: number;
}

export function announcements(options: FeedOptions): Uint8Array {
  const { count, first = 0, prefixesPerSet = 17, asn, variant = 0, family = 4 } = options;
  const writer = new Writer(1 << 16, 1 << 28);
  for (let at = 0; at < count; at += prefixesPerSet) {
    const number = first + at;
    const start = beginMessage(writer, updateType);
    writer.u16(0);
    const attributesAt = writer.length;
    writer.u16(0);
    const inSet = Math.min(prefixesPerSet, count - at);
    if (family === 6) writeReach(writer, number, inSet);
    writer.bytes(Uint8Array.of(0x40, 1, 1, 0, 0x40, 2, asn === undefined ? 10 : 14, 2));
    const path = [3356, 100_000 + number + variant];
    writer.u8(asn === undefined ? path.length : path.length + 1);
    for (const one of asn === undefined ? path : [asn, ...path]) writer.u32(one);
    if (family === 4) writer.bytes(Uint8Array.of(0x40, 3, 4, 10, 9, 9, 9));
    if (asn === undefined) writer.bytes(Uint8Array.of(0x40, 5, 4, 0, 0, 0, 100));
    writer.bytes(Uint8Array.of(0xc0, 8, 8));
    writer.u32(0xfde90001);
    writer.u32(0xfde90000 + (number % 500));
    writer.patchU16(attributesAt, writer.length - attributesAt - 2);
    if (family === 4) writePrefixes(writer, number, inSet);
    endMessage(writer, start);
  }
  return writer.finish();
}

export function withdrawals({ count, first = 0 }: Pick<FeedOptions, "count" | "first">): Uint8Array {
  const perMessage = 1000;
  const writer = new Writer(1 << 16, 1 << 28);
  for (let at = 0; at < count; at += perMessage) {
    const inMessage = Math.min(perMessage, count - at);
    const start = beginMessage(writer, updateType);
    writer.u16(inMessage * nlriBytes);
    writePrefixes(writer, first + at, inMessage);
    writer.u16(0);
    endMessage(writer, start);
  }
  return writer.finish();
}

function writePrefixes(writer: Writer, first: number, count: number): void {
  for (let number = first; number < first + count; number += 1) {
    writer.u32((24 << 24) | (firstNetwork + number));
  }
}

/** MP_REACH_NLRI with the next hop 2001:db8:9::1, as the first attribute (RFC 7606 §5.1). */
function writeReach(writer: Writer, first: number, count: number): void {
  writer.bytes(Uint8Array.of(0x90, reachCode));
  writer.u16(reachHeadBytes + 16 + count * nlri6Bytes);
  writer.bytes(Uint8Array.fromHex("00020110" + "20010db8000900000000000000000001" + "00"));
  for (let number = first; number < first + count; number += 1) {
    writer.u8(48);
    writer.u16(firstNetwork6);
    writer.u32(number);
  }
}

/** In MP_REACH_NLRI at `at`, if that is what stands there. */
function countPrefixes6(bytes: Uint8Array, at: number, heard: Heard): void {
  if (bytes[at + 1] !== reachCode) return;
  const valueBytes = u16(bytes, at + 2);
  const hopBytes = bytes[at + 7] ?? 0;
  heard.announced += (valueBytes - reachHeadBytes - hopBytes) / nlri6Bytes;
}

function countPrefixes(bytes: Uint8Array, at: number, end: number, heard: Heard): void {
  const withdrawn = u16(bytes, at + headerBytes);
  const attributesAt = at + headerBytes + 2 + withdrawn;
  const nlriAt = attributesAt + 2 + u16(bytes, attributesAt);
  if (nlriAt === end) {
    countPrefixes6(bytes, attributesAt + 2, heard);
    return;
  }
  heard.announced += (end - nlriAt) / nlriBytes;
  const last = (u16(bytes, end - 3) << 8) | (bytes[end - 1] ?? 0);
  heard.highest = Math.max(heard.highest, last - firstNetwork);
}

function beginMessage(writer: Writer, type: number): number {
  const start = writer.length;
  for (let index = 0; index < 4; index += 1) writer.u32(0xffffffff);
  writer.u16(0);
  writer.u8(type);
  return start;
}

function endMessage(writer: Writer, start: number): void {
  writer.patchU16(start + 16, writer.length - start);
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

type OnMessage = (type: number, bytes: Uint8Array, at: number, end: number) => void;

/** Cuts a stream into messages without copying those that arrive whole. */
class MessageCutter {
  readonly #onMessage: OnMessage;
  /** The beginning of a message whose end has not arrived. */
  readonly #left = new Uint8Array(2 * maxMessageBytes);
  #leftBytes = 0;

  constructor(onMessage: OnMessage) {
    this.#onMessage = onMessage;
  }

  /** Reads the first `count` bytes. */
  push(bytes: Uint8Array, count: number): void {
    let at = 0;
    if (this.#leftBytes > 0) {
      const before = this.#leftBytes;
      const taken = Math.min(count, maxMessageBytes);
      this.#left.set(bytes.subarray(0, taken), before);
      const end = this.#cut(this.#left, 0, before + taken, true);
      if (end === 0) {
        this.#leftBytes += taken;
        return;
      }
      at = end - before;
    }
    const end = this.#cut(bytes, at, count, false);
    this.#left.set(bytes.subarray(end, count));
    this.#leftBytes = count - end;
  }

  /** Says where the first message starts that is not whole. */
  #cut(bytes: Uint8Array, from: number, to: number, onlyOne: boolean): number {
    let at = from;
    while (to - at >= headerBytes) {
      const length = u16(bytes, at + 16);
      if (length < headerBytes || length > maxMessageBytes) throw new RangeError(`message length ${length}`);
      if (to - at < length) break;
      this.#onMessage(bytes[at + 18] ?? 0, bytes, at, at + length);
      at += length;
      if (onlyOne) break;
    }
    return at;
  }
}
