/** Time and timers, as the reconcilers need them: the machine's own, or a virtual one in tests. */
export interface Clock {
  /** Milliseconds from any fixed point; never goes back. */
  now(): number;
  /** Calls `run` once, not before `delayMs` has passed. Returns how to call it off. */
  after(delayMs: number, run: () => void): () => void;
}
