import { type Socket, connect } from "node:net";
import { IpAddress } from "@caracal/net";
import { type Clock } from "./clock.ts";
import { socketErrorText } from "./socket-error-text.ts";

/** A station with more than this waiting for it is given up: it does not keep up, and memory is not endless. */
export const maxStationBytes: number = 64 << 20;

/** The table is handed to the system in portions, whenever less than this waits. */
const tablePortionBytes = 1 << 18;

/** How long the last messages may take. */
const lingerMs = 1000;

/** A monitoring station that we connect to (RFC 7854 §3.2). */
export interface BmpStationAddress {
  readonly address: IpAddress;
  readonly port: number;
  /** Absent: the system chooses. */
  readonly sourceAddress?: IpAddress;
  /** Pauses between attempts double from the first to the last of these. */
  readonly retryMinMs?: number;
  readonly retryMaxMs?: number;
}

/** What became of a station. */
export interface BmpStationFact {
  readonly kind: "bmpStation";
  readonly address: IpAddress;
  readonly port: number;
  readonly state: "up" | "down";
  /** Empty for "up". */
  readonly reason: string;
}

export interface BmpStationEvents {
  /** What a station hears first; asked for at each connection, and read while it is sent. */
  firstMessages(): Iterable<Uint8Array>;
  onFact(fact: BmpStationFact): void;
}

/** RFC 7854 §3.2: retries begin after 30 s and end up 720 s apart. */
const defaultRetry = { retryMinMs: 30_000, retryMaxMs: 720_000 };

/** One connection to a station, made again whenever it ends. Messages of times without one are dropped: the next begins with all. */
export class BmpStation {
  readonly #to: BmpStationAddress & typeof defaultRetry;
  readonly #events: BmpStationEvents;
  readonly #clock: Clock;
  #socket: Socket | undefined;
  #isUp = false;
  /** What is left of the first messages; live ones wait behind it. */
  #table: Iterator<Uint8Array> | undefined;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #reason = "";
  #retryMs: number;
  #cancelRetry: (() => void) | undefined;

  constructor(to: BmpStationAddress, events: BmpStationEvents, clock: Clock) {
    this.#to = { ...defaultRetry, ...to };
    this.#events = events;
    this.#clock = clock;
    this.#retryMs = this.#to.retryMinMs;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  start(): void {
    const { address, port, sourceAddress } = this.#to;
    const source = sourceAddress === undefined ? {} : { localAddress: IpAddress.format(sourceAddress) };
    const socket = connect({ host: IpAddress.format(address), port, ...source, noDelay: true });
    this.#socket = socket;
    this.#reason = "Connection closed";
    // A station says nothing, and what it says does not matter.
    socket.resume();
    socket.on("connect", () => this.#connected());
    socket.on("drain", () => this.#sendTable());
    socket.on("error", (error) => {
      this.#reason = socketErrorText(error);
    });
    socket.on("close", () => this.#closed());
  }

  /** Sends messages that belong together, or drops them while nobody listens. */
  send(messages: readonly Uint8Array[]): void {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed || !this.#isUp || messages.length === 0) return;
    if (this.#table === undefined) {
      socket.cork();
      for (const message of messages) socket.write(message);
      socket.uncork();
    } else {
      this.#waiting.push(...messages);
      this.#waitingBytes += messages.reduce((sum, { length }) => sum + length, 0);
    }
    if (socket.writableLength + this.#waitingBytes <= maxStationBytes) return;
    this.#reason = "Send queue overflow";
    socket.destroy();
  }

  /** Says goodbye and does not come back. */
  async stop(last: Uint8Array): Promise<void> {
    this.#cancelRetry?.();
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined || socket.destroyed) return;
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    if (this.#isUp && this.#table === undefined) {
      socket.end(last);
      setTimeout(() => socket.destroy(), lingerMs).unref();
    } else {
      socket.destroy();
    }
    await closed;
  }

  #connected(): void {
    this.#isUp = true;
    this.#retryMs = this.#to.retryMinMs;
    this.#table = this.#events.firstMessages()[Symbol.iterator]();
    this.#tell("up", "");
    this.#sendTable();
  }

  #sendTable(): void {
    const socket = this.#socket;
    if (socket === undefined || this.#table === undefined) return;
    socket.cork();
    while (socket.writableLength < tablePortionBytes) {
      const next = this.#table.next();
      if (next.done === true) {
        this.#table = undefined;
        break;
      }
      socket.write(next.value);
    }
    if (this.#table === undefined) for (const message of this.#forgetWaiting()) socket.write(message);
    socket.uncork();
  }

  #forgetWaiting(): readonly Uint8Array[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    return waiting;
  }

  #closed(): void {
    const wasUp = this.#isUp;
    this.#isUp = false;
    this.#table = undefined;
    this.#forgetWaiting();
    if (this.#socket === undefined) return;
    this.#socket = undefined;
    this.#tell("down", this.#reason);
    const delay = this.#retryMs;
    // A station that took the connection is expected back soon.
    this.#retryMs = wasUp ? this.#to.retryMinMs : Math.min(delay * 2, this.#to.retryMaxMs);
    this.#cancelRetry = this.#clock.after(delay, () => this.start());
  }

  #tell(state: BmpStationFact["state"], reason: string): void {
    const { address, port } = this.#to;
    this.#events.onFact({ kind: "bmpStation", address, port, state, reason });
  }
}
