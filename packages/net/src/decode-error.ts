/** What a receiver does about a malformed message (RFC 7606 §2 words; protocols without it use `reset`). */
export type DecodeAction = "reset" | "withdraw" | "discard";

/** Who is to blame for a fault: a protocol's own error code and subcode, and what the receiver does about it. */
export interface Blame {
  readonly code: number;
  readonly subcode: number;
  readonly action: DecodeAction;
}

/** Bytes that do not decode. The only error that a decoder throws. */
export class DecodeError extends Error {
  readonly code: number;
  readonly subcode: number;
  readonly action: DecodeAction;
  /** Where in the outermost buffer, in bytes. */
  readonly offset: number;
  /** What a NOTIFICATION or a log may quote: the offending bytes, where there are any. */
  readonly data: Uint8Array;

  constructor(what: string, blame: Blame, offset: number, data: Uint8Array = new Uint8Array(0)) {
    super(`${what} at byte ${offset}`);
    this.name = "DecodeError";
    this.code = blame.code;
    this.subcode = blame.subcode;
    this.action = blame.action;
    this.offset = offset;
    this.data = data;
  }
}
