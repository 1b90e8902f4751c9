/** What ends a command: `message` goes to stderr as it is, and the exit code is 1. */
export class CliError extends Error {
  override readonly name: string = "CliError";
}

/** The text of anything thrown, for a person. */
export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
