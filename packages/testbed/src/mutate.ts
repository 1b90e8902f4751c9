import { type Dice } from "./dice.ts";

/** Where lengths and counts turn over. */
const edges = [0, 1, 2, 3, 4, 15, 16, 17, 31, 32, 33, 63, 64, 127, 128, 129, 254, 255] as const;

/** Damages bytes from `from` on in a few places, as a faulty or hostile sender would. */
export function mutateBytes(dice: Dice, original: Uint8Array, from = 0): Uint8Array {
  const bytes = [...original];
  for (let count = 1 + dice.below(4); count > 0; count -= 1) {
    const at = from + dice.below(Math.max(1, bytes.length - from));
    switch (dice.below(8)) {
      case 0:
        bytes[at] = dice.below(256);
        break;
      case 1:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << dice.below(8));
        break;
      case 2:
        bytes[at] = dice.pick(edges);
        break;
      case 3:
        bytes[at] = ((bytes[at] ?? 0) + (dice.chance(0.5) ? 1 : 255)) & 255;
        break;
      case 4:
        bytes.splice(at, 1 + dice.below(4));
        break;
      case 5:
        bytes.splice(at, 0, ...dice.bytes(1 + dice.below(4)));
        break;
      case 6:
        // The same again, as a repeated attribute or prefix.
        bytes.splice(at, 0, ...bytes.slice(at, at + 1 + dice.below(24)));
        break;
      default:
        bytes.length = Math.max(from, at);
    }
  }
  return Uint8Array.from(bytes);
}

/** The same for text; `words` are put in where they may hurt. */
export function mutateText(dice: Dice, original: string, words: readonly string[]): string {
  let text = original;
  for (let count = 1 + dice.below(4); count > 0; count -= 1) {
    const at = dice.below(text.length + 1);
    const end = Math.min(text.length, at + 1 + dice.below(12));
    const [before, part, after] = [text.slice(0, at), text.slice(at, end), text.slice(end)];
    switch (dice.below(5)) {
      case 0:
        text = before + after;
        break;
      case 1:
        text = before + part + part + after;
        break;
      case 2:
        text = before + dice.pick(words) + part + after;
        break;
      case 3:
        text = before + dice.pick(words) + after;
        break;
      default:
        text = before + String.fromCharCode(dice.below(dice.chance(0.8) ? 128 : 65536)) + after;
    }
  }
  return text;
}
