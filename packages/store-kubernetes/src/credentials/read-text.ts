import { readFile } from "node:fs/promises";
import { StoreError } from "@caracal/datastore";

const reasons: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EISDIR: "it is a directory",
  ENOENT: "no such file",
};

/** A file's text; one that cannot be read is a `StoreError` that says what the file was for. */
export async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const reason = reasons[code] ?? code;
    throw new StoreError("invalid", `cannot read ${what} ${path}: ${reason}`, { cause });
  }
}
