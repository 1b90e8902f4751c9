import { setTimeout as delay } from "node:timers/promises";
import { FileLock, KernelError } from "@caracal/linux";
import { CniCode, CniError } from "./cni-error.ts";

interface Held {
  readonly lock: Promise<FileLock | undefined>;
  users: number;
}

const pollMs = 20;
/** Shorter than the runtime's patience. */
const patienceMs = 30_000;

/**
 * The host's lock on IPAM (`ipam_lock_file`), shared by all calls of this daemon: addresses need no lock among themselves, but
 * another program that holds it, as Calico's plugin does, wants to be alone.
 */
export class IpamLocks {
  readonly #held = new Map<string, Held>();
  readonly #patienceMs: number;

  constructor(mostMs: number = patienceMs) {
    this.#patienceMs = mostMs;
  }

  /** Runs `work` with the lock. Without a path, and where no file can be, it runs without: Calico's lock is a best effort. */
  async run<Result>(path: string | undefined, work: () => Promise<Result>): Promise<Result> {
    if (path === undefined) return work();
    const held = this.#held.get(path) ?? { lock: this.#take(path), users: 0 };
    this.#held.set(path, held);
    held.users += 1;
    try {
      await held.lock;
      return await work();
    } finally {
      held.users -= 1;
      if (held.users === 0) {
        this.#held.delete(path);
        (await held.lock.catch(() => undefined))?.close();
      }
    }
  }

  async #take(path: string): Promise<FileLock | undefined> {
    const until = performance.now() + this.#patienceMs;
    for (;;) {
      try {
        const lock = FileLock.tryOpen(path);
        if (lock !== undefined) return lock;
      } catch (error) {
        if (error instanceof KernelError) return undefined;
        throw error;
      }
      if (performance.now() >= until) {
        const seconds = Math.round(this.#patienceMs / 1000);
        const message = `another program has held the lock of IPAM, ${path}, for ${seconds} s`;
        throw new CniError(CniCode.tryAgainLater, message);
      }
      await delay(pollMs, undefined, { ref: false });
    }
  }
}
