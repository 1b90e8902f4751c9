import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from "node:http2";
import type { Socket } from "node:net";
import type { Channel, ChannelAnswer, ChannelRequest } from "./channel.ts";

/** A server that does not answer a ping for so long is gone, and with it every watch. */
const pingEveryMs = 15_000;
const pingTimeoutMs = 10_000;

/** HTTP/2 (RFC 9113): all requests and watches share one connection, whose end is noticed by pings. */
export class Http2Channel implements Channel {
  readonly #session: ClientHttp2Session;
  readonly #pinging: NodeJS.Timeout;

  /** Over a connection that has been made. */
  constructor(origin: string, socket: Socket) {
    this.#session = connect(origin, { createConnection: () => socket });
    // Every request tells of it too; without a listener it would end the process.
    this.#session.on("error", () => undefined);
    this.#pinging = setInterval(() => this.#ping(), pingEveryMs);
    this.#pinging.unref();
    this.#session.once("close", () => clearInterval(this.#pinging));
  }

  get isOpen(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  open({ method, path, headers, body, signal }: ChannelRequest): Promise<ChannelAnswer> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request(
        { ...headers, ":method": method, ":path": path },
        { endStream: body === undefined, signal },
      );
      stream.once("response", (found: IncomingHttpHeaders & { ":status"?: number }) => {
        const header = (name: string): string | undefined => {
          const value = found[name];
          return Array.isArray(value) ? value[0] : value;
        };
        resolve({ status: found[":status"] ?? 0, header, body: stream });
      });
      // Also after the answer's head: what reads the body sees it there.
      stream.on("error", reject);
      stream.once("close", () => reject(new Error("the connection was closed")));
      if (body !== undefined) stream.end(body);
    });
  }

  retire(): void {
    this.#session.close();
  }

  close(): void {
    this.#session.destroy(undefined, constants.NGHTTP2_CANCEL);
  }

  #ping(): void {
    if (!this.isOpen) return;
    const timeout = setTimeout(() => {
      this.#session.destroy(new Error("the server no longer answers"));
    }, pingTimeoutMs);
    timeout.unref();
    try {
      this.#session.ping(() => clearTimeout(timeout));
    } catch {
      clearTimeout(timeout);
    }
  }
}
