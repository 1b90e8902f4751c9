import type { Kernel } from "@caracal/dataplane";
import type { IntentProblem } from "@caracal/intent";
import { IpAddress, type IpFamily } from "@caracal/net";
import type { Log } from "../observe/log.ts";

export interface OwnAddressesOptions {
  readonly node: string;
  readonly kernel: Pick<Kernel, "subscribe">;
  /** Of all interfaces, now. */
  readonly present: () => readonly IpAddress[];
  /** The node's own, as its resource has them. */
  readonly wanted: () => ReadonlyMap<IpFamily, IpAddress>;
  /** An address has been gone for a while: the node may have another. */
  readonly onLost?: () => void;
  readonly log: Log;
}

/** Addresses come and go in flocks. */
const settleMs = 100;
/** An interface that is set up anew has its address back sooner. */
const lostMs = 3000;

/**
 * Sees that the node's own addresses are on its interfaces. One that is gone is not put back, as somebody took it away; it is
 * told of, for the sessions and routes of its family end with it and come back with it.
 */
export class OwnAddresses implements Disposable {
  readonly #options: OwnAddressesOptions;
  readonly #unsubscribe: () => void;
  #timer: NodeJS.Timeout | undefined;
  #lostTimer: NodeJS.Timeout | undefined;
  #lost: readonly string[] = [];
  /** What was looked for last. */
  #sought: readonly IpAddress[] = [];
  /** One of the node's own addresses may have come or gone since. Those of pods come and go all the time. */
  #isStale = true;

  constructor(options: OwnAddressesOptions) {
    this.#options = options;
    this.#unsubscribe = options.kernel.subscribe((notice) => {
      const concerns =
        notice.kind === "overrun" ||
        notice.changes.some((one) => one.kind === "address" && this.#wanted.includes(one.address.address));
      if (!concerns) return;
      this.#isStale = true;
      this.lookSoon();
    });
    this.lookSoon();
  }

  lookSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, settleMs).unref();
  }

  get problems(): readonly IntentProblem[] {
    return this.#lost.map((address) => ({
      about: `Node(${this.#options.node})`,
      message: `has the address ${address}, which is on none of its interfaces: sessions and routes of its family wait until it is there again`,
    }));
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
    clearTimeout(this.#timer);
    clearTimeout(this.#lostTimer);
  }

  get #wanted(): readonly IpAddress[] {
    return [...this.#options.wanted().values()];
  }

  #look(): void {
    const { present, log } = this.#options;
    const wanted = this.#wanted;
    if (!this.#isStale && wanted.join() === this.#sought.join()) return;
    this.#isStale = false;
    this.#sought = wanted;
    const there = new Set(present());
    const lost = wanted.filter((address) => !there.has(address)).map(IpAddress.format);
    const before = this.#lost;
    this.#lost = lost;
    for (const address of lost) {
      if (!before.includes(address))
        log.error({ address }, "the node's address is on none of its interfaces");
    }
    for (const address of before) {
      if (lost.includes(address)) continue;
      const isThere = [...there].some((one) => IpAddress.format(one) === address);
      log.info(
        { address },
        isThere ? "the node's address is there again" : "the node has another address now",
      );
    }
    if (lost.length === 0) {
      clearTimeout(this.#lostTimer);
      this.#lostTimer = undefined;
    } else this.#lostTimer ??= setTimeout(() => this.#options.onLost?.(), lostMs).unref();
  }
}
