import { type IpAddress, IpAddress as Ip, type IpFamily, Prefix, PrefixIndex, noSlot } from "@caracal/net";

/** Prefixes inside `prefix` with a length from `min` to `max`, both at least its own. */
export interface PrefixPattern {
  readonly prefix: Prefix;
  readonly min: number;
  readonly max: number;
}

/** `10.0.0.0/8`, `10.0.0.0/8 le 24`, `10.0.0.0/8 ge 16 le 24`, `10.0.0.0/8+`. */
export function parsePrefixPattern(text: string): PrefixPattern | undefined {
  const parts = /^([0-9A-Fa-f:./]+?)(?:(\+)|(?:\s+ge\s+(\d{1,3}))?(?:\s+le\s+(\d{1,3}))?)$/.exec(text.trim());
  const prefix = parts?.[1] === undefined ? undefined : Prefix.parse(parts[1]);
  if (parts === null || prefix === undefined) return undefined;
  const longest = prefix.family === 4 ? 32 : 128;
  const [, , plus, ge, le] = parts;
  const min = ge === undefined ? prefix.length : Number(ge);
  const max =
    le === undefined ? (plus === undefined && ge === undefined ? prefix.length : longest) : Number(le);
  return min < prefix.length || max < min || max > longest ? undefined : { prefix, min, max };
}

/**
 * A set of prefixes by prefix and length range. A lookup walks a trie to the longest pattern that covers the prefix and
 * reads one bit, however many patterns there are.
 */
export class PrefixSet {
  readonly #families: Readonly<Record<IpFamily, FamilySet>>;

  constructor(patterns: readonly PrefixPattern[]) {
    this.#families = {
      4: new FamilySet(
        4,
        patterns.filter(({ prefix }) => prefix.family === 4),
      ),
      6: new FamilySet(
        6,
        patterns.filter(({ prefix }) => prefix.family === 6),
      ),
    };
  }

  has(prefix: Prefix): boolean {
    return this.#families[prefix.family].has(prefix.address, prefix.length);
  }

  hasAddress(address: IpAddress): boolean {
    const family = Ip.family(address);
    return this.#families[family].has(address, family === 4 ? 32 : 128);
  }
}

class FamilySet {
  readonly #index: PrefixIndex;
  /** Words of bits for each slot: bit n is set when a prefix of length n is in the set. */
  readonly #stride: 2 | 5;
  readonly #lengths: Uint32Array;

  constructor(family: IpFamily, patterns: readonly PrefixPattern[]) {
    this.#index = new PrefixIndex(family);
    this.#stride = family === 4 ? 2 : 5;
    for (const { prefix } of patterns) this.#index.add(prefix.address, prefix.length);
    this.#lengths = new Uint32Array(this.#index.slotBound * this.#stride);
    for (const { prefix, min, max } of patterns) {
      const slot = this.#index.find(prefix.address, prefix.length);
      for (let length = min; length <= max; length += 1) this.#set(slot, length);
    }
    // Shorter prefixes come first, so what covers a slot is complete when the slot takes it over.
    for (const slot of this.#index.slots()) this.#inherit(slot);
  }

  has(address: IpAddress, length: number): boolean {
    const slot = this.#index.match(address, length);
    if (slot === noSlot) return false;
    const word = this.#lengths[slot * this.#stride + (length >>> 5)] ?? 0;
    return ((word >>> (length & 31)) & 1) === 1;
  }

  #set(slot: number, length: number): void {
    const at = slot * this.#stride + (length >>> 5);
    this.#lengths[at] = (this.#lengths[at] ?? 0) | (1 << (length & 31));
  }

  #inherit(slot: number): void {
    const { address, length } = this.#index.prefixAt(slot);
    const outer = length === 0 ? noSlot : this.#index.match(address, length - 1);
    if (outer === noSlot) return;
    for (let word = 0; word < this.#stride; word += 1) {
      const at = slot * this.#stride + word;
      this.#lengths[at] = (this.#lengths[at] ?? 0) | (this.#lengths[outer * this.#stride + word] ?? 0);
    }
  }
}
