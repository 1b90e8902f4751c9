import { once } from "node:events";
import { chmodSync, linkSync, lstatSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname, join } from "node:path";
import { ControlCode, ControlError } from "./control-error.ts";

/** A socket file that this process owns. */
export interface ClaimedPath {
  readonly path: string;
  /** Removes the file, unless another process has put its own in its place. */
  readonly release: () => void;
}

/** unix(7): `sun_path` has 108 bytes, the last one zero. */
const MAX_PATH_BYTES = 107;
const SOCKET_MODE = 0o600;
const CLAIM_ATTEMPTS = 5;

let claimCount = 0;

/**
 * Makes `server` listen on `path`. The socket is bound under another name in the same directory, given its mode and
 * then linked into place, so nobody ever meets it half made, and two processes never both believe they own the path.
 */
export async function claimSocketPath(path: string, server: Server): Promise<ClaimedPath> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    const message = `${path} is longer than a Unix socket's path may be (${MAX_PATH_BYTES} bytes)`;
    throw new ControlError(ControlCode.invalidPath, message);
  }
  const draft = join(dirname(path), `.${process.pid.toString(36)}.${claimCount++}`);
  try {
    mkdirSync(dirname(path), { recursive: true });
    rmSync(draft, { force: true });
    server.listen(draft);
    await once(server, "listening");
    chmodSync(draft, SOCKET_MODE);
  } catch (cause) {
    const message = `cannot make a socket in ${dirname(path)}: ${messageOf(cause)}`;
    throw new ControlError(ControlCode.invalidPath, message, { cause });
  }
  try {
    await linkIntoPlace(draft, path);
  } catch (cause) {
    server.close();
    throw cause;
  } finally {
    rmSync(draft, { force: true });
  }
  const { ino } = lstatSync(path);
  return { path, release: () => removeOwn(path, ino) };
}

async function linkIntoPlace(draft: string, path: string): Promise<void> {
  for (let attempt = 1; attempt <= CLAIM_ATTEMPTS; attempt++) {
    try {
      linkSync(draft, path);
      return;
    } catch (cause) {
      if (!hasErrno(cause, "EEXIST")) throw cause;
    }
    await clearStale(path, `${draft}.old`);
  }
  throw inUse(path, "several processes are fighting for it");
}

/** Removes the socket file of a dead process, or throws `in-use`. */
async function clearStale(path: string, aside: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === false) throw inUse(path, "it is no socket");
  if (await answers(path)) throw inUse(path, "another process answers there");
  try {
    renameSync(path, aside);
  } catch (cause) {
    if (hasErrno(cause, "ENOENT")) return;
    throw cause;
  }
  try {
    // Between the question and the renaming a third process may have put a live socket there: then it gets it back.
    if (!(await answers(aside))) return;
    linkSync(aside, path);
    throw inUse(path, "another process answers there");
  } finally {
    rmSync(aside, { force: true });
  }
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch (error) {
    if (hasErrno(error, "ECONNREFUSED") || hasErrno(error, "ENOENT")) return false;
    // A full accept queue, or a socket we may not touch: somebody is there.
    return true;
  } finally {
    socket.destroy();
  }
}

function removeOwn(path: string, ino: number): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.ino === ino) rmSync(path, { force: true });
}

function inUse(path: string, why: string): ControlError {
  return new ControlError(ControlCode.inUse, `cannot listen on ${path}: ${why}`);
}

function hasErrno(error: unknown, errno: string): boolean {
  return error instanceof Error && "code" in error && error.code === errno;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
