import { once } from "node:events";
import { BoundSocket, type Server, type Socket, createServer } from "node:net";
import { IpAddress, type IpFamily } from "@caracal/net";
import { errorCode, socketErrorText } from "./socket-error-text.ts";

/** Connections that may wait to be accepted: as many peers may come at once when a router starts. */
const listenBacklog = 1024;

export interface ListenAddress {
  /** Absent: every IPv4 and IPv6 address. */
  readonly address?: IpAddress;
  readonly port: number;
}

/** A listening socket could not be opened: `code` is the system's, such as EADDRINUSE. */
export class BgpListenError extends Error {
  readonly code: string;
  readonly address: string;
  readonly port: number;

  constructor(address: string, port: number, cause: Error) {
    super(`cannot listen for BGP on ${address} port ${port}: ${socketErrorText(cause)}`, { cause });
    this.name = "BgpListenError";
    this.code = errorCode(cause) ?? "UNKNOWN";
    this.address = address;
    this.port = port;
  }
}

export interface BgpListenerEvents {
  onConnection(socket: Socket): void;
  /** A socket is bound and about to listen: the moment for its options. */
  onBound(fd: number, family: IpFamily): void;
}

/** The listening sockets of a speaker. */
export class BgpListener {
  readonly #servers: Server[] = [];
  readonly #events: BgpListenerEvents;

  constructor(events: BgpListenerEvents) {
    this.#events = events;
  }

  /** Opens all, or none and throws `BgpListenError`. */
  async open(addresses: readonly ListenAddress[]): Promise<void> {
    try {
      for (const { address, port } of addresses) {
        const hosts = address === undefined ? ["0.0.0.0", "::"] : [IpAddress.format(address)];
        for (const host of hosts) await this.#listen(host, port, address === undefined);
      }
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** The ports in use, in the order opened: of interest where 0 was asked for. */
  get ports(): number[] {
    return this.#servers.map((server) => {
      const at = server.address();
      return typeof at === "object" && at !== null ? at.port : 0;
    });
  }

  async close(): Promise<void> {
    const servers = this.#servers.splice(0);
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
  }

  async #listen(host: string, port: number, isWildcard: boolean): Promise<void> {
    const isIpv6 = host.includes(":");
    const server = createServer({ noDelay: true }, (socket) => this.#events.onConnection(socket));
    try {
      // Closed here unless the server takes it over.
      using bound = new BoundSocket({ host, port, ipv6Only: isIpv6 });
      this.#events.onBound(bound.fd(), isIpv6 ? 6 : 4);
      server.listen({ handle: bound, backlog: listenBacklog });
      await once(server, "listening");
    } catch (error) {
      // A machine without IPv6 has no IPv6 wildcard; the IPv4 one is enough there.
      if (isWildcard && host === "::" && errorCode(error) === "EAFNOSUPPORT") return;
      throw error instanceof Error ? new BgpListenError(host, port, error) : error;
    }
    this.#servers.push(server);
  }
}
