import { type IpFamily, type Ipv4 } from "@caracal/net";
import { type DecodeContext } from "./attribute-decoder.ts";
import { AttributeScanner } from "./attribute-scanner.ts";
import { headerBytes } from "./header.ts";

/** An UPDATE as nearly all are, left packed: it announces IPv4 prefixes, with attributes that are canonical. */
export interface PlainUpdate {
  readonly kind: "plainUpdate";
  readonly family: IpFamily;
  readonly addPath: boolean;
  /** The message; its attributes stand from `attributesAt` to `attributesEnd`, and its prefixes from there to the end. */
  readonly bytes: Uint8Array;
  readonly attributesAt: number;
  readonly attributesEnd: number;
  readonly nextHop: Ipv4;
  /** AS_PATH length as the decision process counts it. */
  readonly pathLength: number;
}

/** Reads such messages, and leaves all others, and all faults, to `decodeUpdate`. */
export class PlainUpdateDecoder {
  readonly #scanner = new AttributeScanner();

  /** `undefined` for an UPDATE of another kind. */
  decode(bytes: Uint8Array, { as4, external, addPath }: DecodeContext): PlainUpdate | undefined {
    if (!as4 || u16(bytes, headerBytes) !== 0) return undefined;
    const attributesAt = headerBytes + 4;
    const attributesEnd = attributesAt + u16(bytes, headerBytes + 2);
    const hasPathIds = addPath.includes(4);
    if (attributesEnd >= bytes.length || !isNlri(bytes, attributesEnd, hasPathIds)) return undefined;
    if (!this.#scanner.scan(bytes, attributesAt, attributesEnd, external)) return undefined;
    const { nextHop, pathLength } = this.#scanner;
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
}

function isNlri(bytes: Uint8Array, start: number, hasPathIds: boolean): boolean {
  let at = start;
  while (at < bytes.length) {
    if (hasPathIds) at += 4;
    const length = bytes[at] ?? 255;
    if (length > 32) return false;
    at += 1 + ((length + 7) >> 3);
  }
  return at === bytes.length;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
