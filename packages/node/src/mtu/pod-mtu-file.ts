import { type FelixSettings, mtuFaults, type NodeMtus, nodeMtus } from "@caracal/intent";
import { Monitor, type NamespaceTarget, Rtnetlink } from "@caracal/linux";
import { type Change, Iff } from "@caracal/netlink";
import type { IpPool } from "@caracal/resources";
import type { Log } from "../observe/log.ts";
import { writeMtu } from "../startup/node-files.ts";
import { compileMtuPattern, defaultMtuPattern, hostMtu, unknownHostMtu } from "./host-mtu.ts";

export interface PodMtuFileOptions {
  readonly path: string;
  readonly pools: readonly IpPool[];
  /** Of the node agent, as far as they are about MTUs. */
  readonly settings: FelixSettings;
  readonly log: Log;
  /** Told of every change, also of the first one. */
  readonly onMtus?: (mtus: NodeMtus) => void;
  /** The thread's own namespace if absent. */
  readonly namespace?: NamespaceTarget;
}

/**
 * Keeps the file from which pods take their MTU true to the host's interfaces, the cluster's pools and the node agent's
 * settings. Pods that are there keep theirs, as with Calico.
 */
export class PodMtuFile implements Disposable {
  readonly #options: PodMtuFileOptions;
  readonly #kernel: Rtnetlink;
  readonly #monitor: Monitor;
  #pattern: RegExp = new RegExp(defaultMtuPattern);
  #patternText: string | undefined;
  /** Interfaces that counted when last looked: a new name may take one out. */
  #counted: ReadonlySet<number> = new Set();
  #pools: readonly IpPool[];
  #settings: FelixSettings;
  #hostMtu: number | undefined;
  #mtus: NodeMtus | undefined;
  #faults = "";

  constructor(options: PodMtuFileOptions) {
    this.#options = options;
    this.#pools = options.pools;
    this.#settings = options.settings;
    this.#compilePattern();
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

  /** The cluster's pools and the node agent's settings as they are now. */
  set(pools: readonly IpPool[], settings: FelixSettings): void {
    this.#pools = pools;
    this.#settings = settings;
    if (this.#compilePattern()) this.#look();
    else this.#write();
  }

  [Symbol.dispose](): void {
    this.#monitor[Symbol.dispose]();
    this.#kernel[Symbol.dispose]();
  }

  /** Whether it is another pattern than before. */
  #compilePattern(): boolean {
    const text = this.#settings.mtuIfacePattern ?? "";
    if (text === this.#patternText) return false;
    this.#patternText = text;
    const pattern = compileMtuPattern(text);
    if (pattern === undefined)
      this.#options.log.warn({ mtuIfacePattern: text }, "mtuIfacePattern is no regular expression: left out");
    this.#pattern = pattern ?? new RegExp(defaultMtuPattern);
    this.#hostMtu = undefined;
    return true;
  }

  /** Pods' own interfaces come and go all the time, and do not count. */
  #concerns(change: Change): boolean {
    if (change.kind !== "link") return false;
    return this.#counted.has(change.link.index) || this.#pattern.test(change.link.name);
  }

  #look(): void {
    const links = this.#kernel.links();
    const pattern = this.#pattern;
    this.#counted = new Set(links.filter(({ name }) => pattern.test(name)).map(({ index }) => index));
    const found = hostMtu(
      links.map(({ name, flags, mtu }) => ({ name, mtu, isUp: (flags & Iff.IFF_UP) !== 0 })),
      pattern,
    );
    // An interface that is down for a moment comes back as it was: pods and tunnels need not change twice.
    const former = this.#counted.size === 0 ? undefined : this.#hostMtu;
    this.#hostMtu = found ?? former ?? unknownHostMtu;
    this.#write();
  }

  #write(): void {
    const { path, log, onMtus } = this.#options;
    const mtus = nodeMtus(this.#hostMtu ?? unknownHostMtu, this.#pools, this.#settings);
    this.#tellFaults(mtus);
    const former = this.#mtus;
    if (JSON.stringify(mtus) === JSON.stringify(former)) return;
    this.#mtus = mtus;
    onMtus?.(mtus);
    const { pod: mtu, host } = mtus;
    if (mtu === former?.pod) return;
    try {
      writeMtu(path, mtu);
    } catch (error) {
      // New pods go on with the MTU that the file has; the next MTU is tried again.
      log.warn({ err: error, path, mtu }, "the pods' MTU was not written");
      return;
    }
    log.info({ mtu, hostMtu: host }, "new pods have this MTU");
  }

  #tellFaults(mtus: NodeMtus): void {
    const faults = mtuFaults(mtus, this.#pools);
    const text = faults.join();
    if (text === this.#faults) return;
    this.#faults = text;
    for (const problem of faults) this.#options.log.warn({ problem }, "MTU");
  }
}
