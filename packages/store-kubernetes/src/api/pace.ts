import { setTimeout as delay } from "node:timers/promises";

/** How fast requests may follow each other. */
export interface PaceLimits {
  /** Requests a second, over time. */
  readonly perSecond: number;
  /** Requests that may be made at once after a rest. */
  readonly burst: number;
}

/** Spreads requests over time: each takes a place, and waits until it has come. */
export class Pace {
  readonly #limits: PaceLimits;
  /** When the place of a request that comes now would have been, had there been no burst. */
  #next = 0;

  constructor(limits: PaceLimits) {
    this.#limits = limits;
  }

  /** Resolves when it is the caller's turn, or when the signal aborts. */
  async take(signal: AbortSignal): Promise<void> {
    const { perSecond, burst } = this.#limits;
    const gapMs = 1000 / perSecond;
    const now = performance.now();
    this.#next = Math.max(this.#next, now - (burst - 1) * gapMs);
    const waitMs = this.#next - now;
    this.#next += gapMs;
    if (waitMs > 0) await delay(waitMs, undefined, { signal }).catch(() => undefined);
  }
}
