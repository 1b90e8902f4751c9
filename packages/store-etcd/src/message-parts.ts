/** Length prefix of a gRPC message: | compressed u8 | length u32 |. */
export const framePrefixBytes = 5;

/** Behind this a varint's bits are a matter for bigints. */
const highestSafe = BigInt(Number.MAX_SAFE_INTEGER);

const wireVarint = 0;
const wireBytes = 2;

/**
 * A protobuf message in parts: single bytes, bytes in a row, and texts that become UTF-8 only where they end up, so that a long value is
 * copied once. Field numbers are at most 15.
 */
export class MessageParts {
  readonly #parts: (number | string | Uint8Array)[] = [];
  #length = 0;

  /** An integer that is not negative, or any 64-bit one as a bigint. */
  varint(field: number, value: number | bigint): this {
    this.#byte((field << 3) | wireVarint);
    this.#varint(value);
    return this;
  }

  /** Nothing for the empty text, which is what a missing field stands for. */
  text(field: number, text: string): this {
    if (text === "") return this;
    const length = Buffer.byteLength(text);
    this.#byte((field << 3) | wireBytes);
    this.#varint(length);
    this.#parts.push(text);
    this.#length += length;
    return this;
  }

  /** Nothing for no bytes. */
  bytes(field: number, bytes: Uint8Array): this {
    if (bytes.length === 0) return this;
    this.#byte((field << 3) | wireBytes);
    this.#varint(bytes.length);
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return this;
  }

  nested(field: number, message: MessageParts): this {
    this.#byte((field << 3) | wireBytes);
    this.#varint(message.#length);
    for (const part of message.#parts) this.#parts.push(part);
    this.#length += message.#length;
    return this;
  }

  /** The message as gRPC sends it, behind its prefix. */
  framed(): Buffer {
    const frame = Buffer.allocUnsafe(framePrefixBytes + this.#length);
    frame[0] = 0;
    let at = frame.writeUInt32BE(this.#length, 1);
    for (const part of this.#parts) {
      if (typeof part === "number") frame[at++] = part;
      else if (typeof part === "string") at += frame.write(part, at);
      else {
        frame.set(part, at);
        at += part.length;
      }
    }
    return frame;
  }

  #byte(byte: number): void {
    this.#parts.push(byte);
    this.#length += 1;
  }

  #varint(value: number | bigint): void {
    if (typeof value === "bigint") {
      if (value < 0n || value > highestSafe) return this.#longVarint(BigInt.asUintN(64, value));
      value = Number(value);
    }
    let rest = value;
    for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) this.#byte((rest % 0x80) | 0x80);
    this.#byte(rest);
  }

  #longVarint(value: bigint): void {
    let rest = value;
    for (; rest > 0x7fn; rest >>= 7n) this.#byte(Number(rest & 0x7fn) | 0x80);
    this.#byte(Number(rest));
  }
}
