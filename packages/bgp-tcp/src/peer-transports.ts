import { type Socket } from "node:net";
import { type PeerSnapshot } from "@caracal/bgp";
import { IpAddress, type IpFamily, Prefix, Utf8 } from "@caracal/net";
import {
  type ByAddress,
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
  #peers: readonly AddressedPeer[] = [];
  #byName: ReadonlyMap<string, PeerTransport> = new Map();
  #byAddress: ByAddress<PeerTransport> = new Map();
  /** Peers that cannot reach a listening socket, and why. */
  readonly #faults: ByAddress<string> = new Map();

  constructor(options: SocketOptions | undefined) {
    this.#options = options;
  }

  /** The peers and their transports are now these. Gives the names of peers from before whose sessions must start anew. */
  replace(peers: readonly AddressedPeer[], transports: ReadonlyMap<string, PeerTransport>): string[] {
    const known = new Set(this.#peers.map(({ name }) => name));
    const changed = peers.filter(
      ({ name }) => known.has(name) && !isSameTransport(this.#byName.get(name), transports.get(name)),
    );
    this.#peers = peers.map(({ name, address }) => ({ name, address }));
    const before = this.#byAddress;
    this.#byName = new Map(transports);
    this.#byAddress = new Map();
    for (const { name, address } of peers) {
      const transport = transports.get(name);
      // Of two peers with one address, the speaker gives connections to the first.
      if (transport === undefined || isPlain(transport) || this.#byAddress.has(address)) continue;
      this.#byAddress.set(address, transport);
    }
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
    const transport = this.#byAddress.get(address);
    return transport === undefined ? undefined : (fd) => this.#protect(fd, address, transport);
  }

  /**
   * Sets the same on a connection that was accepted, before anything of it is read: the listening socket's options are
   * all peers', and a connection may have waited since before they changed. Gives the reason why it must be refused.
   */
  protectAccepted(socket: Socket, address: IpAddress): string | undefined {
    const transport = this.#byAddress.get(address);
    if (transport === undefined) return undefined;
    try {
      this.#protect(acceptedDescriptor(socket), address, transport);
      return undefined;
    } catch (error) {
      return this.#noteFault(address, error);
    }
  }

  /** A peer's last error, with what its protection may have to do with it; `now` is on the clock of the snapshot. */
  explain({ address, lastError, state, since }: PeerSnapshot, now: number): string {
    const fault = this.#faults.get(address);
    if (lastError === "" && fault !== undefined) return `Socket: ${fault}`;
    const hint = transportHint(this.#byAddress.get(address) ?? {});
    if (hint === undefined) return lastError;
    const isUnanswered = (state === "OpenSent" || state === "OpenConfirm") && now - since > unansweredMs;
    if (lastError === "" && isUnanswered) return `Socket: No answer (${hint})`;
    return isSilence(lastError) ? `${lastError} (${hint})` : lastError;
  }

  #prepareListening(
    { fd, family }: Listening,
    before: ByAddress<PeerTransport>,
    failed: ReadonlySet<IpAddress>,
  ): void {
    for (const address of new Set([...before.keys(), ...this.#byAddress.keys()])) {
      if (IpAddress.family(address) !== family) continue;
      const password = this.#byAddress.get(address)?.password;
      // A key that was refused is tried again.
      if (password === before.get(address)?.password && !failed.has(address)) continue;
      try {
        this.#setPassword(fd, address, password);
      } catch (error) {
        this.#noteFault(address, error);
      }
    }
    this.#setListeningTtl(fd, family);
  }

  /** What can be said of all packets that come to a listening socket; the rest is said when it is known whose they are. */
  #setListeningTtl(fd: number, family: IpFamily): void {
    const own = this.#peers.filter(({ address }) => IpAddress.family(address) === family);
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
    if (password !== undefined) this.#setPassword(fd, address, password);
    if (ttlSecurityHops !== undefined) {
      options.setTtl(fd, family, maxTtl);
      options.setMinTtl(fd, family, leastTtl({ ttlSecurityHops }));
    } else if (ttl !== undefined) {
      options.setTtl(fd, family, ttl);
    }
  }

  #setPassword(fd: number, address: IpAddress, password: string | undefined): void {
    const host = Prefix.of(address, IpAddress.isIpv4(address) ? 32 : 128);
    this.#required().setMd5Key(fd, host, password === undefined ? undefined : Utf8.encode(password));
  }

  #required(): SocketOptions {
    if (this.#options !== undefined) return this.#options;
    throw new PeerTransportError("TCP-MD5 and TTL security are not available to this speaker");
  }

  #noteFault(address: IpAddress, error: unknown): string {
    const reason = error instanceof Error ? error.message : String(error);
    this.#faults.set(address, reason);
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
