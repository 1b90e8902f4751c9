import { closeSync, fstatSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { checked, KernelError } from "./kernel-error.ts";
import { libc } from "./libc.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;

/** A file that nobody else has locked (flock(2)), until it is closed or the process ends. The file stays. */
export class FileLock implements Disposable {
  readonly #fd: number;
  #isOpen = true;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** `undefined` while another one has it; makes the file and its directory. Throws `KernelError`. */
  static tryOpen(path: string): FileLock | undefined {
    let fd: number;
    try {
      mkdirSync(dirname(path), { recursive: true });
      fd = openSync(path, "a", 0o600);
    } catch (error) {
      throw KernelError.from("lock.open", error);
    }
    try {
      checked("lock.take", libc.flock(fd, LOCK_EX | LOCK_NB));
      return new FileLock(fd);
    } catch (error) {
      closeSync(fd);
      if (error instanceof KernelError && error.errno === "EAGAIN") return undefined;
      throw error;
    }
  }

  /** Whether the locked file is still the one of that name: whoever had the lock before may have removed it meanwhile. */
  isAt(path: string): boolean {
    const [locked, named] = [fstatSync(this.#fd), statSync(path, { throwIfNoEntry: false })];
    return locked.ino === named?.ino && locked.dev === named.dev;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
