import { setTimeout as delay } from "node:timers/promises";
import { StoreError } from "@caracal/datastore";

/** Pause between attempts to reach a datastore that does not answer at start. */
const retryMs = 1_000;

export interface StoreWait {
  readonly signal: AbortSignal;
  /** An attempt found nobody. */
  readonly onAway: (reason: string, attempt: number) => void;
}

/**
 * Repeats `work` while the datastore does not answer; false when the signal aborted meanwhile, even in the middle of an
 * attempt. Every other failure is thrown.
 */
export async function untilStoreAnswers(work: () => Promise<void>, wait: StoreWait): Promise<boolean> {
  const { signal } = wait;
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    try {
      return await Promise.race([work().then(() => true), aborted(signal)]);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "unavailable") throw error;
      wait.onAway(error.message, attempt);
      await delay(retryMs, undefined, { signal }).catch(() => undefined);
    }
  }
  return false;
}

/** Resolves to `false` when the signal aborts. */
function aborted(signal: AbortSignal): Promise<false> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(false);
    else signal.addEventListener("abort", () => resolve(false), { once: true });
  });
}
