import type { IpAddress } from "@caracal/net";
import type { Log } from "../observe/log.ts";

/** Looking through what the kernel tracks takes at most this share of the time, however much it tracks. */
const timeShare = 1 / 5;
/** Addresses that wait; beyond it connections of the oldest time out by themselves. */
const waitingMax = 10_000;

export interface ConnectionSweeperOptions {
  /** Forgets an address's connections; throws when the kernel cannot. */
  readonly conntrack: { forget(address: IpAddress): void };
  /** Whether a pod has the address, again. */
  readonly isInUse: (address: IpAddress) => boolean;
  readonly log: Log;
}

/**
 * Forgets the tracked connections of addresses that no pod has any more: a pod that gets one of them next would receive what
 * the former pod's connections still bring, translated for it. One after the other, for the kernel looks through all it tracks.
 */
export class ConnectionSweeper implements Disposable {
  readonly #options: ConnectionSweeperOptions;
  readonly #waiting = new Set<IpAddress>();
  #next: NodeJS.Timeout | undefined;
  /** The kernel tracks none, or does not let them be forgotten. */
  #isUnable = false;

  constructor(options: ConnectionSweeperOptions) {
    this.#options = options;
  }

  forget(addresses: readonly IpAddress[]): void {
    if (this.#isUnable) return;
    for (const address of addresses) this.#waiting.add(address);
    for (const oldest of this.#waiting) {
      if (this.#waiting.size <= waitingMax) break;
      this.#waiting.delete(oldest);
    }
    this.#next ??= setTimeout(() => this.#sweep(), 0);
  }

  [Symbol.dispose](): void {
    this.#isUnable = true;
    this.#waiting.clear();
    clearTimeout(this.#next);
  }

  #sweep(): void {
    this.#next = undefined;
    const [address] = this.#waiting;
    if (address === undefined) return;
    this.#waiting.delete(address);
    const startedAt = performance.now();
    try {
      if (!this.#options.isInUse(address)) this.#options.conntrack.forget(address);
    } catch (error) {
      this.#isUnable = true;
      this.#waiting.clear();
      this.#options.log.warn({ err: error }, "connections of pods that are gone are left to time out");
      return;
    }
    if (this.#waiting.size === 0) return;
    const pauseMs = (performance.now() - startedAt) * (1 / timeShare - 1);
    this.#next = setTimeout(() => this.#sweep(), pauseMs);
  }
}
