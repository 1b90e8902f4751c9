import { repairAuthority } from "./authority.ts";

/** HTTP/2 frame types and flags (RFC 9113 §6). */
export const FrameType = {
  HEADERS: 0x1,
  PRIORITY: 0x2,
  SETTINGS: 0x4,
  WINDOW_UPDATE: 0x8,
} as const;
export const FrameFlag = { ACK: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

/** What a client says first (RFC 9113 §3.4). */
const preface: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const headerBytes = 9;
const priorityBytes = 5;
const emptyBuffer = Buffer.alloc(0);

/** An empty SETTINGS frame. */
export const emptySettings: Buffer = Buffer.from([0, 0, 0, FrameType.SETTINGS, 0, 0, 0, 0, 0]);

/**
 * One frame as it came: `| length u24 | type u8 | flags u8 | stream u32 | payload |`. The preface counts as a frame of
 * type -1.
 */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly bytes: Buffer;
}

/** Cuts a client's bytes into frames; what is not complete yet is kept. */
export class FrameSplitter {
  #rest: Buffer = emptyBuffer;
  #hasPreface = false;

  push(chunk: Buffer): readonly Frame[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    for (;;) {
      const frame = this.#hasPreface ? this.#frame() : this.#preface();
      if (frame === undefined) return frames;
      frames.push(frame);
    }
  }

  /** The bytes that are not cut yet; they are the caller's from now on. */
  takeRest(): Buffer {
    const rest = this.#rest;
    this.#rest = emptyBuffer;
    return rest;
  }

  #preface(): Frame | undefined {
    if (this.#rest.length < preface.length) return undefined;
    this.#hasPreface = true;
    return { type: -1, flags: 0, bytes: this.#take(preface.length) };
  }

  #frame(): Frame | undefined {
    if (this.#rest.length < headerBytes) return undefined;
    const total = headerBytes + this.#rest.readUIntBE(0, 3);
    if (this.#rest.length < total) return undefined;
    const bytes = this.#take(total);
    return { type: bytes.readUInt8(3), flags: bytes.readUInt8(4), bytes };
  }

  #take(count: number): Buffer {
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }
}

/** The frame with a valid `:authority`; the same frame when nothing needs repair. */
export function repairFrame(frame: Frame): Buffer {
  const { type, flags, bytes } = frame;
  // A header block in several frames is larger than any request of etcd's clients.
  if (type !== FrameType.HEADERS || (flags & FrameFlag.END_HEADERS) === 0) return bytes;
  const isPadded = (flags & FrameFlag.PADDED) !== 0;
  const from = headerBytes + (isPadded ? 1 : 0) + ((flags & FrameFlag.PRIORITY) === 0 ? 0 : priorityBytes);
  const to = bytes.length - (isPadded ? (bytes[headerBytes] ?? 0) : 0);
  const block = bytes.subarray(from, to);
  const repaired = repairAuthority(block);
  if (repaired === block) return bytes;
  const whole = Buffer.concat([bytes.subarray(0, from), repaired, bytes.subarray(to)]);
  whole.writeUIntBE(whole.length - headerBytes, 0, 3);
  return whole;
}
