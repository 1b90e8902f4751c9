import type { Clock } from "./clock.ts";

/** A clock for tests: time passes only when told to, and as far as the next timer at a time. */
export class VirtualClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ readonly at: number; readonly run: () => void }>();

  now(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { at: this.#now + delayMs, run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Lets promises settle, then runs the earliest timer if it is due by `limit`. `false` if there was none. */
  async step(limit: number = Infinity): Promise<boolean> {
    await settlePromises();
    let next: { readonly at: number; readonly run: () => void } | undefined;
    for (const timer of this.#timers) if (next === undefined || timer.at < next.at) next = timer;
    if (next === undefined || next.at > limit) return false;
    this.#timers.delete(next);
    this.#now = Math.max(this.#now, next.at);
    next.run();
    await settlePromises();
    return true;
  }

  /** Lets `durationMs` pass, running all timers on the way. */
  async advance(durationMs: number): Promise<void> {
    const limit = this.#now + durationMs;
    while (await this.step(limit));
    this.#now = limit;
  }
}

/** Promise callbacks of work that awaits a handful of times in a row. */
const microtaskTurns = 200;

async function settlePromises(): Promise<void> {
  for (let turn = 0; turn < microtaskTurns; turn += 1) await Promise.resolve();
}
