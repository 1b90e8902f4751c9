import { rmSync } from "node:fs";
import { Server } from "@grpc/grpc-js";
import { EmbeddedServerError } from "./embedded-server-error.ts";
import { EmbeddedStore } from "./embedded-store.ts";
import { listen, type ListenAddress } from "./listener.ts";
import { kvRoutes } from "./services/kv-routes.ts";
import { leaseRoutes } from "./services/lease-routes.ts";
import { maintenanceRoutes } from "./services/maintenance-routes.ts";
import { watchRoutes } from "./services/watch-routes.ts";

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
  readonly #endpoints: string[] = [];
  readonly #sockets: string[] = [];
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
    try {
      for (const address of options.listen) {
        embedded.#endpoints.push(await listen(server, address));
        if ("unix" in address) embedded.#sockets.push(address.unix);
      }
    } catch (error) {
      await embedded.stop();
      throw error;
    }
    return embedded;
  }

  /** Where clients find it, as etcd endpoints: `unix:///PATH` or `http://HOST:PORT`. */
  get endpoints(): readonly string[] {
    return this.#endpoints;
  }

  /** Answers what was asked, ends the watches and closes the directory. */
  async stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const finished = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    await this.#store.close();
    const grace = setTimeout(() => this.#server.forceShutdown(), stopGraceMs);
    await finished;
    clearTimeout(grace);
    for (const path of this.#sockets) rmSync(path, { force: true });
  }
}
