import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { ControlError } from "./control-error.ts";
import { claimSocketPath, type ClaimedPath } from "./socket-path.ts";
import { ServerConnection } from "./server-connection.ts";

/**
 * One method. It gets the request's `params` as they came, and a signal that aborts when the client is gone or the
 * server closes. What it returns is sent as JSON; a `ControlError` it throws is sent with its code.
 */
export type ControlMethod = (params: unknown, signal: AbortSignal) => unknown;

/** What a server serves, and where. */
export interface ControlServerOptions {
  readonly path: string;
  readonly methods: Readonly<Record<string, ControlMethod>>;
  /** Told of every failure that a method did not foresee, and of dropped clients. */
  readonly onError?: (error: Error) => void;
}

/** Further clients wait in the kernel's accept queue, or are refused by it. */
const MAX_CONNECTIONS = 1024;

/** Serves methods on a Unix socket of mode 0600. */
export class ControlServer implements AsyncDisposable {
  readonly path: string;
  readonly #server: Server;
  readonly #claim: ClaimedPath;
  readonly #connections: Set<ServerConnection>;

  private constructor(server: Server, claim: ClaimedPath, connections: Set<ServerConnection>) {
    this.path = claim.path;
    this.#server = server;
    this.#claim = claim;
    this.#connections = connections;
  }

  /**
   * Listens, making the directory if need be. The socket file of a dead process is replaced; a path where a live one
   * answers, or that is no socket, throws `ControlError` code `in-use`.
   */
  static async listen(options: ControlServerOptions): Promise<ControlServer> {
    const connections = new Set<ServerConnection>();
    const methods = new Map(Object.entries(options.methods));
    const onError = options.onError ?? (() => undefined);
    const server = createServer((socket: Socket) => {
      const connection = new ServerConnection(socket, methods, onError);
      connections.add(connection);
      socket.once("close", () => connections.delete(connection));
    });
    server.maxConnections = MAX_CONNECTIONS;
    const claim = await claimSocketPath(options.path, server);
    server.on("error", (cause) =>
      onError(new ControlError("internal", `${options.path}: ${cause.message}`, { cause })),
    );
    return new ControlServer(server, claim, connections);
  }

  /** Stops: the socket file goes first, so that nobody new comes; then clients are cut off and their requests aborted. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#claim.release();
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const connection of this.#connections) connection.cut();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
