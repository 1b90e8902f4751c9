import type { Socket } from "node:net";
import { listen, type ListenAddress, type Listener } from "./listener.ts";

/** The addresses of one server. Whoever connects before the server can answer waits. */
export class Entrance {
  readonly #listeners: Listener[] = [];
  readonly #sockets = new Set<Socket>();
  #serve: ((socket: Socket) => void) | undefined;

  /** Listens at every address, or at none: then it throws `EmbeddedServerError`. */
  static async open(addresses: readonly ListenAddress[]): Promise<Entrance> {
    const entrance = new Entrance();
    try {
      for (const address of addresses) {
        entrance.#listeners.push(await listen(address, (socket) => entrance.#accept(socket)));
      }
    } catch (error) {
      entrance.close();
      entrance.disconnect();
      throw error;
    }
    return entrance;
  }

  /** Where clients find it, as etcd endpoints. */
  get endpoints(): readonly string[] {
    return this.#listeners.map(({ endpoint }) => endpoint);
  }

  /** Hands on those who wait, and from now on everyone at once. */
  serve(serve: (socket: Socket) => void): void {
    this.#serve = serve;
    for (const socket of this.#sockets) serve(socket);
  }

  /** Takes no more connections. */
  close(): void {
    for (const listener of this.#listeners) listener.close();
  }

  /** Ends the connections that are left. */
  disconnect(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    // One that breaks while it waits must not break the server; what follows is told by "close".
    socket.on("error", () => undefined);
    this.#serve?.(socket);
  }
}
