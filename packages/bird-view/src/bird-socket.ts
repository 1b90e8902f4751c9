import { once } from "node:events";
import { chmod, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { answerBirdCommand, birdGreeting } from "./bird-command.ts";
import { type BirdLine, BirdLineEncoder } from "./bird-reply.ts";
import type { BirdSnapshot } from "./bird-snapshot.ts";

/** Longest command line; a longer one ends the connection. */
export const birdCommandLimitBytes = 4096;
/** Clients at once; one more is turned away. */
export const birdClientLimit = 32;
/** Commands that a client may send ahead of their answers; one more ends the connection. */
export const birdQueueLimit = 64;
/** Bytes joined into one write. */
const chunkChars = 16 * 1024;

/** What the sockets `bird.ctl` and `bird6.ctl` serve: the view of one address family, taken anew for each command. */
export interface BirdSocketOptions {
  readonly path: string;
  readonly version: string;
  readonly snapshot: () => BirdSnapshot;
}

/** A control socket that speaks BIRD's client protocol, so that `birdc` and calicoctl read the daemon as they read BIRD. */
export class BirdSocket implements AsyncDisposable {
  readonly #server: Server;
  readonly #clients = new Set<Socket>();

  private constructor(options: BirdSocketOptions) {
    // A client that has said its last command still gets the whole answer.
    this.#server = createServer({ allowHalfOpen: true }, (client) => {
      this.#clients.add(client);
      client.on("close", () => this.#clients.delete(client));
      client.on("error", () => client.destroy());
      serve(client, options).catch(() => client.destroy());
    });
    this.#server.maxConnections = birdClientLimit;
  }

  /**
   * Listens on `path`, which root and its group may use. A socket that a killed daemon left behind is replaced;
   * one that still answers fails with `EADDRINUSE`.
   */
  static async open(options: BirdSocketOptions): Promise<BirdSocket> {
    await removeStale(options.path);
    const socket = new BirdSocket(options);
    socket.#server.listen(options.path);
    await once(socket.#server, "listening");
    await chmod(options.path, 0o660);
    return socket;
  }

  /** Ends every client and removes the socket. */
  async close(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

async function removeStale(path: string): Promise<void> {
  const probe = connect(path);
  const isStale = await new Promise<boolean>((resolve) => {
    probe.on("connect", () => resolve(false));
    probe.on("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
  probe.destroy();
  // Where something answers or the directory is missing, listening itself says what is wrong.
  if (isStale) await unlink(path);
}

/** One client: commands are answered in order, a slow reader holds up only itself. */
async function serve(client: Socket, options: BirdSocketOptions): Promise<void> {
  await send(client, [birdGreeting(options.version)]);
  const queue: string[] = [];
  let rest = "";
  // The iterator would destroy the socket at its end, with answers still on their way.
  for await (const chunk of client.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
    const lines = `${rest}${String(chunk)}`.split("\n");
    rest = lines.pop() ?? "";
    queue.push(...lines);
    if (rest.length > birdCommandLimitBytes || queue.length > birdQueueLimit) return void client.destroy();
    for (let line = queue.shift(); line !== undefined; line = queue.shift()) {
      if (line.length > birdCommandLimitBytes) return void client.destroy();
      await send(client, answerBirdCommand(line.trimEnd(), options.snapshot()));
    }
  }
  client.end();
}

async function send(client: Socket, reply: Iterable<BirdLine>): Promise<void> {
  await pipeline(encodeInChunks(reply), client, { end: false });
}

function* encodeInChunks(reply: Iterable<BirdLine>): Generator<string> {
  const encoder = new BirdLineEncoder();
  let text = "";
  for (const line of reply) {
    text += encoder.encode(line);
    if (text.length < chunkChars) continue;
    yield text;
    text = "";
  }
  if (text !== "") yield text;
}
