import { setTimeout as delay } from "node:timers/promises";
import { StoreError } from "@caracal/datastore";

/** Pause between attempts to reach a datastore that does not answer at start. */
const retryMs = 1_000;

export interface StoreWait {
  readonly signal: AbortSignal;
  /** An attempt found nobody. */
  readonly onAway: (reason: string, attempt: number) => void;
  /** Waits, or returns early when the signal aborts; with the machine's clock unless told. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Repeats `work` while the datastore does not answer; false when the signal aborted meanwhile, even in the middle of an
 * attempt. Every other failure is thrown.
 */
export async function untilStoreAnswers(work: () => Promise<void>, wait: StoreWait): Promise<boolean> {
  const { signal, pause = pauseFor } = wait;
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    try {
      return await Promise.race([work().then(() => true), aborted(signal)]);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "unavailable") throw error;
      wait.onAway(error.message, attempt);
      await pause(retryMs, signal);
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

async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
