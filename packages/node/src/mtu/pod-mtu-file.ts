import { Monitor, type NamespaceTarget, Rtnetlink } from "@caracal/linux";
import { type Change, Iff } from "@caracal/netlink";
import type { IpPool } from "@caracal/resources";
import type { Log } from "../observe/log.ts";
import { writeMtu } from "../startup/node-files.ts";
import { hostMtu, podMtu } from "./pod-mtu.ts";

export interface PodMtuFileOptions {
  readonly path: string;
  /** Names of the interfaces that count. */
  readonly pattern: RegExp;
  readonly pools: readonly IpPool[];
  readonly log: Log;
  /** The thread's own namespace if absent. */
  readonly namespace?: NamespaceTarget;
}

/**
 * Keeps the file from which pods take their MTU true to the host's interfaces and the cluster's pools. Pods that are there
 * keep theirs, as with Calico.
 */
export class PodMtuFile implements Disposable {
  readonly #options: PodMtuFileOptions;
  readonly #kernel: Rtnetlink;
  readonly #monitor: Monitor;
  /** Interfaces that counted when last looked: a new name may take one out. */
  #counted: ReadonlySet<number> = new Set();
  #pools: readonly IpPool[];
  #hostMtu = 0;
  /** The MTU that was written last, or could not be. */
  #written: number | undefined;

  constructor(options: PodMtuFileOptions) {
    this.#options = options;
    this.#pools = options.pools;
    this.#kernel = Rtnetlink.open(options.namespace);
    // Watching begins before the first look, so that nothing falls between.
    this.#monitor = Monitor.open({
      topics: ["links"],
      ...(options.namespace !== undefined && { namespace: options.namespace }),
      onChanges: (changes) => {
        if (changes.some((change) => this.#concerns(change))) this.#look();
      },
      onOverrun: () => this.#look(),
    });
    this.#look();
  }

  /** The cluster's pools as they are now. */
  setPools(pools: readonly IpPool[]): void {
    this.#pools = pools;
    this.#write();
  }

  [Symbol.dispose](): void {
    this.#monitor[Symbol.dispose]();
    this.#kernel[Symbol.dispose]();
  }

  /** Pods' own interfaces come and go all the time, and do not count. */
  #concerns(change: Change): boolean {
    if (change.kind !== "link") return false;
    return this.#counted.has(change.link.index) || this.#options.pattern.test(change.link.name);
  }

  #look(): void {
    const { pattern } = this.#options;
    const links = this.#kernel.links();
    this.#counted = new Set(links.filter(({ name }) => pattern.test(name)).map(({ index }) => index));
    this.#hostMtu = hostMtu(
      links.map(({ name, flags, mtu }) => ({ name, mtu, isUp: (flags & Iff.IFF_UP) !== 0 })),
      pattern,
    );
    this.#write();
  }

  #write(): void {
    const { path, log } = this.#options;
    const mtu = podMtu(this.#hostMtu, this.#pools);
    if (mtu === this.#written) return;
    this.#written = mtu;
    try {
      writeMtu(path, mtu);
    } catch (error) {
      // New pods go on with the MTU that the file has; the next MTU is tried again.
      log.warn({ err: error, path, mtu }, "the pods' MTU was not written");
      return;
    }
    log.info({ mtu, hostMtu: this.#hostMtu }, "new pods have this MTU");
  }
}
