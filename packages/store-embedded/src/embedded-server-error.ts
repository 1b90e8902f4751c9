/**
 * - `addressInUse`: another program listens there.
 * - `directoryInUse`: another server has the data directory.
 * - `invalid`: the options make no sense.
 * - `unreadable`: the data directory cannot be used, or holds something else.
 */
export type EmbeddedServerErrorCode = "addressInUse" | "directoryInUse" | "invalid" | "unreadable";

/** Why the server could not start; nothing is left behind. */
export class EmbeddedServerError extends Error {
  override readonly name = "EmbeddedServerError";
  readonly code: EmbeddedServerErrorCode;

  constructor(code: EmbeddedServerErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
