import type { NftFamily, RulesetAuthor, RulesetNotice } from "@caracal/dataplane";
import { DecodeError } from "@caracal/net";
import { Af, decodeNftNotice, netfilterNftablesGroup, readMessages } from "@caracal/netlink";
import type { NamespaceTarget } from "./namespace.ts";
import { NetlinkFd, NetlinkProtocol } from "./netlink-fd.ts";
import { watchReadable } from "./readable-signal.ts";

/** Others' large sets must not push out the news of ours. */
const receiveBufferBytes = 4 << 20;
const datagramsPerTurn = 256;

export interface NftMonitorOptions {
  /** The thread's own namespace if absent. */
  readonly namespace?: NamespaceTarget;
  /** Whether a transaction asked for by the socket of this netlink address is our own, and not told. */
  readonly isOwn: (portId: number) => boolean;
  readonly onNotice: (notice: RulesetNotice) => void;
}

/** Watches the nftables of a namespace, transaction by transaction. It does not keep the process alive. */
export class NftMonitor implements Disposable {
  readonly #fd: NetlinkFd;
  readonly #options: NftMonitorOptions;
  readonly #stop: () => void;
  /** Tables that the transaction under way has touched, as `ip name`. */
  #touched = new Set<string>();
  #closed = false;

  private constructor(fd: NetlinkFd, options: NftMonitorOptions) {
    this.#fd = fd;
    this.#options = options;
    this.#stop = watchReadable(fd.fd, () => this.#drain());
  }

  static open(options: NftMonitorOptions): NftMonitor {
    const fd = NetlinkFd.open(options.namespace, receiveBufferBytes, NetlinkProtocol.NETLINK_NETFILTER);
    try {
      fd.join(netfilterNftablesGroup);
      return new NftMonitor(fd, options);
    } catch (error) {
      fd.close();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stop();
    this.#fd.close();
  }

  #drain(): void {
    let taken = 0;
    for (; !this.#closed && taken < datagramsPerTurn; taken += 1) {
      const received = this.#fd.receive();
      if (received === "empty") return;
      if (received === "overrun" || !this.#read(received)) {
        this.#touched.clear();
        this.#options.onNotice({ kind: "overrun" });
      }
    }
    if (!this.#closed) setImmediate(() => this.#drain());
  }

  /** `false` for notices nobody can read, which count as lost. */
  #read(datagram: Uint8Array): boolean {
    try {
      for (const message of readMessages(datagram)) {
        const notice = decodeNftNotice(message);
        if (notice === undefined) continue;
        if (notice.kind === "object") this.#touch(notice.family, notice.table);
        else this.#conclude(message.portId, notice);
      }
      return true;
    } catch (error) {
      if (error instanceof DecodeError) return false;
      throw error;
    }
  }

  #touch(familyNumber: number, table: string): void {
    const family = familyName(familyNumber);
    if (family !== undefined) this.#touched.add(`${family} ${table}`);
  }

  /** The kernel tells of the objects first and of the transaction as a whole last. */
  #conclude(portId: number, { pid, program }: RulesetAuthor): void {
    const touched = this.#touched;
    this.#touched = new Set();
    if (touched.size === 0 || this.#options.isOwn(portId)) return;
    const tables = [...touched].map((title) => {
      const space = title.indexOf(" ");
      const family: NftFamily = title.startsWith("ip6 ") ? "ip6" : "ip";
      return { family, name: title.slice(space + 1) };
    });
    this.#options.onNotice({ kind: "changed", tables, by: { pid, program } });
  }
}

function familyName(family: number): NftFamily | undefined {
  if (family === Af.AF_INET) return "ip";
  return family === Af.AF_INET6 ? "ip6" : undefined;
}
