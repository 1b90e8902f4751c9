import type { Clock } from "@caracal/dataplane";
import type { IntentProblem } from "@caracal/intent";
import type { Log } from "../observe/log.ts";

/** What is gone sooner is not told: while a cluster changes, thousands of states pass by. */
export const lastingMs = 1000;

/** Tells each problem once, when it has lasted a moment, and again when it comes back. */
export class ProblemLog {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #message: string;
  #problems: ReadonlyMap<string, IntentProblem & { readonly sinceMs: number }> = new Map();
  #told: ReadonlySet<string> = new Set();
  #callOff: (() => void) | undefined;

  constructor(clock: Clock, log: Log, message = "resource problem") {
    this.#clock = clock;
    this.#log = log;
    this.#message = message;
  }

  /** All problems that there are now. */
  see(problems: readonly IntentProblem[]): void {
    const before = this.#problems;
    const now = this.#clock.now();
    this.#problems = new Map(
      problems.map((one) => {
        const key = `${one.about} ${one.message}`;
        return [key, { ...one, sinceMs: before.get(key)?.sinceMs ?? now }];
      }),
    );
    this.#told = this.#told.intersection(this.#problems);
    this.#tell();
  }

  stop(): void {
    this.#callOff?.();
  }

  #tell(): void {
    const now = this.#clock.now();
    let nextMs = Infinity;
    const told = new Set(this.#told);
    for (const [key, { about, message, sinceMs }] of this.#problems) {
      if (told.has(key)) continue;
      const waitMs = sinceMs + lastingMs - now;
      if (waitMs > 0) {
        nextMs = Math.min(nextMs, waitMs);
        continue;
      }
      told.add(key);
      this.#log.warn({ about, problem: message }, this.#message);
    }
    this.#told = told;
    this.#callOff?.();
    this.#callOff = nextMs === Infinity ? undefined : this.#clock.after(nextMs, () => this.#tell());
  }
}
