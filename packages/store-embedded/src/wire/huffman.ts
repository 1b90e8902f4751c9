/**
 * Bits of the code of each character from space to `~` (RFC 7541 Appendix B). The code is canonical: codes of one length
 * are consecutive, in the order of the characters, and shorter codes come first.
 */
const bitsOfPrintable =
  "6,10,10,12,13,6,8,11,10,10,8,11,8,6,6,6,5,5,5,6,6,6,6,6,6,6,7,8,15,6,12,10,13,6,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7,7," +
  "7,7,7,7,7,8,7,8,13,19,13,14,6,15,5,6,5,6,5,6,6,6,5,7,7,6,6,6,5,6,7,6,5,5,6,7,7,7,7,7,15,11,14,13";
const firstPrintable = 0x20;
/** Up to this length all codes but one are of printable characters; nothing longer is needed here. */
const longestBits = 12;

/** Characters by length and code, as `length * 2^16 + code`. */
const characters: ReadonlyMap<number, string> = buildTable();

/**
 * The text of a Huffman-coded string (RFC 7541 §5.2), or `undefined` when it holds characters that no authority has: those
 * with codes longer than twelve bits.
 */
export function decodeHuffman(bytes: Uint8Array): string | undefined {
  let text = "";
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      code = (code << 1) | ((byte >> bit) & 1);
      length += 1;
      const character = characters.get(length * 0x1_0000 + code);
      if (character !== undefined) {
        text += character;
        code = 0;
        length = 0;
      } else if (length > longestBits) return undefined;
    }
  }
  // What is left is padding: less than a byte of ones.
  return length < 8 && code === 2 ** length - 1 ? text : undefined;
}

function buildTable(): ReadonlyMap<number, string> {
  const lengths = bitsOfPrintable.split(",").map(Number);
  const table = new Map<number, string>();
  let code = 0;
  for (let length = 5; length <= longestBits; length += 1) {
    for (const [index, bits] of lengths.entries()) {
      if (bits !== length) continue;
      table.set(length * 0x1_0000 + code, String.fromCharCode(firstPrintable + index));
      code += 1;
    }
    code <<= 1;
  }
  return table;
}
