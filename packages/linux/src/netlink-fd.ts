import { closeSync } from "node:fs";
import { Reader } from "@caracal/net";
import { checked, KernelError } from "./kernel-error.ts";
import { errnoName, lastErrno, libc } from "./libc.ts";
import { type NamespaceTarget, withNamespace } from "./namespace.ts";
import { attachFilter, Bpf, type BpfLine, keepAll, keepNothing } from "./socket-filter.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
/** Netlink's protocols that are spoken here (linux/netlink.h). */
export const NetlinkProtocol = { NETLINK_ROUTE: 0, NETLINK_NETFILTER: 12 } as const;
export type NetlinkProtocol = (typeof NetlinkProtocol)[keyof typeof NetlinkProtocol];

const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

/** The kernel's datagrams stay below 32 KiB, and grow to the reader's buffer when that is larger. */
const datagramBytes = 65536;
/**
 * Buffers of closed sockets, for the next ones: one that looks into a pod's namespace lives for a call or two, and memory
 * by the 64 KiB makes the collector run.
 */
const spareBuffers: Uint8Array[] = [];
const spareBuffersMax = 8;

/** Where a message's type, and the causing socket's port, stand in its header. */
const typeOffset = 4;
const portOffset = 12;

/** Which notices are not wanted. */
export interface NoticeFilter {
  /** What the socket at this port does itself: one's own bulk work. */
  readonly ignorePort?: number;
  /** Whatever tells of something that appeared or changed. */
  readonly removalsOnly?: boolean;
}

const dropOthersThanRemovals: readonly BpfLine[] = [
  [Bpf.loadByteAt, 0, 0, typeOffset],
  // Types come by fours: an object is new or changed, is gone, is asked for, is set.
  [Bpf.and, 0, 0, 3],
  [Bpf.jumpIfEqual, 1, 0, 1],
  [Bpf.answer, 0, 0, keepNothing],
];

/** What a receive gave: a datagram (a view valid until the next receive), nothing yet, or word that some were lost. */
export type Received = Uint8Array | "empty" | "overrun";

/** What requests go through: a socket, or in tests a script of answers. */
export interface NetlinkTransport {
  readonly port: number;
  send(op: string, datagram: Uint8Array): void;
  receive(): Received;
  close(): void;
}

/** An open, bound netlink socket that never waits. It belongs to the namespace in which it was opened. */
export class NetlinkFd implements NetlinkTransport, Disposable {
  readonly fd: number;
  readonly #buffer = spareBuffers.pop() ?? new Uint8Array(datagramBytes);
  #open = true;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** `receiveBufferBytes`: what the kernel may queue for us; it needs CAP_NET_ADMIN to pass the system's limit. */
  static open(
    namespace: NamespaceTarget | undefined,
    receiveBufferBytes: number,
    protocol: NetlinkProtocol = NetlinkProtocol.NETLINK_ROUTE,
  ): NetlinkFd {
    const kind = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
    const create = (): number => checked("netlink.open", libc.socket(AF_NETLINK, kind, protocol));
    const fd = new NetlinkFd(namespace === undefined ? create() : withNamespace(namespace, create));
    try {
      fd.#prepare(receiveBufferBytes);
    } catch (error) {
      fd.close();
      throw error;
    }
    return fd;
  }

  /** Joins a multicast group; its messages arrive by `receive`. */
  join(group: number): void {
    this.#setOption("netlink.join", SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  }

  /** Has the kernel drop notices before they are queued: so they neither fill the buffer nor wake the reader. Once only. */
  filter({ ignorePort, removalsOnly }: NoticeFilter): void {
    attachFilter("netlink.filter", this.fd, [
      ...(ignorePort === undefined ? [] : dropPort(ignorePort)),
      ...(removalsOnly === true ? dropOthersThanRemovals : []),
      [Bpf.answer, 0, 0, keepAll],
    ]);
  }

  /** Hands a datagram of requests to the kernel, which has carried them out when this returns. */
  send(op: string, datagram: Uint8Array): void {
    checked(op, libc.send(this.fd, datagram, datagram.length, 0));
  }

  receive(): Received {
    const length = libc.recv(this.fd, this.#buffer, datagramBytes, MSG_DONTWAIT | MSG_TRUNC);
    if (length >= 0 && length <= datagramBytes) return this.#buffer.subarray(0, length);
    // A datagram that does not fit is lost in part, which for the reader is the same as one that was dropped.
    if (length > datagramBytes) return "overrun";
    const errno = lastErrno();
    const name = errnoName(errno);
    if (name === "EAGAIN") return "empty";
    if (name === "ENOBUFS") return "overrun";
    if (name === "EINTR") return this.receive();
    throw KernelError.of("netlink.receive", errno);
  }

  /** The socket's netlink address; notices name that of the socket that caused them. */
  get port(): number {
    const address = new Uint8Array(12);
    checked("netlink.port", libc.getsockname(this.fd, address, intBytes(address.length)));
    // struct sockaddr_nl: | family u16 | 0 u16 | port u32 | groups u32 |
    return new Reader(address, undefined, 4).u32le();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.fd);
    if (spareBuffers.length < spareBuffersMax) spareBuffers.push(this.#buffer);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #prepare(receiveBufferBytes: number): void {
    const kernel = new Uint8Array(12);
    kernel[0] = AF_NETLINK;
    checked("netlink.open", libc.bind(this.fd, kernel, kernel.length));
    // Connected to port 0, the socket takes unicasts from the kernel only, and from no other process.
    checked("netlink.open", libc.connect(this.fd, kernel, kernel.length));
    this.#setReceiveBuffer(receiveBufferBytes);
    // Errors bring the kernel's own words, and only the header of the request; dumps obey their filters.
    this.#setOption("netlink.open", SOL_NETLINK, NETLINK_EXT_ACK, 1);
    this.#setOption("netlink.open", SOL_NETLINK, NETLINK_CAP_ACK, 1);
    this.#setOption("netlink.open", SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  }

  #setReceiveBuffer(bytes: number): void {
    const value = intBytes(bytes);
    if (libc.setsockopt(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, value, value.length) === 0) return;
    this.#setOption("netlink.open", SOL_SOCKET, SO_RCVBUF, bytes);
  }

  #setOption(op: string, level: number, option: number, value: number): void {
    checked(op, libc.setsockopt(this.fd, level, option, intBytes(value), 4));
  }
}

function dropPort(port: number): readonly BpfLine[] {
  return [
    [Bpf.loadWordAt, 0, 0, portOffset],
    // BPF loads words in network order.
    [Bpf.jumpIfEqual, 0, 1, swapBytes(port)],
    [Bpf.answer, 0, 0, keepNothing],
  ];
}

function intBytes(value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Int32Array.of(value).buffer);
}

function swapBytes(value: number): number {
  return new DataView(intBytes(value).buffer).getUint32(0);
}
