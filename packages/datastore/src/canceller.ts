import type { Cancellation } from "@caracal/net";

/** A `Cancellation` and the means to fire it: what `AbortController` is to the floors that know no platform. */
export class Canceller implements Cancellation {
  #aborted = false;
  readonly #listeners = new Set<() => void>();

  get aborted(): boolean {
    return this.#aborted;
  }

  addEventListener(_kind: "abort", listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_kind: "abort", listener: () => void): void {
    this.#listeners.delete(listener);
  }

  /** Fires once; later calls do nothing. */
  abort(): void {
    if (this.#aborted) return;
    this.#aborted = true;
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }
}
