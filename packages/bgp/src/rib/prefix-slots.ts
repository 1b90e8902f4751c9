import { type IpFamily, type Prefix, type Writer } from "@caracal/net";
import { type PrefixWords, cursorPrefix } from "../wire/nlri.ts";
import { grown, grownBytes } from "./columns.ts";

/** Index of a prefix in its family's table; 0 is none. */
export type PrefixSlot = number;

const initialCapacity = 64;

/** Gives each prefix of a family a small number, found by exact match. Typed arrays only: no object for a prefix. */
export class PrefixSlots {
  readonly family: IpFamily;
  readonly #wordCount: 1 | 4;
  /** `#wordCount` words for each slot. */
  #words: Uint32Array;
  #lengths = new Uint8Array(initialCapacity);
  #next = new Uint32Array(initialCapacity);
  #buckets = new Uint32Array(initialCapacity);
  #used = 1;
  #size = 0;
  /** Freed slots, chained through `#next`. */
  #free: PrefixSlot = 0;

  constructor(family: IpFamily) {
    this.family = family;
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

  /** The slot of a prefix, or 0. */
  find(prefix: Readonly<PrefixWords>): PrefixSlot {
    let slot = this.#buckets[this.#bucketOf(prefix.w0, prefix.w1, prefix.w2, prefix.w3, prefix.length)] ?? 0;
    while (slot !== 0 && !this.#holds(slot, prefix)) slot = this.#next[slot] ?? 0;
    return slot;
  }

  /** The slot of a prefix, which gets one if it has none. */
  take(prefix: Readonly<PrefixWords>): PrefixSlot {
    const found = this.find(prefix);
    return found === 0 ? this.#insert(prefix) : found;
  }

  /** Forgets a prefix; its slot may be given to another. */
  drop(slot: PrefixSlot): void {
    const bucket = this.#bucketOfSlot(slot);
    const following = this.#next[slot] ?? 0;
    if (this.#buckets[bucket] === slot) {
      this.#buckets[bucket] = following;
    } else {
      let previous = this.#buckets[bucket] ?? 0;
      while (this.#next[previous] !== slot) previous = this.#next[previous] ?? 0;
      this.#next[previous] = following;
    }
    this.#next[slot] = this.#free;
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
    const length = this.#lengths[slot] ?? 0;
    writer.u8(length);
    let at = slot * this.#wordCount;
    let left = (length + 7) >> 3;
    for (; left >= 4; left -= 4) writer.u32(this.#words[at++] ?? 0);
    const word = this.#words[at] ?? 0;
    if (left > 0) writer.u8(word >>> 24);
    if (left > 1) writer.u8((word >>> 16) & 255);
    if (left > 2) writer.u8((word >>> 8) & 255);
  }

  #insert(prefix: Readonly<PrefixWords>): PrefixSlot {
    let slot = this.#free;
    if (slot !== 0) {
      this.#free = this.#next[slot] ?? 0;
    } else {
      if (this.#used === this.#lengths.length) this.#grow();
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
    this.#link(slot);
    this.#size += 1;
    return slot;
  }

  #link(slot: PrefixSlot): void {
    const bucket = this.#bucketOfSlot(slot);
    this.#next[slot] = this.#buckets[bucket] ?? 0;
    this.#buckets[bucket] = slot;
  }

  /** Only called when every slot is in use, so the chain of free slots is empty. */
  #grow(): void {
    const capacity = this.#lengths.length * 2;
    this.#words = grown(this.#words, capacity * this.#wordCount);
    this.#lengths = grownBytes(this.#lengths, capacity);
    this.#next = new Uint32Array(capacity);
    this.#buckets = new Uint32Array(capacity);
    for (let slot = 1; slot < this.#used; slot += 1) this.#link(slot);
  }

  #holds(slot: PrefixSlot, prefix: Readonly<PrefixWords>): boolean {
    const at = slot * this.#wordCount;
    const words = this.#words;
    if (words[at] !== prefix.w0 || this.#lengths[slot] !== prefix.length) return false;
    if (this.#wordCount === 1) return true;
    return words[at + 1] === prefix.w1 && words[at + 2] === prefix.w2 && words[at + 3] === prefix.w3;
  }

  #bucketOfSlot(slot: PrefixSlot): number {
    const at = slot * this.#wordCount;
    const words = this.#words;
    const length = this.#lengths[slot] ?? 0;
    if (this.#wordCount === 1) return this.#bucketOf(words[at] ?? 0, 0, 0, 0, length);
    return this.#bucketOf(words[at] ?? 0, words[at + 1] ?? 0, words[at + 2] ?? 0, words[at + 3] ?? 0, length);
  }

  #bucketOf(w0: number, w1: number, w2: number, w3: number, length: number): number {
    let hash = Math.imul(w0 ^ (length * 0x9e3779b1), 0x85ebca6b);
    if (this.#wordCount === 4) {
      hash = Math.imul(hash ^ (hash >>> 15) ^ w1, 0xc2b2ae35);
      hash = Math.imul(hash ^ (hash >>> 13) ^ w2, 0x27d4eb2f);
      hash = Math.imul(hash ^ (hash >>> 16) ^ w3, 0x165667b1);
    }
    hash ^= hash >>> 15;
    hash = Math.imul(hash, 0x2c1b3c6d);
    return ((hash ^ (hash >>> 13)) >>> 0) & (this.#buckets.length - 1);
  }
}
