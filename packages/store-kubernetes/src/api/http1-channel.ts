import { Agent, type IncomingMessage, request as openRequest } from "node:http";
import { Socket } from "node:net";
import type { Channel, ChannelAnswer, ChannelRequest } from "./channel.ts";

/** Idle connections are probed after so long. */
const keepAliveMs = 15_000;
/** Watches hold a connection each, so the bound is above what requests alone would need. */
const maxSockets = 128;

/** HTTP/1.1 (RFC 9112) over kept connections: for servers and proxies without HTTP/2. */
export class Http1Channel implements Channel {
  readonly #agent = new Agent({ keepAlive: true, keepAliveMsecs: keepAliveMs, maxSockets });
  readonly #host: string;
  #isOpen = true;

  /** `connect` makes a connection that can be written to, with TLS where the server speaks it. */
  constructor(host: string, connect: () => Promise<Socket>) {
    this.#host = host;
    this.#agent.createConnection = (_options, done) => {
      if (done !== undefined) void supply(connect, done);
      return undefined;
    };
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open({ method, path, headers, body, signal }: ChannelRequest): Promise<ChannelAnswer> {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
      const options = {
        method,
        path,
        headers: { ...headers, host: this.#host, ...length },
        agent: this.#agent,
        signal,
      };
      const request = openRequest(options, (message: IncomingMessage) => {
        const header = (name: string): string | undefined => {
          const value = message.headers[name];
          return Array.isArray(value) ? value[0] : value;
        };
        resolve({ status: message.statusCode ?? 0, header, body: message });
      });
      request.on("error", reject);
      request.end(body);
    });
  }

  retire(): void {
    this.#isOpen = false;
    // Connections that come free are let go instead of kept.
    this.#agent.maxFreeSockets = 0;
  }

  close(): void {
    this.#isOpen = false;
    this.#agent.destroy();
  }
}

/** The agent takes a connection by callback. */
async function supply(
  connect: () => Promise<Socket>,
  done: (error: Error | null, socket: Socket) => void,
): Promise<void> {
  let socket: Socket;
  try {
    socket = await connect();
  } catch (error) {
    done(error instanceof Error ? error : new Error(String(error)), new Socket());
    return;
  }
  done(null, socket);
}
