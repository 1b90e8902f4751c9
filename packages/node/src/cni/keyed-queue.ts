/** Why a piece of work was not taken in. */
export class QueueFullError extends Error {
  override readonly name = "QueueFullError";
}

/**
 * Runs work one at a time for each key, and a bounded number at a time over all keys; in order of arrival. What is
 * waiting is bounded too: beyond it, work is refused at once.
 */
export class KeyedQueue {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  /** The last piece of work of each key that has any. */
  readonly #tails = new Map<string, Promise<void>>();
  /** Those whose key's turn it is, waiting for a place; a set keeps the order and gives up its first in constant time. */
  readonly #ready = new Set<() => void>();
  #running = 0;
  #taken = 0;

  constructor(limits: { readonly runningMax: number; readonly waitingMax: number }) {
    this.#runningMax = limits.runningMax;
    this.#waitingMax = limits.waitingMax;
  }

  /** Pieces of work under way. */
  get runningCount(): number {
    return this.#running;
  }

  async run<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    if (this.#taken >= this.#runningMax + this.#waitingMax) {
      throw new QueueFullError(`${this.#taken} calls are under way or waiting`);
    }
    this.#taken += 1;
    const before = this.#tails.get(key);
    const done = Promise.withResolvers<void>();
    this.#tails.set(key, done.promise);
    try {
      await before;
      await this.#place();
      try {
        return await work();
      } finally {
        this.#free();
      }
    } finally {
      this.#taken -= 1;
      if (this.#tails.get(key) === done.promise) this.#tails.delete(key);
      done.resolve();
    }
  }

  #place(): Promise<void> | undefined {
    if (this.#running < this.#runningMax) {
      this.#running += 1;
      return undefined;
    }
    return new Promise((resolve) => this.#ready.add(resolve));
  }

  /** Hands the place to the next in line, or gives it back. */
  #free(): void {
    const [next] = this.#ready;
    if (next === undefined) {
      this.#running -= 1;
      return;
    }
    this.#ready.delete(next);
    next();
  }
}
