import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

/** A file as a whole: what it holds, its permission bits, and whose it is if that matters. */
export interface HostFile {
  readonly content: Buffer;
  readonly mode: number;
  readonly owner?: FileOwner;
}

export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/** What stands at a path: a file, or a symbolic link with what it leads to (nothing, if it leads nowhere). */
export interface HostEntry extends HostFile {
  readonly owner: FileOwner;
  /** Where a symbolic link leads, as it says. */
  readonly link?: string;
}

/** Undefined when there is none. Throws what the file system says otherwise. */
export function readHostFile(path: string): HostFile | undefined {
  return unlessAbsent(() => ({ content: readFileSync(path), mode: statSync(path).mode & 0o7777 }));
}

/** The same of the path itself, also of a link that leads nowhere. */
export function readHostEntry(path: string): HostEntry | undefined {
  const stat = unlessAbsent(() => lstatSync(path));
  if (stat === undefined) return undefined;
  // Asked before it is read, for which a pipe would let wait.
  if (unlessAbsent(() => statSync(path))?.isFile() === false)
    throw new Error(`${path} is there and is not a file`);
  const { uid, gid } = stat;
  const nothing = { content: Buffer.alloc(0), mode: 0 };
  const file = readHostFile(path) ?? nothing;
  return { ...file, owner: { uid, gid }, ...(stat.isSymbolicLink() && { link: readlinkSync(path) }) };
}

function unlessAbsent<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Puts the file in place in one step: a reader finds the old one or the new one, also after a power cut. */
export function replaceHostFile(path: string, { content, mode, owner }: HostFile): void {
  replace(path, (temporary) => {
    const file = openSync(temporary, "w", 0o600);
    try {
      writeFileSync(file, content);
      if (owner !== undefined) fchownSync(file, owner.uid, owner.gid);
      fchmodSync(file, mode);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  });
}

/** Puts a symbolic link in place in the same way. */
export function replaceByLink(path: string, link: string): void {
  replace(path, (temporary) => symlinkSync(link, temporary));
}

function replace(path: string, make: (temporary: string) => void): void {
  const directory = dirname(path);
  // Runtimes read files by their endings: this one has none of theirs.
  const temporary = join(directory, `.${basename(path)}.tmp-${process.pid}`);
  try {
    mkdirSync(directory, { recursive: true });
    make(temporary);
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    // A disk that is full names no file.
    throw new Error(`${path} cannot be written: ${cause instanceof Error ? cause.message : ""}`, { cause });
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
