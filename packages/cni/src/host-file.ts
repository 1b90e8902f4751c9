import { createHash } from "node:crypto";
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

/** A file as a whole: what it holds and its permission bits. */
export interface HostFile {
  readonly content: Buffer;
  readonly mode: number;
}

/** Undefined when there is none. Throws what the file system says otherwise. */
export function readHostFile(path: string): HostFile | undefined {
  try {
    return { content: readFileSync(path), mode: statSync(path).mode & 0o7777 };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Puts the file in place in one step: a reader finds the old one or the new one, also after a power cut. */
export function replaceHostFile(path: string, { content, mode }: HostFile): void {
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true });
  // Runtimes read files by their endings: this one has none of theirs.
  const temporary = join(directory, `.${basename(path)}.tmp-${process.pid}`);
  try {
    const file = openSync(temporary, "w", 0o600);
    try {
      writeFileSync(file, content);
      fchmodSync(file, mode);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(directory);
}

export function removeHostFile(path: string): void {
  rmSync(path, { force: true });
  syncDirectory(dirname(path));
}

/** A directory that holds something, or that is not there, stays as it is. */
export function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "ENOTEMPTY" && code !== "EEXIST" && code !== "ENOENT") throw error;
  }
}

export function digestOf(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
