import { StoreError } from "@caracal/datastore";
import type { ClusterResources } from "@caracal/intent";
import { messageOf } from "@caracal/net";
import type { Log } from "../observe/log.ts";

/** Nobody tells of an allocation that was taken away, so it is looked for now and then, too. */
const lookEveryMs = 60_000;
/** After an attempt that failed. */
const retryAfterMs = 2_000;

export interface TunnelAddressKeeperOptions {
  readonly node: string;
  /** Puts right what differs; throws when it cannot. */
  readonly ensure: () => Promise<void>;
  /** False while the datastore is locked: then nothing is written. */
  readonly mayWrite: () => boolean;
  readonly log: Log;
  readonly lookEveryMs?: number;
  readonly retryAfterMs?: number;
}

/** Has the node's tunnel addresses looked at whenever pools or the Node change, one look at a time. */
export class TunnelAddressKeeper implements AsyncDisposable {
  readonly #options: TunnelAddressKeeperOptions;
  #seen: ClusterResources | undefined;
  #cause = "";
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isWantedAgain = false;
  #isStopped = false;

  constructor(options: TunnelAddressKeeperOptions) {
    this.#options = options;
    this.#wait(options.lookEveryMs ?? lookEveryMs);
  }

  /** The cluster as it is now. Cheap when nothing that matters here changed. */
  hear(resources: ClusterResources): void {
    if (resources === this.#seen) return;
    this.#seen = resources;
    const cause = causeOf(resources, this.#options.node);
    if (cause === this.#cause) return;
    this.#cause = cause;
    this.look();
  }

  /** Looks now, or again after the look that is going on. */
  look(): void {
    if (this.#isStopped) return;
    this.#isWantedAgain = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    const {
      ensure,
      mayWrite,
      log,
      lookEveryMs: everyMs = lookEveryMs,
      retryAfterMs: retryMs = retryAfterMs,
    } = this.#options;
    let nextMs = everyMs;
    while (this.#isWantedAgain && !this.#isStopped) {
      this.#isWantedAgain = false;
      nextMs = retryMs;
      if (!mayWrite()) continue;
      try {
        await ensure();
        nextMs = everyMs;
      } catch (error) {
        // That the datastore is away is told by who watches it.
        const isAway = error instanceof StoreError && error.code === "unavailable";
        const reason = messageOf(error);
        if (!isAway) log.warn({ reason }, "the tunnel addresses were not looked after; trying again");
      }
    }
    this.#wait(nextMs);
  }

  #wait(ms: number): void {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.look(), ms);
  }
}

/** Changes when a pool or the node's own resource does. */
function causeOf({ pools, nodes }: ClusterResources, node: string): string {
  const own = nodes.find(({ metadata }) => metadata.name === node);
  return [own, ...pools]
    .map((resource) => `${resource?.metadata.name ?? ""}@${resource?.metadata.resourceVersion ?? ""}`)
    .join(" ");
}
