import { grown, grownBytes, growthFactor } from "./columns.ts";

/** Below this it is not worth while to close gaps. */
const minGapBytes = 1 << 16;

/** Byte strings by small numbers, side by side in one buffer: an array for each would cost more than its bytes. */
export class ByteStore {
  #bytes: Uint8Array = new Uint8Array(4096);
  #used = 0;
  #gapBytes = 0;
  #starts = new Uint32Array(64);
  #lengths = new Uint32Array(64);
  /** The view given last; -1: none. */
  #viewedId = -1;
  #view: Uint8Array = this.#bytes;

  /** Bytes that fit without growing. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** A view, valid until the next `set`. */
  get(id: number): Uint8Array {
    // A view costs more than what is read through it, and the same string is asked for several times in a row.
    if (id === this.#viewedId) return this.#view;
    const start = this.#starts[id] ?? 0;
    this.#view = this.#bytes.subarray(start, start + (this.#lengths[id] ?? 0));
    this.#viewedId = id;
    return this.#view;
  }

  equals(id: number, bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#lengths[id] !== to - from) return false;
    const own = this.#bytes;
    const shift = (this.#starts[id] ?? 0) - from;
    for (let at = from; at < to; at += 1) if (own[at + shift] !== bytes[at]) return false;
    return true;
  }

  /** Copies a part of `bytes`, which must not be a view of this store. `id` has none yet. */
  set(id: number, bytes: Uint8Array, from: number, to: number): void {
    const length = to - from;
    this.#viewedId = -1;
    if (this.#used + length > this.#bytes.length) this.#makeRoom(length);
    if (id >= this.#starts.length) {
      this.#starts = grown(this.#starts, id * growthFactor);
      this.#lengths = grown(this.#lengths, id * growthFactor);
    }
    const start = this.#used;
    for (let index = 0; index < length; index += 1) this.#bytes[start + index] = bytes[from + index] ?? 0;
    this.#starts[id] = start;
    this.#lengths[id] = length;
    this.#used += length;
  }

  delete(id: number): void {
    this.#gapBytes += this.#lengths[id] ?? 0;
    this.#lengths[id] = 0;
    if (id === this.#viewedId) this.#viewedId = -1;
  }

  /** Closes gaps if they are as much as what is used, else grows. */
  #makeRoom(length: number): void {
    const live = this.#used - this.#gapBytes;
    if (this.#gapBytes < minGapBytes || this.#gapBytes < live) {
      this.#bytes = grownBytes(this.#bytes, Math.max(this.#bytes.length * growthFactor, this.#used + length));
      return;
    }
    const packed = new Uint8Array(Math.max(this.#bytes.length, live + length));
    let used = 0;
    for (let id = 0; id < this.#starts.length; id += 1) {
      if (this.#lengths[id] === 0) continue;
      const start = this.#starts[id] ?? 0;
      packed.set(this.#bytes.subarray(start, start + (this.#lengths[id] ?? 0)), used);
      this.#starts[id] = used;
      used += this.#lengths[id] ?? 0;
    }
    this.#bytes = packed;
    this.#used = used;
    this.#gapBytes = 0;
  }
}
