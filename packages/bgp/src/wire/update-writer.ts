import { IpAddress, type IpFamily, Writer } from "@caracal/net";
import { Afi, AttributeCode, AttributeFlag, MessageType } from "../iana.ts";
import { encodeAs4Attributes, encodeAttributes, encodeMpUnreach } from "./attribute-encoder.ts";
import { encodeCanonical, encodeNextHopOnly, findAttribute } from "./canonical-attributes.ts";
import { beginFrame, endFrame, headerBytes, maxMessageBytes as plainMessageBytes } from "./header.ts";
import { type PathAttributes } from "./path-attributes.ts";

/** Appends prefix number `index` of the run, path identifier first where ADD-PATH is on. */
export type WriteNlri = (writer: Writer, index: number) => void;

/** What the receivers agreed to read. */
export interface UpdateEncoding {
  readonly family: IpFamily;
  readonly addPath: boolean;
  readonly as4: boolean;
  /** IPv4 routes may have IPv6 next hops (RFC 8950). */
  readonly extendedNextHop?: boolean;
  /** The longest message that they take (RFC 8654 §4); absent: 4,096 bytes. */
  readonly maxMessageBytes?: number;
}

/** A batch is bounded by its table; this only keeps a fault from taking all memory. */
const maxBatchBytes = 1 << 30;

/** Writes UPDATE messages one after the other, each as full of prefixes as it may be. */
export class UpdateWriter {
  readonly #out: Writer = new Writer(4096, maxBatchBytes);
  readonly #attributes: Writer = new Writer(256, 1 << 17);
  readonly #encoding: UpdateEncoding;
  readonly #maxNlriBytes: number;
  readonly #maxBytes: number;

  constructor(encoding: UpdateEncoding) {
    this.#encoding = encoding;
    this.#maxBytes = encoding.maxMessageBytes ?? plainMessageBytes;
    this.#maxNlriBytes = (encoding.addPath ? 4 : 0) + 1 + (encoding.family === 4 ? 4 : 16);
  }

  get length(): number {
    return this.#out.length;
  }

  /** A copy of all messages since the last call. */
  take(): Uint8Array {
    const bytes = this.#out.finish();
    this.#out.truncate(0);
    return bytes;
  }

  /** Announces `count` prefixes. False, and nothing is written, when the attributes leave no room for a prefix. */
  announce(attributes: PathAttributes, count: number, write: WriteNlri): boolean {
    const encoded = this.#attributes;
    encoded.truncate(0);
    if (this.#encoding.as4) {
      encodeCanonical(encoded, attributes);
    } else {
      encodeAttributes(encoded, attributes, false);
      encodeAs4Attributes(encoded, attributes);
      if (!hasIpv4NextHop(attributes)) encodeNextHopOnly(encoded, attributes);
    }
    return this.announceEncoded(encoded.view(), count, write);
  }

  /** The same with attributes in canonical form, which a peer with four-octet AS numbers can read. */
  announceEncoded(attributes: Uint8Array, count: number, write: WriteNlri): boolean {
    const fixedBytes = headerBytes + 4 + attributes.length;
    if (fixedBytes + this.#maxNlriBytes > this.#maxBytes) return false;
    const isPlain = this.#encoding.family === 4 && this.#encoding.extendedNextHop !== true;
    const reachAt = isPlain ? -1 : findAttribute(attributes, AttributeCode.mpReachNlri);
    for (let index = 0; index < count;) {
      index =
        reachAt < 0
          ? this.#reach4(attributes, index, count, write)
          : this.#reach6(attributes, reachAt, index, count, write);
    }
    return true;
  }

  withdraw(count: number, write: WriteNlri): void {
    const out = this.#out;
    for (let index = 0; index < count;) {
      const start = beginFrame(out, MessageType.update);
      const room = (): boolean => out.length - start + this.#maxNlriBytes <= this.#maxBytes - 2;
      if (this.#encoding.family === 4) {
        out.u16(0);
        while (index < count && room()) write(out, index++);
        out.patchU16(start + headerBytes, out.length - start - headerBytes - 2);
        out.u16(0);
      } else {
        out.u32(0);
        encodeMpUnreach(out, 6, () => {
          while (index < count && room()) write(out, index++);
        });
        out.patchU16(start + headerBytes + 2, out.length - start - headerBytes - 4);
      }
      endFrame(out, start);
    }
  }

  /** RFC 4724 §2. */
  endOfRib(): void {
    const out = this.#out;
    const start = beginFrame(out, MessageType.update);
    out.u16(0);
    if (this.#encoding.family === 4) {
      out.u16(0);
    } else {
      out.u16(6);
      out.u8(AttributeFlag.optional);
      out.u8(AttributeCode.mpUnreachNlri);
      out.u8(3);
      out.u16(2);
      out.u8(1);
    }
    endFrame(out, start);
  }

  #reach4(attributes: Uint8Array, from: number, count: number, write: WriteNlri): number {
    const out = this.#out;
    const start = beginFrame(out, MessageType.update);
    out.u16(0);
    out.u16(attributes.length);
    out.bytes(attributes);
    const last = start + this.#maxBytes - this.#maxNlriBytes;
    let index = from;
    while (index < count && out.length <= last) write(out, index++);
    endFrame(out, start);
    return index;
  }

  /** RFC 7606 §5.1: MP_REACH_NLRI, the last attribute of canonical bytes, stands first. */
  #reach6(attributes: Uint8Array, reachAt: number, from: number, count: number, write: WriteNlri): number {
    const out = this.#out;
    const start = beginFrame(out, MessageType.update);
    out.u32(0);
    const lengthAt = out.length + 2;
    out.bytes(attributes.subarray(reachAt));
    const last = start + this.#maxBytes - this.#maxNlriBytes - reachAt;
    let index = from;
    while (index < count && out.length <= last) write(out, index++);
    out.patchU16(lengthAt, out.length - lengthAt - 2);
    // RFC 8950 §3: the family is that of the prefixes, whatever that of the next hop.
    if (this.#encoding.family === 4) out.patchU16(lengthAt + 2, Afi.ipv4);
    out.bytes(attributes.subarray(0, reachAt));
    out.patchU16(start + headerBytes + 2, out.length - start - headerBytes - 4);
    endFrame(out, start);
    return index;
  }
}

function hasIpv4NextHop({ nextHop }: PathAttributes): boolean {
  return nextHop === undefined || IpAddress.isIpv4(nextHop);
}
