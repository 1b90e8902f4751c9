import { BoundSocket, Socket, connect } from "node:net";
import { IpAddress, Ipv4 } from "@caracal/net";
import { socketErrorText } from "./socket-error-text.ts";
import { StallWatch } from "./stall-watch.ts";

/** A peer's queue counts as full from here on, and as free once it is empty. */
export const congestedBytes: number = 4 << 20;

/** A connection with more than this queued is to be given up: its peer does not read, and memory is not endless. */
export const maxQueuedBytes: number = 256 << 20;

/** How long a closed connection may take to hand over its last bytes. */
const lingerMs = 1000;

/** Where a connection goes, and from where. */
export interface PeerEndpoint {
  readonly address: IpAddress;
  readonly port: number;
  /** Undefined: the system chooses. */
  readonly sourceAddress: IpAddress | undefined;
}

/** What a connection tells its owner. Nothing comes after `onClosed` or after `close` was called. */
export interface PeerSocketEvents {
  onConnected(localAddress: IpAddress): void;
  onBytes(bytes: Uint8Array): void;
  onCongested(full: boolean): void;
  /** Bytes wait and the system takes none, or takes some again. */
  onStalled(stalled: boolean): void;
  /** More is queued than `maxQueuedBytes`: the owner is to say its last word and close. Told once. */
  onOverflow(): void;
  onClosed(reason: string): void;
}

/** One TCP connection to a peer, with a bounded queue. */
export class PeerSocket {
  readonly #socket: Socket;
  readonly #stallWatch: StallWatch;
  #events: PeerSocketEvents | undefined;
  readonly #maxBytes: number;
  #isCongested = false;
  #isOverflown = false;
  #heldBytes = 0;
  #error: string | undefined;

  private constructor(socket: Socket, events: PeerSocketEvents, maxBytes: number) {
    this.#socket = socket;
    this.#maxBytes = maxBytes;
    this.#events = events;
    this.#stallWatch = new StallWatch(socket, (stalled) => this.#events?.onStalled(stalled));
    socket.setNoDelay(true);
    socket.on("data", (bytes) => {
      if (typeof bytes !== "string") this.#events?.onBytes(plain(bytes));
    });
    socket.on("drain", () => this.#drained());
    socket.on("error", (error) => {
      this.#error = socketErrorText(error);
    });
    socket.on("close", () => this.#closed());
  }

  /** Begins to connect. With `protect`, which sets a descriptor's options, what is wrong with those is thrown. */
  static connect(
    to: PeerEndpoint,
    events: PeerSocketEvents,
    protect: ((fd: number) => void) | undefined,
  ): PeerSocket {
    const socket = protect === undefined ? connectPlain(to) : connectProtected(to, protect);
    const peer = new PeerSocket(socket, events, maxQueuedBytes);
    socket.once("connect", () => {
      const local = socketAddress(socket.localAddress);
      if (local !== undefined) peer.#events?.onConnected(local);
    });
    return peer;
  }

  /** Takes over a connection that a listener accepted. */
  static accepted(socket: Socket, events: PeerSocketEvents, maxBytes: number = maxQueuedBytes): PeerSocket {
    return new PeerSocket(socket, events, maxBytes);
  }

  /** Bytes waiting for the peer. */
  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  /** Bytes that wait for `flush`. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Queues bytes until `flush`; the array must not change any more. */
  send(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    // Many small messages leave in one system call.
    if (this.#heldBytes === 0) this.#socket.cork();
    this.#heldBytes += bytes.length;
    this.#socket.write(bytes);
  }

  /** Hands the queue to the system. */
  flush(): void {
    if (this.#heldBytes === 0) return;
    this.#heldBytes = 0;
    this.#socket.uncork();
    this.#stallWatch.look();
    const queued = this.#socket.writableLength;
    if (queued > this.#maxBytes) {
      if (this.#isOverflown) return;
      this.#isOverflown = true;
      this.#events?.onOverflow();
    } else if (queued > congestedBytes && !this.#isCongested) {
      this.#isCongested = true;
      this.#events?.onCongested(true);
    }
  }

  /** Ends the connection after what is queued; nobody is told. */
  close(): Promise<void> {
    this.#events = undefined;
    this.flush();
    this.#stallWatch.end();
    const socket = this.#socket;
    if (socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      // A stranger that was told nothing has nothing to miss.
      if (socket.connecting || socket.bytesWritten === 0) {
        socket.once("close", () => resolve());
        socket.destroy();
        return;
      }
      const lingering = setTimeout(() => socket.destroy(), lingerMs).unref();
      socket.once("close", () => {
        clearTimeout(lingering);
        resolve();
      });
      // A NOTIFICATION just sent must not be lost to a reset: what the peer still says is read and dropped.
      socket.end();
      socket.resume();
    });
  }

  #drained(): void {
    if (!this.#isCongested) return;
    this.#isCongested = false;
    this.#events?.onCongested(false);
  }

  #closed(): void {
    this.#stallWatch.end();
    const events = this.#events;
    this.#events = undefined;
    events?.onClosed(this.#error ?? "Connection closed");
  }
}

/** The same bytes as a mere `Uint8Array`: code that sees a `Buffer` among those is compiled for both, and slower. */
function plain({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function connectPlain({ address, port, sourceAddress }: PeerEndpoint): Socket {
  const source = sourceAddress === undefined ? {} : { localAddress: IpAddress.format(sourceAddress) };
  return connect({ host: IpAddress.format(address), port, ...source });
}

/** Node connects a socket that already has its options: the first packet must be signed. */
function connectProtected(
  { address, port, sourceAddress }: PeerEndpoint,
  protect: (fd: number) => void,
): Socket {
  const anywhere = IpAddress.isIpv4(address) ? "0.0.0.0" : "::";
  // Closed here unless the connection takes it over.
  using bound = new BoundSocket({
    host: sourceAddress === undefined ? anywhere : IpAddress.format(sourceAddress),
  });
  protect(bound.fd());
  const socket = new Socket({ handle: bound });
  return socket.connect({ host: IpAddress.format(address), port });
}

/** Node's text for an address, without zone, and IPv4 in IPv6's clothes undressed. */
export function socketAddress(text: string | undefined): IpAddress | undefined {
  const address = text === undefined ? undefined : IpAddress.parse(text.replace(/%.*$/, ""));
  if (address === undefined || IpAddress.isIpv4(address)) return address;
  return address >> 32n === 0xffffn ? Ipv4.of(Number(address & 0xffffffffn)) : address;
}
