import { type IpFamily, type Prefix, type Writer } from "@caracal/net";
import { type PrefixWords, cursorPrefix } from "../wire/nlri.ts";
import { grown, grownBytes, growthFactor } from "./columns.ts";

/** Index of a prefix in its family's table; 0 is none. */
export type PrefixSlot = number;

const initialCapacity = 64;

/** Buckets for each slot: at most half are taken, so that a search that finds nothing is short. */
const bucketsPerSlot = 2;

/** Neighbouring prefixes of one length fall into one run of as many buckets, which is half a line of the cache. */
const lineBits = 3;
const placeMask: number = (1 << lineBits) - 1;

/**
 * Gives each prefix of a family a small number, found by exact match. Typed arrays only: no object for a prefix. The
 * hash table is open (linear probing), and a bucket has bits of the hash above the slot, so that a search touches the
 * prefixes themselves only where it finds one:
 *
 *     | the hash's high bits | slot, in as many bits as the table's capacity needs; 0 in an empty bucket |
 */
export class PrefixSlots {
  readonly family: IpFamily;
  readonly #wordCount: 1 | 4;
  readonly #seed: number;
  /** `#wordCount` words for each slot. */
  #words: Uint32Array;
  #lengths = new Uint8Array(initialCapacity);
  #buckets = new Uint32Array(initialCapacity * bucketsPerSlot);
  #bucketMask: number = initialCapacity * bucketsPerSlot - 1;
  /** What of a bucket is its slot. */
  #slotMask: number = initialCapacity - 1;
  /** The empty bucket that ended the last search without a find. */
  #vacant = 0;
  #used = 1;
  #size = 0;
  /** Freed slots, chained through their first word. */
  #free: PrefixSlot = 0;

  /** `seed`: bits that no peer can guess, or it could choose prefixes that all fall into one place. */
  constructor(family: IpFamily, seed = 1) {
    this.family = family;
    // Small enough to stay a machine's integer.
    this.#seed = seed & 0x3fffffff;
    this.#wordCount = family === 4 ? 1 : 4;
    this.#words = new Uint32Array(initialCapacity * this.#wordCount);
  }

  get size(): number {
    return this.#size;
  }

  /** One past the highest slot ever given; columns beside this table need that many values. */
  get bound(): number {
    return this.#used;
  }

  get capacity(): number {
    return this.#lengths.length;
  }

  /** The longest run of buckets that are taken: what a search may have to walk. */
  get longestRun(): number {
    let [longest, run] = [0, 0];
    for (const bucket of this.#buckets) {
      run = bucket === 0 ? 0 : run + 1;
      longest = Math.max(longest, run);
    }
    return longest;
  }

  /** The slot of a prefix, or 0. */
  find(prefix: Readonly<PrefixWords>): PrefixSlot {
    return this.#search(prefix, this.#hash(prefix.w0, prefix.w1, prefix.w2, prefix.w3, prefix.length));
  }

  /** The slot of a prefix, which gets one if it has none. */
  take(prefix: Readonly<PrefixWords>): PrefixSlot {
    const hash = this.#hash(prefix.w0, prefix.w1, prefix.w2, prefix.w3, prefix.length);
    const found = this.#search(prefix, hash);
    return found === 0 ? this.#insert(prefix, hash) : found;
  }

  /** Forgets a prefix; its slot may be given to another. */
  drop(slot: PrefixSlot): void {
    this.#unlink(slot);
    this.#words[slot * this.#wordCount] = this.#free;
    this.#free = slot;
    this.#lengths[slot] = 255;
    this.#size -= 1;
  }

  has(slot: PrefixSlot): boolean {
    return slot > 0 && slot < this.#used && this.#lengths[slot] !== 255;
  }

  prefix(slot: PrefixSlot): Prefix {
    const at = slot * this.#wordCount;
    const words = this.#words;
    return cursorPrefix(
      {
        w0: words[at] ?? 0,
        w1: words[at + 1] ?? 0,
        w2: words[at + 2] ?? 0,
        w3: words[at + 3] ?? 0,
        length: this.#lengths[slot] ?? 0,
      },
      this.family,
    );
  }

  /** Appends the prefix as it stands in an UPDATE (RFC 4271 §4.3). */
  write(writer: Writer, slot: PrefixSlot): void {
    const wordCount = this.#wordCount;
    const first = slot * wordCount;
    const length = this.#lengths[slot] ?? 0;
    const start = writer.length;
    const bytes = writer.room(1 + wordCount * 4);
    bytes[start] = length;
    // Whole words: to look for the last byte that counts would take longer.
    for (let index = 0; index < wordCount; index += 1) {
      const word = this.#words[first + index] ?? 0;
      const at = start + 1 + index * 4;
      bytes[at] = word >>> 24;
      bytes[at + 1] = word >>> 16;
      bytes[at + 2] = word >>> 8;
      bytes[at + 3] = word;
    }
    writer.advance(1 + ((length + 7) >> 3));
  }

  #search(prefix: Readonly<PrefixWords>, hash: number): PrefixSlot {
    const buckets = this.#buckets;
    const mask = this.#bucketMask;
    const slotMask = this.#slotMask;
    let at = hash & mask;
    for (let bucket = buckets[at] ?? 0; bucket !== 0; bucket = buckets[at] ?? 0) {
      const slot = bucket & slotMask;
      if (((bucket ^ hash) & ~slotMask) === 0 && this.#holds(slot, prefix)) return slot;
      at = (at + 1) & mask;
    }
    this.#vacant = at;
    return 0;
  }

  /** Only called after a search that found nothing. */
  #insert(prefix: Readonly<PrefixWords>, hash: number): PrefixSlot {
    let slot = this.#free;
    if (slot !== 0) {
      this.#free = this.#words[slot * this.#wordCount] ?? 0;
    } else {
      if (this.#used === this.#lengths.length) {
        this.#grow();
        this.#search(prefix, hash);
      }
      slot = this.#used;
      this.#used += 1;
    }
    const at = slot * this.#wordCount;
    this.#words[at] = prefix.w0;
    if (this.#wordCount === 4) {
      this.#words[at + 1] = prefix.w1;
      this.#words[at + 2] = prefix.w2;
      this.#words[at + 3] = prefix.w3;
    }
    this.#lengths[slot] = prefix.length;
    this.#size += 1;
    this.#buckets[this.#vacant] = slot | (hash & ~this.#slotMask);
    return slot;
  }

  /** Empties a bucket and moves up what a search would not reach any more over the gap. */
  #unlink(slot: PrefixSlot): void {
    const buckets = this.#buckets;
    const mask = this.#bucketMask;
    const slotMask = this.#slotMask;
    let gap = this.#hashOfSlot(slot) & mask;
    while (((buckets[gap] ?? 0) & slotMask) !== slot) gap = (gap + 1) & mask;
    for (let at = (gap + 1) & mask; buckets[at] !== 0; at = (at + 1) & mask) {
      const bucket = buckets[at] ?? 0;
      const home = this.#hashOfSlot(bucket & slotMask) & mask;
      const isReachable = ((at - home) & mask) < ((at - gap) & mask);
      if (isReachable) continue;
      buckets[gap] = bucket;
      gap = at;
    }
    buckets[gap] = 0;
  }

  /**
   * In large steps: all prefixes get new buckets, at random places. Only called when every slot is in use, so the chain of
   * free slots is empty.
   */
  #grow(): void {
    const capacity = this.#lengths.length * growthFactor;
    this.#words = grown(this.#words, capacity * this.#wordCount);
    this.#lengths = grownBytes(this.#lengths, capacity);
    this.#slotMask = capacity - 1;
    this.#bucketMask = capacity * bucketsPerSlot - 1;
    this.#buckets = new Uint32Array(capacity * bucketsPerSlot);
    const buckets = this.#buckets;
    const mask = this.#bucketMask;
    for (let slot = 1; slot < this.#used; slot += 1) {
      const hash = this.#hashOfSlot(slot);
      let at = hash & mask;
      while (buckets[at] !== 0) at = (at + 1) & mask;
      buckets[at] = slot | (hash & ~this.#slotMask);
    }
  }

  #holds(slot: PrefixSlot, prefix: Readonly<PrefixWords>): boolean {
    const at = slot * this.#wordCount;
    const words = this.#words;
    if (words[at] !== prefix.w0 || this.#lengths[slot] !== prefix.length) return false;
    if (this.#wordCount === 1) return true;
    return words[at + 1] === prefix.w1 && words[at + 2] === prefix.w2 && words[at + 3] === prefix.w3;
  }

  #hashOfSlot(slot: PrefixSlot): number {
    const at = slot * this.#wordCount;
    const words = this.#words;
    const length = this.#lengths[slot] ?? 0;
    if (this.#wordCount === 1) return this.#hash(words[at] ?? 0, 0, 0, 0, length);
    return this.#hash(words[at] ?? 0, words[at + 1] ?? 0, words[at + 2] ?? 0, words[at + 3] ?? 0, length);
  }

  #hash(w0: number, w1: number, w2: number, w3: number, length: number): number {
    if (this.#wordCount === 1) {
      const network = length === 0 ? 0 : w0 >>> (32 - length);
      const others = Math.imul((network >>> lineBits) + this.#seed, 0x85ebca6b);
      return inLine(mixed(others ^ (length * 0x9e3779b1)), network & placeMask);
    }
    const lastBit = Math.max(length - 1, 0);
    const shift = 31 - (lastBit & 31);
    const place = ((lastBit < 32 ? w0 : lastBit < 64 ? w1 : lastBit < 96 ? w2 : w3) >>> shift) & placeMask;
    // Taken out of the word that it is in, as it chooses the place only.
    const placed = place << shift;
    const first = lastBit < 32 ? w0 ^ placed : w0;
    let hash = Math.imul((first ^ (length * 0x9e3779b1)) + this.#seed, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15) ^ (lastBit >> 5 === 1 ? w1 ^ placed : w1), 0xc2b2ae35);
    hash = Math.imul(hash ^ (hash >>> 13) ^ (lastBit >> 5 === 2 ? w2 ^ placed : w2), 0x27d4eb2f);
    return inLine(
      mixed(Math.imul(hash ^ (hash >>> 16) ^ (lastBit >= 96 ? w3 ^ placed : w3), 0x165667b1)),
      place,
    );
  }
}

/**
 * The last bits of the network choose the place in the line, all others the line. They stand in the highest bits again,
 * which tell apart those that share a line.
 */
function inLine(line: number, place: number): number {
  return ((line & ~placeMask) | place) ^ (place << (32 - lineBits));
}

function mixed(value: number): number {
  const hash = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}
