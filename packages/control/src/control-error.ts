/** The codes this package itself gives; methods may answer with codes of their own. */
export const ControlCode = {
  /** Nobody listens, or the daemon went away before it answered. */
  unavailable: "unavailable",
  /** No answer within the time allowed. The daemon may still do the work. */
  timeout: "timeout",
  /** The caller's signal aborted. The daemon may still do the work. */
  aborted: "aborted",
  /** A line that is no request or response. */
  malformed: "malformed",
  /** A line longer than the bound, in either direction. */
  tooLarge: "too-large",
  /** More requests under way on one connection than the bound. */
  busy: "busy",
  unknownMethod: "unknown-method",
  /** A method failed in a way it did not foresee. */
  internal: "internal",
  /** The socket's path is taken: by a daemon that answers, or by a file that is no socket. */
  inUse: "in-use",
  /** The path cannot be a Unix socket's, or its directory cannot be written. */
  invalidPath: "invalid-path",
} as const;

/** A request or a socket that failed. A method throws one to answer with a code of its own. */
export class ControlError extends Error {
  override readonly name = "ControlError";
  /** One of `ControlCode`, or the answering method's own. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
