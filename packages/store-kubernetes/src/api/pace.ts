import { setTimeout as delay } from "node:timers/promises";

/** How fast requests may follow each other. */
export interface PaceLimits {
  /** Requests a second, over time. */
  readonly perSecond: number;
  /** Requests that may be made at once after a rest. */
  readonly burst: number;
}

/** The time that a pace goes by, in milliseconds. */
export interface PaceTime {
  readonly now: () => number;
  /** Rejects when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

const wallTime: PaceTime = {
  now: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
};

/** Spreads requests over time: each takes a place, and waits until it has come. */
export class Pace {
  readonly #limits: PaceLimits;
  readonly #time: PaceTime;
  /** When the place of a request that comes now would have been, had there been no burst. */
  #next = 0;

  constructor(limits: PaceLimits, time: PaceTime = wallTime) {
    this.#limits = limits;
    this.#time = time;
  }

  /** Resolves when it is the caller's turn, or when the signal aborts. */
  async take(signal: AbortSignal): Promise<void> {
    const { perSecond, burst } = this.#limits;
    const gapMs = 1000 / perSecond;
    const now = this.#time.now();
    this.#next = Math.max(this.#next, now - (burst - 1) * gapMs);
    const waitMs = this.#next - now;
    this.#next += gapMs;
    if (waitMs > 0) await this.#time.sleep(waitMs, signal).catch(() => undefined);
  }
}
