/** Appends to a buffer that grows up to `limitBytes`; past it `RangeError` is thrown and the writer is unusable. */
export class Writer {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;
  readonly #limit: number;

  constructor(initialBytes = 256, limitBytes: number = 1 << 24) {
    this.#bytes = new Uint8Array(Math.min(initialBytes, limitBytes));
    this.#view = new DataView(this.#bytes.buffer);
    this.#limit = limitBytes;
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#grow(1).setUint8(this.#length - 1, value);
  }

  /** Network order. */
  u16(value: number): void {
    this.#grow(2).setUint16(this.#length - 2, value);
  }

  /** Network order. */
  u32(value: number): void {
    this.#grow(4).setUint32(this.#length - 4, value);
  }

  /** Network order. */
  u64(value: bigint): void {
    this.#grow(8).setBigUint64(this.#length - 8, value);
  }

  u16le(value: number): void {
    this.#grow(2).setUint16(this.#length - 2, value, true);
  }

  u32le(value: number): void {
    this.#grow(4).setUint32(this.#length - 4, value, true);
  }

  i32le(value: number): void {
    this.#grow(4).setInt32(this.#length - 4, value, true);
  }

  u64le(value: bigint): void {
    this.#grow(8).setBigUint64(this.#length - 8, value, true);
  }

  bytes(value: Uint8Array): void {
    // Growing first: it may replace the buffer.
    this.#grow(value.length);
    this.#bytes.set(value, this.#length - value.length);
  }

  /**
   * The buffer itself, with room for at least `count` bytes from `length` on: for loops that write many small values, and
   * say by `advance` how many bytes these were. Valid until anything else is written.
   */
  room(count: number): Uint8Array {
    const at = this.#length;
    this.#grow(count);
    this.#length = at;
    return this.#bytes;
  }

  /** Counts the next `count` bytes, which were written to `room`. */
  advance(count: number): void {
    this.#grow(count);
  }

  zeros(count: number): void {
    this.#grow(count);
    this.#bytes.fill(0, this.#length - count, this.#length);
  }

  /** Overwrites what stands at `offset`, which must be written already: for length fields known only later. */
  patchU8(offset: number, value: number): void {
    this.#view.setUint8(this.#written(offset, 1), value);
  }

  patchU16(offset: number, value: number): void {
    this.#view.setUint16(this.#written(offset, 2), value);
  }

  patchU16le(offset: number, value: number): void {
    this.#view.setUint16(this.#written(offset, 2), value, true);
  }

  patchU32le(offset: number, value: number): void {
    this.#view.setUint32(this.#written(offset, 4), value, true);
  }

  /** Forgets all after the first `length` bytes. */
  truncate(length: number): void {
    this.#length = this.#written(length, 0);
  }

  /** A view of what was written; the next write may change it. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #written(offset: number, count: number): number {
    if (offset < 0 || offset + count > this.#length) {
      throw new RangeError(`offset ${offset} is outside the ${this.#length} bytes written`);
    }
    return offset;
  }

  /** Makes room for `count` more bytes, which end at the new length, and gives the view of the buffer that has it. */
  #grow(count: number): DataView {
    const at = this.#length;
    const needed = at + count;
    if (needed > this.#bytes.length) {
      if (needed > this.#limit) throw new RangeError(`${needed} bytes exceed the limit of ${this.#limit}`);
      const larger = new Uint8Array(Math.min(this.#limit, Math.max(needed, this.#bytes.length * 2)));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#length = needed;
    return this.#view;
  }
}
