import { IpAddress, type Reader, Utf8, type Writer } from "@caracal/net";
import { NlaFlag } from "./constants.ts";

/** Bytes of `| length u16 | type u16 |`. */
const headerBytes = 4;

/** Rounds up to netlink's alignment of 4 bytes. */
export function align(bytes: number): number {
  return (bytes + 3) & ~3;
}

/**
 * Reads attributes to the end of `reader`: | length u16 | type u16 | payload | padding to 4 |, host order, where the
 * length counts header and payload. `visit` gets the bare type and a reader of just the payload, and may leave bytes
 * unread: the kernel grows attributes at their tail.
 */
export function readAttributes(reader: Reader, visit: (type: number, payload: Reader) => void): void {
  while (reader.remaining >= headerBytes) {
    const length = reader.u16le();
    const type = reader.u16le() & NlaFlag.NLA_TYPE_MASK;
    if (length < headerBytes) reader.fail(`attribute length ${length} is shorter than its header`);
    visit(type, reader.sub(length - headerBytes));
    // The last attribute of a message may come without its padding.
    reader.skip(Math.min(align(length) - length, reader.remaining));
  }
  reader.skip(reader.remaining);
}

export function writeU8Attribute(writer: Writer, type: number, value: number): void {
  writer.u16le(headerBytes + 1);
  writer.u16le(type);
  writer.u8(value);
  writer.zeros(3);
}

export function writeU32Attribute(writer: Writer, type: number, value: number): void {
  writer.u16le(headerBytes + 4);
  writer.u16le(type);
  writer.u32le(value);
}

export function writeBytesAttribute(writer: Writer, type: number, value: Uint8Array): void {
  writer.u16le(headerBytes + value.length);
  writer.u16le(type);
  writer.bytes(value);
  writer.zeros(align(value.length) - value.length);
}

/** A zero-terminated string, as names and labels are. */
export function writeTextAttribute(writer: Writer, type: number, value: string): void {
  const text = Utf8.encode(value);
  const length = headerBytes + text.length + 1;
  writer.u16le(length);
  writer.u16le(type);
  writer.bytes(text);
  writer.zeros(1 + align(length) - length);
}

/** An address in network order, 4 or 16 bytes. */
export function writeAddressAttribute(writer: Writer, type: number, value: IpAddress): void {
  if (IpAddress.isIpv4(value)) {
    writer.u16le(headerBytes + 4);
    writer.u16le(type);
    writer.u32(value);
    return;
  }
  writeBytesAttribute(writer, type, IpAddress.toBytes(value));
}

/** An attribute made of what `body` writes; its length is filled in afterwards. */
export function writeNested(writer: Writer, type: number, body: () => void): void {
  const start = writer.length;
  writer.u16le(0);
  writer.u16le(type);
  body();
  writer.patchU16le(start, writer.length - start);
  writer.zeros(align(writer.length - start) - (writer.length - start));
}

/** A string up to its terminating zero, or to the payload's end. */
export function readText(payload: Reader): string {
  const bytes = payload.rest();
  const end = bytes.indexOf(0);
  return Utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** An address of 4 or 16 bytes. */
export function readAddress(payload: Reader): IpAddress {
  const bytes = payload.rest();
  return IpAddress.fromBytes(bytes) ?? payload.fail(`${bytes.length} bytes are no IP address`);
}
