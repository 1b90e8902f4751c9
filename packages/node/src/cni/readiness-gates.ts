import { setTimeout as delay } from "node:timers/promises";
import { CniCode, CniError } from "./cni-error.ts";

/** How often each URL is asked, and how long in all. */
export interface GatePatience {
  readonly pauseMs: number;
  readonly patienceMs: number;
}

/** Calico's own. */
export const gatePatience: GatePatience = { pauseMs: 5_000, patienceMs: 30_000 };

/** Resolves when every URL has answered with a status of success or a redirection; throws code 11 when one does not in time. */
export async function passGates(
  urls: readonly string[],
  { pauseMs, patienceMs }: GatePatience,
  signal: AbortSignal | undefined,
): Promise<void> {
  const until = performance.now() + patienceMs;
  await Promise.all(urls.map((url) => passGate(url, pauseMs, patienceMs, until, signal)));
}

async function passGate(
  url: string,
  pauseMs: number,
  patienceMs: number,
  until: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (;;) {
    const asked = performance.now();
    const trouble = await troubleAt(url, pauseMs);
    if (trouble === undefined) return;
    const pause = Math.max(pauseMs - (performance.now() - asked), 0);
    if (signal?.aborted === true || performance.now() + pause >= until) {
      const message = `the readiness gate ${url} was not ready within ${Math.round(patienceMs / 1000)} s`;
      throw new CniError(CniCode.tryAgainLater, message, trouble);
    }
    await delay(pause, undefined, { ref: false });
  }
}

/** Why the gate is shut; `undefined` when it is open. */
async function troubleAt(url: string, timeoutMs: number): Promise<string | undefined> {
  try {
    const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(timeoutMs) });
    await response.body?.cancel();
    return response.status >= 200 && response.status < 400 ? undefined : `it answers ${response.status}`;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return cause instanceof Error ? cause.message || cause.name : String(cause);
  }
}
