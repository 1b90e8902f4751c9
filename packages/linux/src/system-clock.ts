import type { Clock } from "@caracal/dataplane";

/** The longest delay that Node's timers take. */
const delayMaxMs = 2 ** 31 - 1;

/** The machine's own monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (delayMs, run) => {
    // Node's shortest timer takes a millisecond, in which a route could have been changed.
    if (delayMs <= 0) {
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(run, Math.min(Math.ceil(delayMs), delayMaxMs));
    return () => clearTimeout(timer);
  },
};
