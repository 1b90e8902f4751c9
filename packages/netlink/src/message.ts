import { Reader, type Writer } from "@caracal/net";
import { align } from "./attribute.ts";
import { Nlm } from "./constants.ts";

/** Bytes of a netlink message header. */
export const messageHeaderBytes = 16;

/** One netlink message as received; `payload` is read once. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** The receiving socket's address for replies, the causing socket's (or 0) for notices. */
  readonly portId: number;
  readonly payload: Reader;
}

/** A message that can be written once its sequence number is known. */
export interface Request {
  readonly type: number;
  /** Without NLM_F_REQUEST and NLM_F_ACK, which the sender sets. */
  readonly flags: number;
  writeBody(writer: Writer): void;
}

/**
 * Appends one request (linux/netlink.h, host order):
 * | length u32 | type u16 | flags u16 | sequence u32 | port 0 u32 | body | padding to 4 |
 */
export function writeRequest(writer: Writer, request: Request, sequence: number, extraFlags = 0): void {
  const start = writer.length;
  writer.u32le(0);
  writer.u16le(request.type);
  writer.u16le(request.flags | extraFlags | Nlm.NLM_F_REQUEST);
  writer.u32le(sequence);
  writer.u32le(0);
  request.writeBody(writer);
  const length = writer.length - start;
  writer.patchU32le(start, length);
  writer.zeros(align(length) - length);
}

/** The messages of one datagram, in order. Stray or short bytes throw `DecodeError`. */
export function* readMessages(datagram: Uint8Array): Generator<Message, void, undefined> {
  const reader = new Reader(datagram);
  while (reader.remaining > 0) {
    const length = reader.u32le();
    if (length < messageHeaderBytes) reader.fail(`message length ${length} is shorter than its header`);
    const type = reader.u16le();
    const flags = reader.u16le();
    const sequence = reader.u32le();
    const portId = reader.u32le();
    const payload = reader.sub(length - messageHeaderBytes);
    reader.skip(Math.min(align(length) - length, reader.remaining));
    yield { type, flags, sequence, portId, payload };
  }
}
