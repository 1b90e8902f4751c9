import type { Socket } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { EmbeddedServerError } from "./embedded-server-error.ts";
import { EmbeddedStore } from "./embedded-store.ts";
import { listen, type ListenAddress, type Listener } from "./listener.ts";
import { kvRoutes } from "./services/kv-routes.ts";
import { leaseRoutes } from "./services/lease-routes.ts";
import { maintenanceRoutes } from "./services/maintenance-routes.ts";
import { watchRoutes } from "./services/watch-routes.ts";
import { admit } from "./wire/admit.ts";

/** etcd's: idle watches that ask for it are told this often how far the store is. */
const defaultProgressIntervalMs = 600_000;
/** How long `stop` waits for calls that are being answered. */
const stopGraceMs = 1_000;
/** etcd's: its bound on a write and room for the frame around it. */
const maxMessageBytes = 1_572_864 + 524_288;

export interface EmbeddedServerOptions {
  /** Made when it is not there; held by this server alone. */
  readonly dataDir: string;
  readonly listen: readonly ListenAddress[];
  readonly progressIntervalMs?: number;
}

/** An etcd v3 server in this process, on one directory. */
export class EmbeddedServer {
  readonly #store: EmbeddedStore;
  readonly #server: Server;
  readonly #listeners: Listener[] = [];
  readonly #sockets = new Set<Socket>();
  #stopping: Promise<void> | undefined;

  private constructor(store: EmbeddedStore, server: Server) {
    this.#store = store;
    this.#server = server;
  }

  /** Opens the store and listens. Throws `EmbeddedServerError`, and then nothing is left open. */
  static async start(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
    if (options.listen.length === 0)
      throw new EmbeddedServerError("invalid", "no address to listen on is given");
    const store = new EmbeddedStore(options.dataDir, options.progressIntervalMs ?? defaultProgressIntervalMs);
    const server = new Server({
      "grpc.max_receive_message_length": maxMessageBytes,
      "grpc.max_send_message_length": -1,
    });
    const embedded = new EmbeddedServer(store, server);
    const routes = [
      ...kvRoutes(store),
      ...watchRoutes(store),
      ...leaseRoutes(store),
      ...maintenanceRoutes(store, () => embedded.endpoints),
    ];
    for (const addTo of routes) addTo(server);
    // Connections are ours before they are gRPC's: some need a repair.
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    try {
      for (const address of options.listen) {
        const accept = (socket: Socket): void => {
          embedded.#sockets.add(socket);
          socket.once("close", () => embedded.#sockets.delete(socket));
          admit(socket, (connection) => injector.injectConnection(connection));
        };
        embedded.#listeners.push(await listen(address, accept));
      }
    } catch (error) {
      await embedded.stop();
      throw error;
    }
    return embedded;
  }

  /** Where clients find it, as etcd endpoints: `unix:///PATH` or `http://HOST:PORT`. */
  get endpoints(): readonly string[] {
    return this.#listeners.map(({ endpoint }) => endpoint);
  }

  /** Answers what was asked, ends the watches and closes the directory. */
  async stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    const finished = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    await this.#store.close();
    const grace = setTimeout(() => this.#server.forceShutdown(), stopGraceMs);
    await finished;
    clearTimeout(grace);
    // What is left never asked for anything, and gRPC does not know it.
    for (const socket of this.#sockets) socket.destroy();
  }
}
