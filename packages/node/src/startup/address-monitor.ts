import { StoreError } from "@caracal/datastore";
import { messageOf } from "@caracal/net";
import type { Log } from "../observe/log.ts";

export interface AddressMonitorOptions {
  /** Writes the Node anew if its addresses or MTUs changed. */
  readonly refresh: () => Promise<void>;
  readonly everyMs: number;
  readonly log: Log;
}

/** Looks again and again whether what the Node tells of changed, the detected addresses above all (facts: node start-up §3, monitor). */
export class AddressMonitor implements Disposable {
  readonly #options: AddressMonitorOptions;
  #isLooking = false;
  #isOneMore = false;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: AddressMonitorOptions) {
    this.#options = options;
    this.#wait();
  }

  /** Something that the Node tells of changed: looks now, or once more after the look that goes on. */
  lookSoon(): void {
    if (this.#isStopped) return;
    if (this.#isLooking) {
      this.#isOneMore = true;
      return;
    }
    clearTimeout(this.#timer);
    void this.#look();
  }

  [Symbol.dispose](): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** The next look comes after the last one has ended: a datastore that hangs must not gather them. */
  #wait(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#look(), this.#options.everyMs);
  }

  async #look(): Promise<void> {
    const { refresh, log } = this.#options;
    this.#isLooking = true;
    this.#isOneMore = false;
    try {
      await refresh();
    } catch (error) {
      // That the datastore is away is told by who watches it.
      const isAway = error instanceof StoreError && error.code === "unavailable";
      const reason = messageOf(error);
      if (!isAway && !this.#isStopped) log.warn({ reason }, "the Node's addresses were not refreshed");
    }
    this.#isLooking = false;
    if (this.#isOneMore) this.lookSoon();
    else this.#wait();
  }
}
