const wireVarint = 0;
const wireFixed64 = 1;
const wireBytes = 2;
const wireFixed32 = 5;

/**
 * Reads a protobuf message field by field: `tag` says what comes, and the matching method takes it. Throws a `RangeError` where
 * a message ends too early or is none.
 */
export class MessageReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The next field's number and wire type, as `tagOf…` make them; `undefined` at the end. */
  tag(): number | undefined {
    return this.#at === this.#bytes.length ? undefined : Number(this.#varint());
  }

  /** A signed integer of 64 bits. */
  integer(): bigint {
    return BigInt.asIntN(64, BigInt(this.#varint()));
  }

  flag(): boolean {
    return BigInt(this.#varint()) !== 0n;
  }

  /** A view of what was received. */
  bytes(): Uint8Array {
    return this.#take(Number(this.#varint()));
  }

  /** The value of a field that is of no interest. */
  skip(tag: number): void {
    switch (tag & 7) {
      case wireVarint:
        this.#varint();
        return;
      case wireFixed64:
        this.#take(8);
        return;
      case wireBytes:
        this.bytes();
        return;
      case wireFixed32:
        this.#take(4);
        return;
      default:
        throw new RangeError(`a protobuf message has no field of wire type ${tag & 7}`);
    }
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("a protobuf message ends within a field");
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  /** A number while it is exact: only what takes all of 64 bits costs a bigint. */
  #varint(): number | bigint {
    let value = 0;
    let weight = 1;
    // Seven bytes have 49 bits.
    for (let index = 0; index < 7; index += 1, weight *= 0x80) {
      const byte = this.#byte();
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) return value;
    }
    let long = BigInt(value);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      long |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, long);
    }
    throw new RangeError("a number in a protobuf message has more than ten bytes");
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new RangeError("a protobuf message ends within a number");
    this.#at += 1;
    return byte;
  }
}

export function tagOfNumber(field: number): number {
  return (field << 3) | wireVarint;
}

export function tagOfBytes(field: number): number {
  return (field << 3) | wireBytes;
}
