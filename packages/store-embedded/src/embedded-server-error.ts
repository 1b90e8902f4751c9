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

/** The reason of a failed system or database call in one clause: `permission denied (EACCES)`. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!("syscall" in error) || !("code" in error)) return error.message;
  // Node writes `EACCES: permission denied, mkdir '/x'` or `listen EACCES: permission denied 127.0.0.1:80`: what was tried
  // is said by the sentence around it.
  const [, code, words] = /^(?:[a-z]+ )?(E[A-Z0-9]+): ([a-z ]*[a-z])(?=[ ,]|$)/.exec(error.message) ?? [];
  return code === undefined ? error.message : `${words} (${code})`;
}
