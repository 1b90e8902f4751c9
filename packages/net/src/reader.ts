import { type Blame, DecodeError } from "./decode-error.ts";

const noBlame: Blame = { code: 0, subcode: 0, action: "reset" };

/**
 * Reads a byte range from front to back. It checks bounds, never copies (byte ranges are views of the caller's
 * buffer), and throws only `DecodeError`, blamed as the reader was told when it was opened.
 */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #blame: Blame;
  readonly #end: number;
  #at: number;

  /** `view`, if there is one already, is of all of `bytes`. */
  constructor(
    bytes: Uint8Array,
    blame: Blame = noBlame,
    start = 0,
    end: number = bytes.length,
    view: DataView = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  ) {
    if (start < 0 || start > end || end > bytes.length) {
      throw new RangeError(`bytes ${start} to ${end} are outside a buffer of ${bytes.length}`);
    }
    this.#bytes = bytes;
    this.#view = view;
    this.#blame = blame;
    this.#at = start;
    this.#end = end;
  }

  /** Position in the outermost buffer, in bytes. */
  get offset(): number {
    return this.#at;
  }

  /** Bytes left. */
  get remaining(): number {
    return this.#end - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  /** Network order. */
  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  /** Network order. */
  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** Network order. */
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }

  u16le(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32le(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32le(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  u64le(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** The next `count` bytes as a view of the buffer. */
  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  /** The next `count` bytes as a view of the buffer; they are still to be read. */
  peek(count: number): Uint8Array {
    const at = this.#take(count);
    this.#at = at;
    return this.#bytes.subarray(at, at + count);
  }

  /** All that is left, as a view of the buffer. */
  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  skip(count: number): void {
    this.#take(count);
  }

  /** A reader of the next `count` bytes; faults inside it are blamed on `blame`, else as here. */
  sub(count: number, blame: Blame = this.#blame): Reader {
    const at = this.#take(count);
    return new Reader(this.#bytes, blame, at, at + count, this.#view);
  }

  /** Says that nothing may be left. */
  end(): void {
    if (this.remaining !== 0) this.fail(`${this.remaining} stray bytes`);
  }

  /** Throws a `DecodeError` here. */
  fail(what: string, blame: Blame = this.#blame, data?: Uint8Array): never {
    throw new DecodeError(what, blame, this.#at, data);
  }

  #take(count: number): number {
    const at = this.#at;
    if (count < 0 || count > this.#end - at) {
      this.fail(`${count} bytes wanted, ${this.#end - at} left`);
    }
    this.#at = at + count;
    return at;
  }
}
