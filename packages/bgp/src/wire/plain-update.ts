import { type IpAddress, type IpFamily } from "@caracal/net";
import { AttributeCode, AttributeFlag } from "../iana.ts";
import { type DecodeContext } from "./attribute-decoder.ts";
import { AttributeScanner } from "./attribute-scanner.ts";
import { headerBytes } from "./header.ts";

/** An UPDATE as nearly all are, left packed: it announces prefixes of one family, with attributes that are canonical. */
export interface PlainUpdate {
  readonly kind: "plainUpdate";
  readonly family: IpFamily;
  readonly addPath: boolean;
  /**
   * The message, or for IPv6 what it says in the same order: its attributes stand from `attributesAt` to `attributesEnd`,
   * and its prefixes from there to the end.
   */
  readonly bytes: Uint8Array;
  readonly attributesAt: number;
  readonly attributesEnd: number;
  readonly nextHop: IpAddress;
  /** AS_PATH length as the decision process counts it. */
  readonly pathLength: number;
}

/** Reads such messages, and leaves all others, and all faults, to `decodeUpdate`. */
export class PlainUpdateDecoder {
  readonly #scanner = new AttributeScanner();

  /** `undefined` for an UPDATE of another kind. */
  decode(bytes: Uint8Array, context: DecodeContext): PlainUpdate | undefined {
    const { as4, external, addPath } = context;
    if (!as4 || u16(bytes, headerBytes) !== 0) return undefined;
    const attributesAt = headerBytes + 4;
    const attributesEnd = attributesAt + u16(bytes, headerBytes + 2);
    const hasPathIds = addPath.includes(4);
    if (attributesEnd === bytes.length) return this.#decode6(bytes, attributesAt, context);
    if (attributesEnd > bytes.length || !isNlri(bytes, attributesEnd, bytes.length, 32, hasPathIds))
      return undefined;
    if (!this.#scanner.scan(bytes, attributesAt, attributesEnd, external)) return undefined;
    const { nextHop, pathLength, reachAt } = this.#scanner;
    // Prefixes of both families.
    if (reachAt !== 0) return undefined;
    return {
      kind: "plainUpdate",
      family: 4,
      addPath: hasPathIds,
      bytes,
      attributesAt,
      attributesEnd,
      nextHop,
      pathLength,
    };
  }

  /** One without prefixes of IPv4, whose attributes end the message. */
  #decode6(
    bytes: Uint8Array,
    attributesAt: number,
    { external, addPath }: DecodeContext,
  ): PlainUpdate | undefined {
    const scanner = this.#scanner;
    const hasPathIds = addPath.includes(6);
    if (!scanner.scan(bytes, attributesAt, bytes.length, external) || scanner.reachAt === 0) return undefined;
    if (!isNlri(bytes, scanner.reachNlriAt, scanner.reachEnd, 128, hasPathIds)) return undefined;
    const { nextHop, pathLength } = scanner;
    return {
      kind: "plainUpdate",
      family: 6,
      addPath: hasPathIds,
      ...reordered(bytes, attributesAt, scanner),
      nextHop,
      pathLength,
    };
  }
}

/** The attributes in canonical form, where MP_REACH_NLRI stands last and has no prefixes, and these after them. */
function reordered(
  bytes: Uint8Array,
  attributesAt: number,
  { reachAt, reachValueAt, reachNlriAt, reachEnd }: AttributeScanner,
): Pick<PlainUpdate, "bytes" | "attributesAt" | "attributesEnd"> {
  const before = reachAt - attributesAt;
  const valueAt = before + (bytes.length - reachEnd) + 4;
  const valueBytes = reachNlriAt - reachValueAt;
  const attributesEnd = valueAt + valueBytes;
  const out = new Uint8Array(attributesEnd + reachEnd - reachNlriAt);
  out.set(bytes.subarray(attributesAt, reachAt));
  out.set(bytes.subarray(reachEnd), before);
  out[valueAt - 4] = AttributeFlag.optional | AttributeFlag.extendedLength;
  out[valueAt - 3] = AttributeCode.mpReachNlri;
  out[valueAt - 1] = valueBytes;
  out.set(bytes.subarray(reachValueAt, reachEnd), valueAt);
  // Reserved: zero when sent, ignored when received.
  out[attributesEnd - 1] = 0;
  return { bytes: out, attributesAt: 0, attributesEnd };
}

function isNlri(bytes: Uint8Array, start: number, end: number, most: 32 | 128, hasPathIds: boolean): boolean {
  let at = start;
  while (at < end) {
    if (hasPathIds) at += 4;
    const length = bytes[at] ?? 255;
    if (length > most) return false;
    at += 1 + ((length + 7) >> 3);
  }
  return at === end;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
