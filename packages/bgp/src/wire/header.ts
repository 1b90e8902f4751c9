import { type Blame, DecodeError, Writer } from "@caracal/net";
import { ErrorCode, HeaderError, MessageType } from "../iana.ts";

export const headerBytes = 19;

/** RFC 4271 §4.1: no message is longer, unless both ends can do with more. */
export const maxMessageBytes = 4096;

/** RFC 8654 §4: the bound once both ends have said so; for OPEN and KEEPALIVE it stays as it was. */
export const maxExtendedMessageBytes = 65_535;

const markerBytes = 16;

/** The shortest message of each type, header included (RFC 4271 §6.1). */
const minBytes: Readonly<Record<number, number>> = {
  [MessageType.open]: 29,
  [MessageType.update]: 23,
  [MessageType.notification]: 21,
  [MessageType.keepalive]: headerBytes,
  [MessageType.routeRefresh]: 23,
};

/** One message as it stood on the wire. */
export interface Frame {
  readonly type: number;
  /** The whole message, header included: a view that is valid until the splitter is fed again. */
  readonly bytes: Uint8Array;
}

/** Cuts a byte stream into messages. Holds less than one message between two calls of `push`. */
export class MessageSplitter {
  /** The longest message that the two ends agreed on. */
  maxMessageBytes: number = maxMessageBytes;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** Adds what arrived. The buffer is read until the next call; what is left over by then is copied. */
  push(chunk: Uint8Array): void {
    const left = this.#bytes.length - this.#at;
    if (left === 0) {
      this.#bytes = chunk;
    } else {
      const joined = new Uint8Array(left + chunk.length);
      joined.set(this.#bytes.subarray(this.#at));
      joined.set(chunk, left);
      this.#bytes = joined;
    }
    this.#at = 0;
  }

  /** The next whole message, or `undefined` until more bytes come; a malformed header throws `DecodeError`. */
  next(): Frame | undefined {
    const bytes = this.#bytes;
    const start = this.#at;
    const left = bytes.length - start;
    if (left < headerBytes) return this.#keep();
    const length = ((bytes[start + 16] ?? 0) << 8) | (bytes[start + 17] ?? 0);
    const type = bytes[start + 18] ?? 0;
    checkMarker(bytes, start);
    checkLength(length, type, start, this.maxMessageBytes);
    if (left < length) return this.#keep();
    this.#at = start + length;
    return { type, bytes: bytes.subarray(start, start + length) };
  }

  /** Lets go of the caller's buffer, which may be reused after this. */
  #keep(): undefined {
    this.#bytes = this.#bytes.slice(this.#at);
    this.#at = 0;
    return undefined;
  }
}

/** A message of `type` whose body `write` appends. */
export function encodeFrame(type: number, write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer(64, maxMessageBytes);
  beginFrame(writer, type);
  write(writer);
  endFrame(writer, 0);
  return writer.finish();
}

/** Appends a header whose length `endFrame` sets, and says where it starts. */
export function beginFrame(writer: Writer, type: number): number {
  const start = writer.length;
  for (let index = 0; index < markerBytes / 4; index += 1) writer.u32(0xffffffff);
  writer.u16(0);
  writer.u8(type);
  return start;
}

export function endFrame(writer: Writer, start: number): void {
  writer.patchU16(start + markerBytes, writer.length - start);
}

function checkMarker(bytes: Uint8Array, start: number): void {
  for (let index = start; index < start + markerBytes; index += 1) {
    if (bytes[index] !== 0xff) {
      throw new DecodeError("marker is not all ones", blame(HeaderError.connectionNotSynchronized), index);
    }
  }
}

function checkLength(length: number, type: number, start: number, agreed: number): void {
  const least = minBytes[type];
  const most = type === MessageType.open ? maxMessageBytes : agreed;
  // RFC 4271 §6.1: the data of a length fault is the length field, that of a type fault the type.
  if (length < headerBytes || length > most) throw badLength(length, start);
  if (least === undefined) {
    throw new DecodeError(
      `message type ${type} is unknown`,
      blame(HeaderError.badMessageType),
      start + 18,
      Uint8Array.of(type),
    );
  }
  // RFC 7313 §5: a ROUTE-REFRESH of a wrong length has an error code of its own, found by its decoder.
  if (type === MessageType.routeRefresh) return;
  if (length < least || (type === MessageType.keepalive && length !== least)) throw badLength(length, start);
}

function badLength(length: number, start: number): DecodeError {
  const data = Uint8Array.of(length >> 8, length & 255);
  return new DecodeError(
    `message length ${length} is out of range`,
    blame(HeaderError.badMessageLength),
    start + 16,
    data,
  );
}

function blame(subcode: number): Blame {
  return { code: ErrorCode.messageHeader, subcode, action: "reset" };
}
