import { decodeHuffman } from "./huffman.ts";

/** `:authority` in HPACK's static table (RFC 7541 Appendix A). */
const authorityIndex = 1;
const authorityName = ":authority";
/** What RFC 3986 §3.2 lets an authority hold. */
const validAuthority = /^[A-Za-z0-9._~!$&'()*+,;=:@%[\]-]*$/;
const invalidCharacter = /[^A-Za-z0-9._~!$&'()*+,;=:@%[\]-]/g;

/** One instruction of a header block: where it ends, and the value it sets if it sets `:authority`. */
interface Instruction {
  readonly end: number;
  readonly authority?: { readonly from: number; readonly to: number; readonly text: string };
}

/**
 * A header block (HPACK, RFC 7541) whose `:authority` is one. Some etcd clients name a socket's path or a whole URL there;
 * Node's HTTP/2 refuses such requests before anyone could see them. The replacement is as long as the original, because
 * both sides count the length of what they remember (RFC 7541 §4.1). Returns the same block when there is nothing to do.
 */
export function repairAuthority(block: Uint8Array): Uint8Array {
  for (let at = 0; at < block.length;) {
    const instruction = readInstruction(block, at);
    if (instruction === undefined) return block;
    const { end, authority } = instruction;
    if (authority !== undefined && !validAuthority.test(authority.text)) {
      const repaired = encodeString(authority.text.replaceAll(invalidCharacter, "-"));
      return Buffer.concat([block.subarray(0, authority.from), repaired, block.subarray(authority.to)]);
    }
    at = end;
  }
  return block;
}

/**
 * RFC 7541 §6, by the first bits:
 * `1` indexed | `01` literal, remembered | `001` table size | `0001` and `0000` literal, not remembered
 */
function readInstruction(block: Uint8Array, at: number): Instruction | undefined {
  const first = block[at] ?? 0;
  if (first >= 0x80) return skipInteger(block, at, 7);
  if (first >= 0x20 && first < 0x40) return skipInteger(block, at, 5);
  const index = readInteger(block, at, first >= 0x40 ? 6 : 4);
  if (index === undefined) return undefined;
  let from = index.end;
  let isAuthority = index.value === authorityIndex;
  if (index.value === 0) {
    const name = readString(block, from);
    if (name === undefined) return undefined;
    from = name.end;
    isAuthority = name.text === authorityName;
  }
  const value = readString(block, from);
  if (value === undefined) return undefined;
  if (!isAuthority || value.text === undefined) return { end: value.end };
  return { end: value.end, authority: { from, to: value.end, text: value.text } };
}

function skipInteger(block: Uint8Array, at: number, prefixBits: number): Instruction | undefined {
  const integer = readInteger(block, at, prefixBits);
  return integer === undefined ? undefined : { end: integer.end };
}

/** RFC 7541 §5.1. Numbers here are indexes and lengths of a frame: more than four bytes are malformed. */
function readInteger(
  block: Uint8Array,
  at: number,
  prefixBits: number,
): { readonly value: number; readonly end: number } | undefined {
  const most = 2 ** prefixBits - 1;
  const prefix = (block[at] ?? 0) & most;
  if (prefix < most) return at < block.length ? { value: prefix, end: at + 1 } : undefined;
  let value = most;
  for (let offset = 0; offset < 4; offset += 1) {
    const byte = block[at + 1 + offset];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * offset);
    if (byte < 0x80) return { value, end: at + 2 + offset };
  }
  return undefined;
}

/** RFC 7541 §5.2. The text is `undefined` when no authority looks like that. */
function readString(
  block: Uint8Array,
  at: number,
): { readonly text: string | undefined; readonly end: number } | undefined {
  const length = readInteger(block, at, 7);
  if (length === undefined || length.end + length.value > block.length) return undefined;
  const end = length.end + length.value;
  const bytes = block.subarray(length.end, end);
  const isHuffman = (block[at] ?? 0) >= 0x80;
  return { text: isHuffman ? decodeHuffman(bytes) : Buffer.from(bytes).toString("latin1"), end };
}

/** As plain bytes, not Huffman-coded. */
function encodeString(text: string): Uint8Array {
  const bytes = Buffer.from(text, "latin1");
  if (bytes.length < 0x7f) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const length: number[] = [0x7f];
  let rest = bytes.length - 0x7f;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) length.push((rest % 0x80) | 0x80);
  return Buffer.concat([Buffer.of(...length, rest), bytes]);
}
