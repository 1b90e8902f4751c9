/** The node cannot start as it is told to; the message says what to change. */
export class StartUpError extends Error {
  override readonly name = "StartUpError";
  readonly code = "start-up";
}
