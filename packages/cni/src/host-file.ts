import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
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

/** Takes away what a replacement of this file left that was killed before its end. */
export function removeLeftTemporaries(path: string): void {
  const directory = dirname(path);
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) {
    const [, of, pid] = temporaryPattern.exec(name) ?? [];
    if (of === basename(path) && !isAlive(Number(pid))) rmSync(join(directory, name), { force: true });
  }
}

/** The same for every file of a directory that is ours alone. */
export function removeAllLeftTemporaries(directory: string): void {
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) {
    const [, of] = temporaryPattern.exec(name) ?? [];
    if (of !== undefined) removeLeftTemporaries(join(directory, of));
  }
}

const temporaryPattern = /^\.(.+)\.tmp-([0-9]+)$/;

/** Whether a process of this number may be at work on its file. */
function isAlive(pid: number): boolean {
  return pid !== process.pid && existsSync(`/proc/${pid}`);
}

export function removeHostFile(path: string): void {
  if (!existsSync(dirname(path))) return;
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
