import type { Clock } from "@caracal/dataplane";

/** The longest delay that Node's timers take. */
const delayMaxMs = 2 ** 31 - 1;

/** The machine's own monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, Math.min(Math.ceil(delayMs), delayMaxMs));
    return () => clearTimeout(timer);
  },
};
