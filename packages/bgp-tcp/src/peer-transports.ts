import { type Socket } from "node:net";
import { type PeerSnapshot } from "@caracal/bgp";
import { IpAddress, type IpFamily, messageOf, Prefix, Utf8 } from "@caracal/net";
import {
  type PeerTransport,
  PeerTransportError,
  type SocketOptions,
  acceptedDescriptor,
  isPlain,
  isSameTransport,
  maxTtl,
  transportHint,
} from "./peer-transport.ts";

/** What of a peer decides about its connections. */
export interface AddressedPeer {
  readonly name: string;
  readonly address: IpAddress;
}

/** The same of peers that are known by a prefix only. */
export interface AddressedRange {
  readonly name: string;
  readonly prefix: Prefix;
}

/** Connections with a prefix, and how they are protected. */
interface Guard {
  readonly prefix: Prefix;
  readonly transport: PeerTransport;
}

/** A peer that has not answered our OPEN or KEEPALIVE for so long may not be heard by us at all, or not hear us. */
const unansweredMs = 5000;

interface Listening {
  readonly fd: number;
  readonly family: IpFamily;
}

/** Protects the connections of peers: sets each socket's options before it is used, and those of the listening ones. */
export class PeerTransports {
  readonly #options: SocketOptions | undefined;
  readonly #listening: Listening[] = [];
  /** Descriptors of the listening sockets that have TTLs of their own. */
  readonly #securing = new Set<number>();
  /** One by one the peers with an address, then ranges, the most specific first. */
  #known: readonly AddressedRange[] = [];
  #addresses: ReadonlySet<IpAddress> = new Set();
  #byName: ReadonlyMap<string, PeerTransport> = new Map();
  /** By prefix; only what asks for protection. */
  #guards: ReadonlyMap<string, Guard> = new Map();
  /** Prefixes that cannot reach a listening socket, and why. */
  readonly #faults = new Map<string, string>();

  constructor(options: SocketOptions | undefined) {
    this.#options = options;
  }

  /**
   * The peers, the ranges and their transports are now these. Gives the names of those from before whose sessions must
   * start anew.
   */
  replace(
    peers: readonly AddressedPeer[],
    transports: ReadonlyMap<string, PeerTransport>,
    ranges: readonly AddressedRange[] = [],
  ): string[] {
    const known = new Set(this.#known.map(({ name }) => name));
    this.#known = [
      ...peers.map(({ name, address }) => ({ name, prefix: Prefix.host(address) })),
      ...ranges.toSorted((a, b) => b.prefix.length - a.prefix.length),
    ];
    const changed = this.#known.filter(
      ({ name }) => known.has(name) && !isSameTransport(this.#byName.get(name), transports.get(name)),
    );
    this.#addresses = new Set(peers.map(({ address }) => address));
    const before = this.#guards;
    this.#byName = new Map(transports);
    const guards = new Map<string, Guard>();
    for (const { name, prefix } of this.#known) {
      const transport = transports.get(name);
      const key = Prefix.key(prefix);
      // Of two peers with one address, the speaker gives connections to the first.
      if (transport !== undefined && !isPlain(transport) && !guards.has(key)) {
        guards.set(key, { prefix, transport });
      }
    }
    this.#guards = guards;
    const failed = new Set(this.#faults.keys());
    this.#faults.clear();
    for (const one of this.#listening) this.#prepareListening(one, before, failed);
    return changed.map(({ name }) => name);
  }

  /** What connects to this socket, which must not listen yet, is protected from the first packet on. */
  addListening(fd: number, family: IpFamily): void {
    const one = { fd, family };
    this.#listening.push(one);
    this.#prepareListening(one, new Map(), new Set());
  }

  /** Listening sockets are about to be closed, so their descriptors mean nothing any more. */
  forgetListening(): void {
    this.#listening.splice(0);
    this.#securing.clear();
  }

  /** Sets what connections with this address need on a socket that is not connected yet; undefined if nothing. */
  protection(address: IpAddress): ((fd: number) => void) | undefined {
    const guard = this.#guardOf(address);
    return guard === undefined ? undefined : (fd) => this.#protect(fd, address, guard.transport);
  }

  /**
   * Sets the same on a connection that was accepted, before anything of it is read: the listening socket's options are
   * all peers', and a connection may have waited since before they changed. Gives the reason why it must be refused.
   */
  protectAccepted(socket: Socket, address: IpAddress): string | undefined {
    const guard = this.#guardOf(address);
    if (guard === undefined) return undefined;
    try {
      this.#protect(acceptedDescriptor(socket), address, guard.transport);
      return undefined;
    } catch (error) {
      return this.#noteFault(guard.prefix, error);
    }
  }

  /** A peer's last error, with what its protection may have to do with it; `now` is on the clock of the snapshot. */
  explain({ address, lastError, state, since }: PeerSnapshot, now: number): string {
    const guard = this.#guardOf(address);
    const fault = this.#faults.get(Prefix.key(guard?.prefix ?? Prefix.host(address)));
    if (lastError === "" && fault !== undefined) return `Socket: ${fault}`;
    const hint = transportHint(guard?.transport ?? {});
    if (hint === undefined) return lastError;
    const isUnanswered = (state === "OpenSent" || state === "OpenConfirm") && now - since > unansweredMs;
    if (lastError === "" && isUnanswered) return `Socket: No answer (${hint})`;
    return isSilence(lastError) ? `${lastError} (${hint})` : lastError;
  }

  #prepareListening(
    { fd, family }: Listening,
    before: ReadonlyMap<string, Guard>,
    failed: ReadonlySet<string>,
  ): void {
    for (const [key, { prefix }] of new Map([...before, ...this.#guards])) {
      if (prefix.family !== family) continue;
      const password = this.#guards.get(key)?.transport.password;
      // A key that was refused is tried again.
      if (password === before.get(key)?.transport.password && !failed.has(key)) continue;
      try {
        this.#setPassword(fd, prefix, password);
      } catch (error) {
        this.#noteFault(prefix, error);
      }
    }
    this.#setListeningTtl(fd, family);
  }

  /** What can be said of all packets that come to a listening socket; the rest is said when it is known whose they are. */
  #setListeningTtl(fd: number, family: IpFamily): void {
    const own = this.#known.filter(({ prefix }) => prefix.family === family);
    const least = own.map(({ name }) => leastTtl(this.#byName.get(name)));
    const isSecuring = least.some((ttl) => ttl > 0);
    if (!isSecuring && !this.#securing.has(fd)) return;
    if (isSecuring) this.#securing.add(fd);
    else this.#securing.delete(fd);
    // The answer to a connection goes out before its peer is known, and to peers without TTL security it does not matter.
    this.#options?.setTtl(fd, family, isSecuring ? maxTtl : undefined);
    this.#options?.setMinTtl(fd, family, isSecuring ? Math.min(maxTtl, ...least) : 0);
  }

  #protect(fd: number, address: IpAddress, { password, ttlSecurityHops, ttl }: PeerTransport): void {
    const options = this.#required();
    const family = IpAddress.family(address);
    if (password !== undefined) this.#setPassword(fd, Prefix.host(address), password);
    if (ttlSecurityHops !== undefined) {
      options.setTtl(fd, family, maxTtl);
      options.setMinTtl(fd, family, leastTtl({ ttlSecurityHops }));
    } else if (ttl !== undefined) {
      options.setTtl(fd, family, ttl);
    }
  }

  #setPassword(fd: number, prefix: Prefix, password: string | undefined): void {
    this.#required().setMd5Key(fd, prefix, password === undefined ? undefined : Utf8.encode(password));
  }

  /** A configured address wins over a range, also where it asks for no protection. */
  #guardOf(address: IpAddress): Guard | undefined {
    const own = this.#addresses.has(address)
      ? Prefix.host(address)
      : this.#known.find(({ prefix }) => Prefix.contains(prefix, address))?.prefix;
    return own === undefined ? undefined : this.#guards.get(Prefix.key(own));
  }

  #required(): SocketOptions {
    if (this.#options !== undefined) return this.#options;
    throw new PeerTransportError("TCP-MD5 and TTL security are not available to this speaker");
  }

  #noteFault(prefix: Prefix, error: unknown): string {
    const reason = messageOf(error);
    this.#faults.set(Prefix.key(prefix), reason);
    return reason;
  }
}

/** RFC 5082 §3: a packet that left with 255 and crossed n - 1 routers arrives with 256 - n. 0: any will do. */
function leastTtl(transport: PeerTransport | undefined): number {
  return transport?.ttlSecurityHops === undefined ? 0 : Math.max(0, maxTtl + 1 - transport.ttlSecurityHops);
}

/** Packets without the right signature or TTL are dropped by the kernel, which looks like a peer that is not there. */
function isSilence(lastError: string): boolean {
  return /timed out|timer expired/i.test(lastError);
}
