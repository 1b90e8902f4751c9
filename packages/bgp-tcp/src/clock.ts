/** Time as the driver needs it; tests bring their own. */
export interface Clock {
  /** Milliseconds since 1970 that never jump back. */
  now(): number;
  /** Calls `run` once after `ms`; the result cancels it. */
  after(ms: number, run: () => void): () => void;
}

/** No single timer is longer: Node's would overflow. */
const maxTimerMs = 2 ** 31 - 1;

const startedAt = performance.timeOrigin;

/** The machine's monotonic clock, counted from the start of the epoch so that it can be shown as a time of day. */
export const systemClock: Clock = {
  now: () => startedAt + performance.now(),
  after: (ms, run) => {
    if (ms <= 0) {
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(run, Math.min(Math.ceil(ms), maxTimerMs));
    return () => clearTimeout(timer);
  },
};
