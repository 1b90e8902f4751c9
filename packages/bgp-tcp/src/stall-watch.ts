import { type Socket } from "node:net";

/** How often a socket that cannot send is looked at. */
export const stallSampleMs = 1000;

/** Notices when a socket stands still: bytes wait, and the system takes none of them (RFC 9687). */
export class StallWatch {
  readonly #socket: Socket;
  readonly #tell: (stalled: boolean) => void;
  readonly #sampleMs: number;
  #timer: NodeJS.Timeout | undefined;
  /** How far the socket had come when it was looked at last. */
  #mark = "";
  #isStalled = false;

  constructor(socket: Socket, tell: (stalled: boolean) => void, sampleMs: number = stallSampleMs) {
    this.#socket = socket;
    this.#tell = tell;
    this.#sampleMs = sampleMs;
  }

  /** To be called after something was sent. */
  look(): void {
    if (this.#timer !== undefined || this.#socket.writableLength === 0) return;
    this.#mark = progress(this.#socket);
    this.#timer = setTimeout(() => this.#sample(), this.#sampleMs).unref();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #sample(): void {
    this.#timer = undefined;
    const before = this.#mark;
    const isWaiting = this.#socket.writableLength > 0;
    this.#note(isWaiting && progress(this.#socket) === before);
    this.look();
  }

  #note(stalled: boolean): void {
    if (stalled === this.#isStalled) return;
    this.#isStalled = stalled;
    this.#tell(stalled);
  }
}

/**
 * Changes with every byte that the system takes, and only then. What Node counts as waiting does so once a whole write is
 * through, which may be megabytes; what is left of that one, its handle knows.
 */
function progress(socket: Socket): string {
  const handle: unknown = "_handle" in socket ? socket._handle : undefined;
  const isKnown = typeof handle === "object" && handle !== null && "writeQueueSize" in handle;
  // Written counts what waits too.
  const through = socket.bytesWritten - socket.writableLength;
  return `${through} ${isKnown ? String(handle.writeQueueSize) : ""}`;
}
