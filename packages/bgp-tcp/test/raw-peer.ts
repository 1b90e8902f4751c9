import assert from "node:assert/strict";
import { once } from "node:events";
import { type Socket, connect } from "node:net";
import { type TestContext } from "node:test";
import { type Clock } from "../src/index.ts";

/** Runs faster than the wall's, so that hold times are over in a moment. */
export function fastClock(factor: number): Clock {
  return {
    now: () => performance.now() * factor,
    after: (ms, run) => {
      const timer = setTimeout(run, Math.max(0, ms / factor));
      return () => clearTimeout(timer);
    },
  };
}

/** A peer that a test plays on a socket, from an address of its own. */
export class RawPeer {
  readonly socket: Socket;
  /** Whole messages heard, in hexadecimal after the marker. */
  readonly heard: string[] = [];
  isClosed = false;
  error: string | undefined;
  #rest = "";

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes) => this.#hear(Buffer.from(bytes).toString("hex")));
    socket.on("error", (error) => (this.error = error.message));
    socket.on("close", () => (this.isClosed = true));
  }

  /** Connects to 127.0.0.1 from 127.0.0.`from`, or from another address. */
  static async connect(t: TestContext, port: number, from: number | string): Promise<RawPeer> {
    const localAddress = typeof from === "string" ? from : `127.0.0.${from}`;
    const socket = connect({ host: "127.0.0.1", port, localAddress });
    t.after(() => socket.destroy());
    const peer = new RawPeer(socket);
    await once(socket, "connect");
    return peer;
  }

  write(...messages: readonly Uint8Array[]): void {
    for (const bytes of messages) this.socket.write(bytes);
  }

  /** The NOTIFICATION heard, `4.0 data`. */
  get notification(): string | undefined {
    const found = this.heard.find((one) => one.slice(4, 6) === "03");
    if (found === undefined) return undefined;
    const [code = 0, subcode = 0, ...data] = Buffer.from(found.slice(6), "hex");
    return `${code}.${subcode} ${Buffer.from(data).toString("hex")}`.trimEnd();
  }

  /** The UPDATEs heard, all as one text. */
  get updates(): string {
    return this.heard.filter((one) => one.slice(4, 6) === "02").join(" ");
  }

  #hear(hex: string): void {
    this.#rest += hex;
    while (this.#rest.length >= 38) {
      assert.ok(this.#rest.startsWith("ff".repeat(16)));
      const end = Number.parseInt(this.#rest.slice(32, 36), 16) * 2;
      if (this.#rest.length < end) return;
      this.heard.push(this.#rest.slice(32, end));
      this.#rest = this.#rest.slice(end);
    }
  }
}
