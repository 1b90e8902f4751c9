import { type IpFamily, Ipv4, Ipv6, Prefix, type Reader, type Writer } from "@caracal/net";

/**
 * A run of prefixes as it stands on the wire (RFC 4271 §4.3, RFC 7911 §3), checked but not unpacked, so that a table
 * can read it without an object for each prefix:
 *
 *     | path identifier u32, with ADD-PATH only | length in bits u8 | as many bytes as the length needs |
 */
export interface NlriBlock {
  readonly family: IpFamily;
  readonly addPath: boolean;
  /** A view of the message. */
  readonly bytes: Uint8Array;
}

/** One prefix of a block as a value; `pathId` is 0 without ADD-PATH. */
export interface Nlri {
  readonly prefix: Prefix;
  readonly pathId: number;
}

/** Walks a block: after `next()` returned true, the fields hold a prefix with its host bits cleared. */
export class NlriCursor {
  /** IPv4: the address. IPv6: its first 32 bits, then `w1` to `w3`. */
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
  length = 0;
  pathId = 0;
  readonly #bytes: Uint8Array;
  readonly #addPath: boolean;
  readonly #isIpv4: boolean;
  #at: number;

  /** From the start, or from where the first prefix stands in a message whose block ends with it. */
  constructor(block: NlriBlock, at = 0) {
    this.#at = at;
    this.#bytes = block.bytes;
    this.#addPath = block.addPath;
    this.#isIpv4 = block.family === 4;
  }

  next(): boolean {
    if (this.#at >= this.#bytes.length) return false;
    if (this.#addPath) this.pathId = this.#word(4, 0xffffffff);
    const length = this.#bytes[this.#at] ?? 0;
    this.#at += 1;
    this.length = length;
    const size = (length + 7) >> 3;
    this.w0 = this.#word(Math.min(size, 4), maskWord(length));
    if (this.#isIpv4) return true;
    this.w1 = this.#word(Math.min(Math.max(size - 4, 0), 4), maskWord(length - 32));
    this.w2 = this.#word(Math.min(Math.max(size - 8, 0), 4), maskWord(length - 64));
    this.w3 = this.#word(Math.max(size - 12, 0), maskWord(length - 96));
    return true;
  }

  /** The next `count` bytes as the high bytes of a 32-bit word; RFC 4271 §4.3: bits past the length do not matter. */
  #word(count: number, mask: number): number {
    const bytes = this.#bytes;
    const at = this.#at;
    let word = 0;
    if (count > 0) word = (bytes[at] ?? 0) << 24;
    if (count > 1) word |= (bytes[at + 1] ?? 0) << 16;
    if (count > 2) word |= (bytes[at + 2] ?? 0) << 8;
    if (count > 3) word |= bytes[at + 3] ?? 0;
    this.#at = at + count;
    return (word & mask) >>> 0;
  }
}

/** Takes all that `reader` has left as a block; a prefix that is too long or cut off throws as the reader blames. */
export function decodeNlri(reader: Reader, family: IpFamily, addPath: boolean): NlriBlock {
  const bytes = reader.rest();
  const most = family === 4 ? 32 : 128;
  for (let at = 0; at < bytes.length;) {
    if (addPath) at += 4;
    const length = bytes[at];
    if (length === undefined) reader.fail("a path identifier without a prefix");
    if (length > most) reader.fail(`prefix length ${length} exceeds ${most}`);
    at += 1 + ((length + 7) >> 3);
    if (at > bytes.length) reader.fail("the last prefix is cut off");
  }
  return { family, addPath, bytes };
}

/** Appends one prefix. */
export function encodeNlri(writer: Writer, nlri: Nlri, addPath: boolean): void {
  if (addPath) writer.u32(nlri.pathId);
  const { prefix } = nlri;
  writer.u8(prefix.length);
  const bytes = prefix.family === 4 ? Ipv4.toBytes(prefix.address) : Ipv6.toBytes(prefix.address);
  writer.bytes(bytes.subarray(0, (prefix.length + 7) >> 3));
}

/** A block's prefixes as values: for people and for policies, not for the hot path. */
export function listNlri(block: NlriBlock): Nlri[] {
  const cursor = new NlriCursor(block);
  const list: Nlri[] = [];
  while (cursor.next()) list.push({ prefix: cursorPrefix(cursor, block.family), pathId: cursor.pathId });
  return list;
}

/** The prefix that a cursor stands on. */
export function cursorPrefix(cursor: Readonly<PrefixWords>, family: IpFamily): Prefix {
  return Prefix.of(
    family === 4 ? Ipv4.of(cursor.w0) : ipv6OfWords(cursor.w0, cursor.w1, cursor.w2, cursor.w3),
    cursor.length,
  );
}

/** A prefix as 32-bit words, host bits zero. IPv4 uses `w0` alone. */
export interface PrefixWords {
  w0: number;
  w1: number;
  w2: number;
  w3: number;
  length: number;
}

export function prefixWords(prefix: Prefix): PrefixWords {
  if (prefix.family === 4) return { w0: prefix.address, w1: 0, w2: 0, w3: 0, length: prefix.length };
  const word = (shift: bigint): number => Number((prefix.address >> shift) & 0xffffffffn);
  return { w0: word(96n), w1: word(64n), w2: word(32n), w3: word(0n), length: prefix.length };
}

function ipv6OfWords(w0: number, w1: number, w2: number, w3: number): Ipv6 {
  return Ipv6.of((BigInt(w0) << 96n) | (BigInt(w1) << 64n) | (BigInt(w2) << 32n) | BigInt(w3));
}

function maskWord(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0;
}
