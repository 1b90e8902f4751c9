import { setTimeout as sleep } from "node:timers/promises";

/** How long and how often `eventually` looks. */
export interface EventuallyOptions {
  /** Give up after this long; 60 s unless told. Generous on purpose: it bounds a failure, it is not a measurement. */
  readonly deadlineMs?: number;
  readonly intervalMs?: number;
  /** What is waited for, for the error message. */
  readonly what?: string;
}

const DEFAULT_DEADLINE_MS = 60_000;
const DEFAULT_INTERVAL_MS = 20;

/**
 * Calls `check` until it neither throws nor gives `false` or `undefined`, and returns what it gave.
 * A check that only asserts must therefore end with `return true`.
 * At the deadline it throws with what was waited for and the last failure as `cause`.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  options: EventuallyOptions = {},
): Promise<Exclude<T, false | undefined>> {
  const deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
  const end = performance.now() + deadlineMs;
  for (;;) {
    const outcome = await attempt(check);
    if (outcome.kind === "seen") return outcome.value;
    if (performance.now() >= end) {
      const detail = outcome.failure instanceof Error ? `: ${outcome.failure.message}` : "";
      throw new Error(`${options.what ?? "the condition"} was not seen within ${deadlineMs} ms${detail}`, {
        cause: outcome.failure,
      });
    }
    await sleep(options.intervalMs ?? DEFAULT_INTERVAL_MS);
  }
}

type Attempt<T> =
  | { readonly kind: "seen"; readonly value: Exclude<T, false | undefined> }
  | { readonly kind: "unseen"; readonly failure: unknown };

async function attempt<T>(check: () => T | Promise<T>): Promise<Attempt<T>> {
  try {
    const value = await check();
    return isSeen(value) ? { kind: "seen", value } : { kind: "unseen", failure: undefined };
  } catch (failure) {
    return { kind: "unseen", failure };
  }
}

function isSeen<T>(value: T): value is Exclude<T, false | undefined> {
  return value !== false && value !== undefined;
}
