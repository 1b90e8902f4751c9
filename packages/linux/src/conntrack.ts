import { IpAddress, type Ipv4 } from "@caracal/net";
import {
  type Connection,
  type ConnectionMatch,
  decodeConnection,
  dumpConnections,
  forgetConnection,
  forgetConnections,
} from "@caracal/netlink";
import { KernelError } from "./kernel-error.ts";
import type { NamespaceTarget } from "./namespace.ts";
import { NetlinkProtocol } from "./netlink-fd.ts";
import { NetlinkSocket } from "./netlink-socket.ts";

export interface ConntrackOptions {
  /** The thread's own namespace if absent. */
  readonly namespace?: NamespaceTarget;
  /** `false` does without what kernels before 6.8 lack. */
  readonly forgetsByFilter?: boolean;
}

/** The connections that the kernel tracks in one network namespace. */
export class Conntrack implements Disposable {
  readonly #namespace: NamespaceTarget | undefined;
  /** Opened when it is first needed: there are kernels without netfilter. */
  #socket: NetlinkSocket | undefined;
  /** The kernel forgets by a filter; otherwise connections are forgotten one by one. */
  #forgetsByFilter: boolean;

  constructor({ namespace, forgetsByFilter = true }: ConntrackOptions = {}) {
    this.#namespace = namespace;
    this.#forgetsByFilter = forgetsByFilter;
  }

  /** Forgets every connection that the address opened or answers, before translation or after. */
  forget(address: IpAddress): void {
    this.#forget({ direction: "original", source: address });
    this.#forget({ direction: "reply", source: address });
  }

  [Symbol.dispose](): void {
    this.#socket?.close();
  }

  #forget(match: ConnectionMatch): void {
    if (IpAddress.isIpv4(match.source) && this.#forgetByFilter(match.direction, match.source)) return;
    const socket = this.#open();
    const listed = socket.dump("conntrack.dump", dumpConnections(match), decodeConnection);
    const requests = listed.filter((one) => isMatch(one, match)).map(forgetConnection);
    const [failure] = socket
      .batch("conntrack.forget", requests)
      .filter(({ error }) => error.errno !== "ENOENT");
    if (failure !== undefined) throw failure.error;
  }

  #open(): NetlinkSocket {
    this.#socket ??= NetlinkSocket.open(this.#namespace, NetlinkProtocol.NETLINK_NETFILTER);
    return this.#socket;
  }

  #forgetByFilter(direction: ConnectionMatch["direction"], source: Ipv4): boolean {
    if (!this.#forgetsByFilter) return false;
    try {
      this.#open().request("conntrack.forget", forgetConnections(direction, source));
    } catch (error) {
      if (!(error instanceof KernelError) || error.errno !== "EOPNOTSUPP") throw error;
      this.#forgetsByFilter = false;
    }
    return this.#forgetsByFilter;
  }
}

function isMatch(
  { originalSource, replySource }: Connection,
  { direction, source }: ConnectionMatch,
): boolean {
  return (direction === "original" ? originalSource : replySource) === source;
}
