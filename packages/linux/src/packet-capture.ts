import { closeSync } from "node:fs";
import { Reader, Writer } from "@caracal/net";
import { checked, KernelError } from "./kernel-error.ts";
import { errnoName, lastErrno, libc } from "./libc.ts";
import { type NamespaceTarget, withNamespace } from "./namespace.ts";
import { Rtnetlink } from "./rtnetlink.ts";
import { attachFilter, Bpf, keepAll, keepNothing } from "./socket-filter.ts";

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const ETH_P_ALL = 0x0003;
const PACKET_OUTGOING = 4;
/** Bytes of struct sockaddr_ll (linux/if_packet.h). */
const addressBytes = 20;
/** The longest IP packet with an Ethernet header. */
const maxPacketBytes = 65_535 + 18;
/** Bytes of a mark: the kernel looks for the last four of them, the rest is compared here. */
const filterBytes = 4;

/** A packet as it went through an interface. */
export interface CapturedPacket {
  readonly device: string;
  readonly direction: "in" | "out";
  /** ARPHRD_… (linux/if_arp.h): 1 is Ethernet, 768 IPIP. */
  readonly hardwareType: number;
  /** From the interface's own header on, if it has one. */
  readonly bytes: Uint8Array;
}

/** Captures the packets of a namespace that end in a mark, on all of its interfaces (packet(7)). */
export class PacketCapture implements Disposable {
  readonly #fd: number;
  readonly #mark: Uint8Array;
  readonly #names = new Map<number, string>();
  /** Of the same namespace, for the interfaces' names. */
  readonly #tables: Rtnetlink;
  #open = true;

  private constructor(fd: number, mark: Uint8Array, tables: Rtnetlink) {
    this.#fd = fd;
    this.#mark = mark;
    this.#tables = tables;
  }

  /** `mark`: the last bytes of the packets that are wanted, whatever tunnels put around them; four at least. */
  static open(mark: Uint8Array, namespace?: NamespaceTarget): PacketCapture {
    if (mark.length < filterBytes) throw new RangeError(`a mark has ${filterBytes} bytes at least`);
    // Without a protocol the socket hears nothing until it is bound: the filter is there before the first packet.
    const kind = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
    const create = (): number => checked("capture.open", libc.socket(AF_PACKET, kind, 0));
    const fd = namespace === undefined ? create() : withNamespace(namespace, create);
    const capture = new PacketCapture(fd, mark, Rtnetlink.open(namespace));
    try {
      capture.#prepare();
    } catch (error) {
      capture.close();
      throw error;
    }
    return capture;
  }

  /** Everything since the last call, in the order of its coming. */
  drain(): readonly CapturedPacket[] {
    const found: CapturedPacket[] = [];
    const buffer = new Uint8Array(maxPacketBytes);
    const address = new Uint8Array(addressBytes);
    for (;;) {
      const addressLength = new Writer(4);
      addressLength.u32le(addressBytes);
      const length = libc.recvfrom(
        this.#fd,
        buffer,
        buffer.length,
        MSG_DONTWAIT,
        address,
        addressLength.finish(),
      );
      if (length < 0) {
        const errno = lastErrno();
        const name = errnoName(errno);
        if (name === "EAGAIN") return found;
        // An interface went down: the others are heard on.
        if (name === "EINTR" || name === "ENETDOWN") continue;
        throw KernelError.of("capture.receive", errno);
      }
      if (this.#isMarked(buffer.subarray(0, length)))
        found.push(this.#packet(buffer.slice(0, length), address));
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#fd);
    this.#tables.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #prepare(): void {
    const tail = new Reader(this.#mark, undefined, this.#mark.length - filterBytes).u32();
    // The end of a packet stays where it is however many headers are put before it.
    attachFilter("capture.filter", this.#fd, [
      [Bpf.loadLength, 0, 0, 0],
      [Bpf.subtract, 0, 0, filterBytes],
      [Bpf.copyToX, 0, 0, 0],
      [Bpf.loadWordFromX, 0, 0, 0],
      [Bpf.jumpIfEqual, 1, 0, tail],
      [Bpf.answer, 0, 0, keepNothing],
      [Bpf.answer, 0, 0, keepAll],
    ]);
    // struct sockaddr_ll: | family u16 | protocol u16, network order | interface i32 | and what binding ignores |
    const everywhere = new Writer(addressBytes);
    everywhere.u16le(AF_PACKET);
    everywhere.u16(ETH_P_ALL);
    everywhere.zeros(addressBytes - 4);
    checked("capture.bind", libc.bind(this.#fd, everywhere.finish(), addressBytes));
  }

  #isMarked(bytes: Uint8Array): boolean {
    const mark = this.#mark;
    const end = bytes.subarray(-mark.length);
    return end.length === mark.length && end.every((byte, index) => byte === mark[index]);
  }

  /** sockaddr_ll: | family u16 | protocol u16 | interface i32 | hardware type u16 | packet type u8 | … | */
  #packet(bytes: Uint8Array, address: Uint8Array): CapturedPacket {
    const reader = new Reader(address, undefined, 4);
    const index = reader.i32le();
    const hardwareType = reader.u16le();
    const direction = reader.u8() === PACKET_OUTGOING ? "out" : "in";
    return { device: this.#nameOf(index), direction, hardwareType, bytes };
  }

  #nameOf(index: number): string {
    const known = this.#names.get(index);
    if (known !== undefined) return known;
    const name = this.#tables.link(index)?.name ?? `if${index}`;
    this.#names.set(index, name);
    return name;
  }
}
