const NEWLINE = 10;

/** Longest line in either direction, without its newline. */
export const MAX_LINE_BYTES: number = 4 * 1024 * 1024;

/** Cuts a stream of bytes into lines. It holds at most one line and the rest of one chunk. */
export class LineSplitter {
  readonly #maxBytes: number;
  #parts: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(maxBytes: number = MAX_LINE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that `chunk` completes, without newlines, or `"too-large"`: then the stream cannot be followed any more. */
  push(chunk: Uint8Array): readonly string[] | "too-large" {
    const lines: string[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      const part = chunk.subarray(start, end < 0 ? chunk.length : end);
      if (this.#heldBytes + part.length > this.#maxBytes) return "too-large";
      this.#hold(part);
      if (end < 0) return lines;
      lines.push(this.#take());
      start = end + 1;
    }
  }

  #hold(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#parts.push(part);
    this.#heldBytes += part.length;
  }

  // Decoded only when whole: a chunk may end inside a character.
  #take(): string {
    const line = Buffer.concat(this.#parts).toString("utf8");
    this.#parts = [];
    this.#heldBytes = 0;
    return line;
  }
}
