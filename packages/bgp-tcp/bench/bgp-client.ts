import { type Socket } from "node:net";
import { type Ipv4, Writer } from "@caracal/net";

const keepalive = Uint8Array.fromHex(`${"ff".repeat(16)}001304`);
const headerBytes = 19;
const maxMessageBytes = 4096;
/** Attribute sets for each prefix, as in a full Internet table. */
const setsPerPrefix = 0.06;
const updateType = 2;
const keepaliveType = 4;

/** Exchanges OPEN and KEEPALIVE; resolves when the other end has said both. */
export async function handshake(socket: Socket, asn: number, routerId: Ipv4): Promise<void> {
  const writer = new Writer();
  header(writer);
  writer.u8(1);
  writer.u8(4);
  writer.u16(asn);
  writer.u16(240);
  writer.u32(routerId);
  writer.u8(16);
  // MP-BGP for IPv4 unicast and four-octet AS numbers, one parameter each.
  writer.bytes(Uint8Array.of(2, 6, 1, 4, 0, 1, 0, 1, 2, 6, 65, 4));
  writer.u32(asn);
  writer.patchU16(16, writer.length);
  socket.write(writer.finish());
  socket.write(keepalive);
  await new Promise<void>((resolve, reject) => {
    const messages = new Messages((type) => {
      if (type !== keepaliveType) return;
      socket.off("data", onData);
      socket.off("close", onClose);
      resolve();
    });
    const onData = (bytes: Uint8Array): void => messages.push(bytes);
    const onClose = (): void => reject(new Error("closed during the handshake"));
    socket.on("data", onData);
    socket.on("close", onClose);
  });
  socket.resume();
}

/** UPDATEs that announce `count` /24 prefixes. */
export function feedBytes(count: number): Uint8Array {
  const perSet = Math.round(1 / setsPerPrefix);
  const writer = new Writer(1 << 20, 1 << 28);
  for (let first = 0; first < count; first += perSet) {
    const start = writer.length;
    header(writer);
    writer.u8(updateType);
    writer.u16(0);
    const attributesAt = writer.length;
    writer.u16(0);
    writer.bytes(Uint8Array.of(0x40, 1, 1, 0, 0x40, 2, 14, 2, 3));
    for (const asn of [65001, 3356, 100_000 + first]) writer.u32(asn);
    writer.bytes(Uint8Array.of(0x40, 3, 4, 10, 9, 9, 9, 0xc0, 8, 8));
    writer.u32(0xfde90001);
    writer.u32(0xfde90000 + (first % 500));
    writer.patchU16(attributesAt, writer.length - attributesAt - 2);
    for (let index = first; index < Math.min(first + perSet, count); index += 1) {
      const network = 0x0b000000 + index * 256;
      writer.bytes(Uint8Array.of(24, network >>> 24, (network >> 16) & 255, (network >> 8) & 255));
    }
    writer.patchU16(start + 16, writer.length - start);
  }
  return writer.finish();
}

/** Resolves when `count` IPv4 prefixes have been announced. */
export function countAnnounced(socket: Socket, count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    const messages = new Messages((type, bytes) => {
      if (type !== updateType) return;
      left -= countNlri(bytes);
      if (left <= 0) resolve();
    });
    socket.on("data", (bytes: Uint8Array) => messages.push(bytes));
  });
}

function countNlri(bytes: Uint8Array): number {
  const withdrawn = ((bytes[19] ?? 0) << 8) | (bytes[20] ?? 0);
  const attributesAt = 21 + withdrawn;
  const attributes = ((bytes[attributesAt] ?? 0) << 8) | (bytes[attributesAt + 1] ?? 0);
  let count = 0;
  for (let at = attributesAt + 2 + attributes; at < bytes.length; count += 1) {
    at += 1 + (((bytes[at] ?? 0) + 7) >> 3);
  }
  return count;
}

function header(writer: Writer): void {
  for (let index = 0; index < 4; index += 1) writer.u32(0xffffffff);
  writer.u16(0);
}

/** Cuts a stream into messages. */
class Messages {
  readonly #onMessage: (type: number, bytes: Uint8Array) => void;
  #left: Uint8Array = new Uint8Array(0);

  constructor(onMessage: (type: number, bytes: Uint8Array) => void) {
    this.#onMessage = onMessage;
  }

  push(chunk: Uint8Array): void {
    const bytes = new Uint8Array(this.#left.length + chunk.length);
    bytes.set(this.#left);
    bytes.set(chunk, this.#left.length);
    let at = 0;
    while (bytes.length - at >= headerBytes) {
      const length = ((bytes[at + 16] ?? 0) << 8) | (bytes[at + 17] ?? 0);
      if (length < headerBytes || length > maxMessageBytes) throw new RangeError(`message length ${length}`);
      if (bytes.length - at < length) break;
      this.#onMessage(bytes[at + 18] ?? 0, bytes.subarray(at, at + length));
      at += length;
    }
    this.#left = bytes.subarray(at);
  }
}
