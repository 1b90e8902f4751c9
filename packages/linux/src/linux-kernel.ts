import { setImmediate as nextTurn } from "node:timers/promises";
import type {
  DeviceKernel,
  DeviceOperation,
  DeviceOutcome,
  KernelNotice,
  NextHopKernel,
  NextHopOperation,
  RouteOperation,
  RouteOutcome,
} from "@caracal/dataplane";
import {
  deleteNextHop,
  deleteRoute,
  type InterfaceAddress,
  type Link,
  type Neighbour,
  type NeighbourTable,
  newNextHop,
  newRoute,
  type NextHopObject,
  type Request,
  type Route,
} from "@caracal/netlink";
import { deviceRequest } from "./device-request.ts";
import { Monitor, type MonitorTopic } from "./monitor.ts";
import type { NamespaceTarget } from "./namespace.ts";
import { Rtnetlink } from "./rtnetlink.ts";

/** Operations between two turns of the event loop: a few milliseconds' worth. */
const operationsPerTurn = 512;

const done: RouteOutcome = { kind: "done" };

/** What is told of to who follows routes. */
const routeTopics: readonly MonitorTopic[] = ["links", "addresses", "routes", "nextHops"];

/**
 * The `Kernel`, `NextHopKernel` and `DeviceKernel` ports for real: the tables of one network namespace. News are told of what others did, another
 * instance among them: whoever changes devices has an instance of its own, so that whoever programs routes hears of it.
 */
export class LinuxKernel implements NextHopKernel, DeviceKernel, Disposable {
  readonly #namespace: NamespaceTarget | undefined;
  readonly #topics: readonly MonitorTopic[];
  readonly #rtnetlink: Rtnetlink;
  readonly #listeners = new Set<(notice: KernelNotice) => void>();
  #monitor: Monitor | undefined;

  private constructor(
    rtnetlink: Rtnetlink,
    namespace: NamespaceTarget | undefined,
    topics: readonly MonitorTopic[],
  ) {
    this.#rtnetlink = rtnetlink;
    this.#namespace = namespace;
    this.#topics = topics;
  }

  /** The kernel as seen from a namespace; by default from the thread's own. `topics` are what news are told of. */
  static open(namespace?: NamespaceTarget, topics: readonly MonitorTopic[] = routeTopics): LinuxKernel {
    return new LinuxKernel(Rtnetlink.open(namespace), namespace, topics);
  }

  // Dumps are synchronous, as the kernel is; `async` turns their errors into rejections.
  async dumpRoutes(): Promise<readonly Route[]> {
    return await Promise.resolve(this.#rtnetlink.routes());
  }

  async dumpNextHops(): Promise<readonly NextHopObject[]> {
    return await Promise.resolve(this.#rtnetlink.nextHops());
  }

  async dumpLinks(): Promise<readonly Link[]> {
    return await Promise.resolve(this.#rtnetlink.links());
  }

  async dumpAddresses(): Promise<readonly InterfaceAddress[]> {
    return await Promise.resolve(this.#rtnetlink.addresses());
  }

  async dumpNeighbours(table?: NeighbourTable, interfaceIndex?: number): Promise<readonly Neighbour[]> {
    return await Promise.resolve(this.#rtnetlink.neighbours(table, interfaceIndex));
  }

  applyRoutes(operations: readonly RouteOperation[]): Promise<readonly RouteOutcome[]> {
    return this.#apply("route.apply", operations, toRequest);
  }

  applyNextHops(operations: readonly NextHopOperation[]): Promise<readonly RouteOutcome[]> {
    return this.#apply("nexthop.apply", operations, (operation) =>
      operation.kind === "delete" ? deleteNextHop(operation.id) : newNextHop(operation.object),
    );
  }

  applyDevices(operations: readonly DeviceOperation[]): Promise<readonly DeviceOutcome[]> {
    return this.#apply("device.apply", operations, deviceRequest);
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

  async #apply<Operation>(
    op: string,
    operations: readonly Operation[],
    request: (operation: Operation) => Request,
  ): Promise<readonly RouteOutcome[]> {
    const outcomes: RouteOutcome[] = operations.map(() => done);
    for (let at = 0; at < operations.length; at += operationsPerTurn) {
      if (at > 0) await nextTurn();
      const part = operations.slice(at, at + operationsPerTurn).map(request);
      for (const { index, error } of this.#rtnetlink.socket.batch(op, part)) {
        outcomes[at + index] = { kind: "failed", errno: error.errno, detail: error.detail };
      }
    }
    return outcomes;
  }

  #watch(): Monitor {
    return Monitor.open({
      topics: this.#topics,
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
