import { messageOf } from "@caracal/net";

/** What the system says of a file, in the words of Go's programs. */
export function describeFileError(error: unknown, path: string): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return `open ${path}: no such file or directory`;
  if (code === "EACCES") return `open ${path}: permission denied`;
  return `open ${path}: ${messageOf(error)}`;
}
