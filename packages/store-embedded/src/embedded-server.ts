import { Server, ServerCredentials } from "@grpc/grpc-js";
import { EmbeddedServerError } from "./embedded-server-error.ts";
import { EmbeddedStore } from "./embedded-store.ts";
import { Entrance } from "./entrance.ts";
import type { ListenAddress } from "./listener.ts";
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
  readonly #entrance: Entrance;
  readonly #store: EmbeddedStore;
  readonly #server: Server;
  #stopping: Promise<void> | undefined;

  private constructor(entrance: Entrance, store: EmbeddedStore) {
    this.#entrance = entrance;
    this.#store = store;
    this.#server = new Server({
      "grpc.max_receive_message_length": maxMessageBytes,
      "grpc.max_send_message_length": -1,
    });
    const routes = [
      ...kvRoutes(store),
      ...watchRoutes(store),
      ...leaseRoutes(store),
      ...maintenanceRoutes(store, () => this.endpoints),
    ];
    for (const addTo of routes) addTo(this.#server);
    // Connections are ours before they are gRPC's: some need a repair.
    const injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    entrance.serve((socket) => admit(socket, (connection) => injector.injectConnection(connection)));
  }

  /**
   * Listens and opens the store, in this order: a start that fails for its addresses has made no data directory. Throws
   * `EmbeddedServerError`, and then nothing is left open.
   */
  static async start(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
    const { dataDir, progressIntervalMs = defaultProgressIntervalMs } = options;
    if (options.listen.length === 0)
      throw new EmbeddedServerError("invalid", "no address to listen on is given");
    const entrance = await Entrance.open(options.listen);
    try {
      return new EmbeddedServer(entrance, new EmbeddedStore(dataDir, progressIntervalMs));
    } catch (error) {
      entrance.close();
      entrance.disconnect();
      throw error;
    }
  }

  /** Where clients find it, as etcd endpoints: `unix:///PATH` or `http://HOST:PORT`. */
  get endpoints(): readonly string[] {
    return this.#entrance.endpoints;
  }

  /** Answers what was asked, ends the watches and closes the directory. */
  async stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#entrance.close();
    const finished = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    await this.#store.close();
    const grace = setTimeout(() => this.#server.forceShutdown(), stopGraceMs);
    await finished;
    clearTimeout(grace);
    // What is left never asked for anything, and gRPC does not know it.
    this.#entrance.disconnect();
  }
}
