/** What ends a command: `message` goes to stderr as it is, and the exit code is 1. */
export class CliError extends Error {
  override readonly name: string = "CliError";
}
