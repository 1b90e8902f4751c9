import { type Socket } from "node:net";
import { type IpFamily, type Prefix } from "@caracal/net";

/** How the TCP connections with one peer are protected. It never becomes part of an event, a snapshot or a log line. */
export interface PeerTransport {
  /** The key that signs every segment (RFC 2385), 1 to 80 bytes of UTF-8. */
  readonly password?: string;
  /**
   * The peer is at most so many hops away, 1 on the same link: we send with TTL 255, and what arrives with less than it
   * can have left is dropped (RFC 5082). Both ends have to want it.
   */
  readonly ttlSecurityHops?: number;
  /** TTL of what we send, so the most routers on the way; `ttlSecurityHops` overrules it. Absent: the system's. */
  readonly ttl?: number;
}

/** What protected connections need of the system beyond what Node offers; `tcpOptions` of `@caracal/linux` is one. */
export interface SocketOptions {
  /** Signs and expects signatures to and from these addresses; undefined ends that. */
  setMd5Key(fd: number, peers: Prefix, key: Uint8Array | undefined): void;
  /** Undefined: the system's default. */
  setTtl(fd: number, family: IpFamily, ttl: number | undefined): void;
  setMinTtl(fd: number, family: IpFamily, least: number): void;
}

/** A connection cannot be protected as asked, so it is not made. */
export class PeerTransportError extends Error {
  readonly code: "unsupported";

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PeerTransportError";
    this.code = "unsupported";
  }
}

/** TTL of all packets under RFC 5082 §3: nobody can make it higher on the way. */
export const maxTtl = 255;

/** Whether node:net's own connections will do. */
export function isPlain(transport: PeerTransport | undefined): boolean {
  if (transport === undefined) return true;
  const { password, ttlSecurityHops, ttl } = transport;
  return password === undefined && ttlSecurityHops === undefined && ttl === undefined;
}

export function isSameTransport(one: PeerTransport | undefined, other: PeerTransport | undefined): boolean {
  return (
    one?.password === other?.password &&
    one?.ttlSecurityHops === other?.ttlSecurityHops &&
    one?.ttl === other?.ttl
  );
}

/** What an operator should look at when packets are lost without a word, as protection makes it. */
export function transportHint({ password, ttlSecurityHops }: PeerTransport): string | undefined {
  const hints = [
    ...(password === undefined ? [] : ["the TCP-MD5 passwords of both ends are the same"]),
    ...(ttlSecurityHops === undefined
      ? []
      : [`the peer sends with TTL ${maxTtl} from at most ${hops(ttlSecurityHops)}`]),
  ];
  return hints.length === 0 ? undefined : `check that ${hints.join(" and ")}`;
}

function hops(count: number): string {
  return count === 1 ? "1 hop" : `${count} hops`;
}

/** The descriptor of an accepted connection, which Node keeps inside its handle. */
export function acceptedDescriptor(socket: Socket): number {
  const handle: unknown = "_handle" in socket ? socket._handle : undefined;
  const isKnown = typeof handle === "object" && handle !== null && "fd" in handle;
  if (isKnown && typeof handle.fd === "number" && handle.fd >= 0) return handle.fd;
  throw new PeerTransportError("this Node does not tell the descriptor of an accepted connection");
}
