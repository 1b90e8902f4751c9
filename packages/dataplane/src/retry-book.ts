/** Why an item is not done, and when to try again. */
export interface Retry {
  readonly errno: string;
  readonly detail: string;
  /** Failures in a row. */
  readonly attempts: number;
  readonly dueAt: number;
}

/** Remembers failed items; each waits twice as long after every failure, between two bounds. */
export class RetryBook<Key> {
  readonly #retries = new Map<Key, Retry>();
  readonly #minMs: number;
  readonly #maxMs: number;

  constructor(minMs: number, maxMs: number) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
  }

  get size(): number {
    return this.#retries.size;
  }

  entries(): IterableIterator<[Key, Retry]> {
    return this.#retries.entries();
  }

  fail(key: Key, now: number, errno: string, detail: string): void {
    const attempts = (this.#retries.get(key)?.attempts ?? 0) + 1;
    this.#retries.set(key, {
      errno,
      detail,
      attempts,
      dueAt: now + backoffMs(attempts, this.#minMs, this.#maxMs),
    });
  }

  forget(key: Key): void {
    this.#retries.delete(key);
  }

  isWaiting(key: Key, now: number): boolean {
    const retry = this.#retries.get(key);
    return retry !== undefined && retry.dueAt > now;
  }

  /** Items whose time has come. */
  due(now: number): Key[] {
    return [...this.#retries].filter(([, retry]) => retry.dueAt <= now).map(([key]) => key);
  }

  /** Lets every item be tried at `at`, because what it failed on may have changed. */
  hasten(at: number): void {
    for (const [key, retry] of this.#retries) {
      if (retry.dueAt > at) this.#retries.set(key, { ...retry, dueAt: at });
    }
  }

  /** When the next item is due. */
  get deadline(): number | undefined {
    let earliest: number | undefined;
    for (const { dueAt } of this.#retries.values()) {
      if (earliest === undefined || dueAt < earliest) earliest = dueAt;
    }
    return earliest;
  }
}

/** `minMs` after the first failure, then doubling up to `maxMs`. */
export function backoffMs(attempts: number, minMs: number, maxMs: number): number {
  return Math.min(maxMs, minMs * 2 ** Math.min(attempts - 1, 30));
}
