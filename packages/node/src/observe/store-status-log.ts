import type { SyncStatus } from "@caracal/datastore";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

/**
 * Tells that the datastore is away, and that it is back: one line each for the whole view, whose parts fall out of step one
 * by one and try again on their own.
 */
export class StoreStatusLog {
  readonly #log: Log;
  readonly #metrics: Pick<Metrics, "storeConnected">;
  readonly #now: () => number;
  #awaySinceMs: number | undefined;

  constructor(log: Log, metrics: Pick<Metrics, "storeConnected">, now: () => number) {
    this.#log = log;
    this.#metrics = metrics;
    this.#now = now;
  }

  /** One part's news; `isCurrent` is the whole view's. */
  hear(status: SyncStatus, part: string, isCurrent: boolean): void {
    this.#metrics.storeConnected.set(isCurrent ? 1 : 0);
    this.#log.debug({ part, ...status }, "datastore watch");
    const reason = "reason" in status ? status.reason : undefined;
    if (reason !== undefined && this.#awaySinceMs === undefined) {
      this.#awaySinceMs = this.#now();
      this.#log.warn({ part, reason }, "datastore away; the last known state holds");
    }
    if (isCurrent && this.#awaySinceMs !== undefined) {
      this.#log.info({ awayMs: Math.round(this.#now() - this.#awaySinceMs) }, "datastore is back");
      this.#awaySinceMs = undefined;
    }
  }
}
