import { setImmediate as nextTurn } from "node:timers/promises";
import type { Kernel, KernelNotice, RouteOperation, RouteOutcome } from "@caracal/dataplane";
import {
  deleteRoute,
  type InterfaceAddress,
  type Link,
  type Neighbour,
  type NeighbourTable,
  newRoute,
  type Request,
  type Route,
} from "@caracal/netlink";
import { Monitor } from "./monitor.ts";
import type { NamespaceTarget } from "./namespace.ts";
import { Rtnetlink } from "./rtnetlink.ts";

/** Operations between two turns of the event loop: a few milliseconds' worth. */
const operationsPerTurn = 512;

const done: RouteOutcome = { kind: "done" };

/** The `Kernel` port for real: the tables of one network namespace. */
export class LinuxKernel implements Kernel, Disposable {
  readonly #namespace: NamespaceTarget | undefined;
  readonly #rtnetlink: Rtnetlink;
  readonly #listeners = new Set<(notice: KernelNotice) => void>();
  #monitor: Monitor | undefined;

  private constructor(rtnetlink: Rtnetlink, namespace: NamespaceTarget | undefined) {
    this.#rtnetlink = rtnetlink;
    this.#namespace = namespace;
  }

  /** The kernel as seen from a namespace; by default from the thread's own. */
  static open(namespace?: NamespaceTarget): LinuxKernel {
    return new LinuxKernel(Rtnetlink.open(namespace), namespace);
  }

  // Dumps are synchronous, as the kernel is; `async` turns their errors into rejections.
  async dumpRoutes(): Promise<readonly Route[]> {
    return await Promise.resolve(this.#rtnetlink.routes());
  }

  async dumpLinks(): Promise<readonly Link[]> {
    return await Promise.resolve(this.#rtnetlink.links());
  }

  async dumpAddresses(): Promise<readonly InterfaceAddress[]> {
    return await Promise.resolve(this.#rtnetlink.addresses());
  }

  async dumpNeighbours(table?: NeighbourTable): Promise<readonly Neighbour[]> {
    return await Promise.resolve(this.#rtnetlink.neighbours(table));
  }

  async applyRoutes(operations: readonly RouteOperation[]): Promise<readonly RouteOutcome[]> {
    const outcomes: RouteOutcome[] = operations.map(() => done);
    for (let at = 0; at < operations.length; at += operationsPerTurn) {
      if (at > 0) await nextTurn();
      const part = operations.slice(at, at + operationsPerTurn).map(toRequest);
      for (const { index, error } of this.#rtnetlink.socket.batch("route.apply", part)) {
        outcomes[at + index] = { kind: "failed", errno: error.errno, detail: error.detail };
      }
    }
    return outcomes;
  }

  /** Watching begins with the first listener and ends with the last. */
  subscribe(listener: (notice: KernelNotice) => void): () => void {
    // A function of its own, so that the same listener may subscribe twice.
    const own = (notice: KernelNotice): void => listener(notice);
    this.#monitor ??= this.#watch();
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size === 0) this.#unwatch();
    };
  }

  close(): void {
    this.#listeners.clear();
    this.#unwatch();
    this.#rtnetlink.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #watch(): Monitor {
    return Monitor.open({
      topics: ["links", "addresses", "routes"],
      ...(this.#namespace === undefined ? {} : { namespace: this.#namespace }),
      ignorePort: this.#rtnetlink.socket.port,
      onChanges: (changes) => this.#tell({ kind: "changes", changes }),
      onOverrun: () => this.#tell({ kind: "overrun" }),
    });
  }

  #unwatch(): void {
    this.#monitor?.close();
    this.#monitor = undefined;
  }

  #tell(notice: KernelNotice): void {
    for (const listener of this.#listeners) listener(notice);
  }
}

function toRequest({ kind, route }: RouteOperation): Request {
  return kind === "delete" ? deleteRoute(route) : newRoute(route, kind);
}
