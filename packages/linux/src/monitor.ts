import { DecodeError } from "@caracal/net";
import { type Change, decodeChange, readMessages, RtnlGroup } from "@caracal/netlink";
import type { NamespaceTarget } from "./namespace.ts";
import { NetlinkFd, type NoticeFilter } from "./netlink-fd.ts";
import { watchReadable } from "./readable-signal.ts";

/** What can be watched. */
export type MonitorTopic =
  | "links"
  | "addresses"
  | "routes"
  | "nextHops"
  | "settings"
  | "neighbours"
  | "rules";

const groups: Record<MonitorTopic, readonly number[]> = {
  links: [RtnlGroup.RTNLGRP_LINK],
  addresses: [RtnlGroup.RTNLGRP_IPV4_IFADDR, RtnlGroup.RTNLGRP_IPV6_IFADDR],
  routes: [RtnlGroup.RTNLGRP_IPV4_ROUTE, RtnlGroup.RTNLGRP_IPV6_ROUTE],
  nextHops: [RtnlGroup.RTNLGRP_NEXTHOP],
  settings: [RtnlGroup.RTNLGRP_IPV4_NETCONF, RtnlGroup.RTNLGRP_IPV6_NETCONF],
  neighbours: [RtnlGroup.RTNLGRP_NEIGH],
  rules: [RtnlGroup.RTNLGRP_IPV4_RULE, RtnlGroup.RTNLGRP_IPV6_RULE],
};

/** Room for some ten thousand notices while the process is busy elsewhere. */
const defaultReceiveBufferBytes = 8 << 20;
/** Datagrams taken per turn of the event loop, so that a flood of notices leaves room for everything else. */
const datagramsPerTurn = 256;

export interface MonitorOptions extends NoticeFilter {
  readonly topics: readonly MonitorTopic[];
  /** The thread's own namespace if absent. */
  readonly namespace?: NamespaceTarget;
  /** Objects that appeared, changed or went, in order. */
  onChanges(changes: readonly Change[]): void;
  /** Notices were lost: only a dump tells what is. */
  onOverrun(): void;
  /** What the kernel may queue before notices are lost. */
  readonly receiveBufferBytes?: number;
}

/** Watches the tables of a namespace. It does not keep the process alive. */
export class Monitor implements Disposable {
  readonly #fd: NetlinkFd;
  readonly #options: MonitorOptions;
  readonly #stop: () => void;
  #closed = false;

  private constructor(fd: NetlinkFd, options: MonitorOptions) {
    this.#fd = fd;
    this.#options = options;
    this.#stop = watchReadable(fd.fd, () => this.#drain());
  }

  static open(options: MonitorOptions): Monitor {
    const fd = NetlinkFd.open(options.namespace, options.receiveBufferBytes ?? defaultReceiveBufferBytes);
    try {
      fd.filter(options);
      for (const topic of new Set(options.topics)) for (const group of groups[topic]) fd.join(group);
      return new Monitor(fd, options);
    } catch (error) {
      fd.close();
      throw error;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stop();
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #drain(): void {
    const changes: Change[] = [];
    let overrun = false;
    let taken = 0;
    for (; !this.#closed && taken < datagramsPerTurn; taken += 1) {
      const received = this.#fd.receive();
      if (received === "empty") break;
      if (received === "overrun" || !this.#read(received, changes)) overrun = true;
    }
    if (taken === datagramsPerTurn) setImmediate(() => this.#drain());
    if (changes.length > 0) this.#options.onChanges(changes);
    // Last, so that a dump it causes is newer than all changes told.
    if (overrun && !this.#closed) this.#options.onOverrun();
  }

  /** `false` for notices nobody can read, which count as lost. */
  #read(datagram: Uint8Array, changes: Change[]): boolean {
    try {
      for (const message of readMessages(datagram)) {
        const change = decodeChange(message);
        if (change !== undefined) changes.push(change);
      }
      return true;
    } catch (error) {
      if (error instanceof DecodeError) return false;
      throw error;
    }
  }
}
