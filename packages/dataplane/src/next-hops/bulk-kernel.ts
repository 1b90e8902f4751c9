import {
  type Change,
  Iff,
  type InterfaceAddress,
  type Link,
  type Neighbour,
  type NeighbourTable,
  type NextHop,
  type Route,
} from "@caracal/netlink";
import type { Clock } from "../clock.ts";
import { routeKey } from "../desired-route.ts";
import type { Kernel, KernelNotice, RouteOperation, RouteOutcome } from "../kernel.ts";
import type { NextHopKernel } from "./next-hop-kernel.ts";
import { fitsObject, hopKey, Scaffold } from "./scaffold.ts";

/** Bounds and rhythms of a `BulkKernel`. */
export interface BulkKernelLimits {
  /** So many different gateways of one interface, written at once, are worth an object each. */
  readonly gatewaysMin: number;
  /** How long after routes were written through objects they begin to be written anew, as plain ones. */
  readonly restMs: number;
  /** Pause between two steps of that, and what one does. */
  readonly stepMs: number;
  readonly routesPerStep: number;
}

const defaultLimits: BulkKernelLimits = { gatewaysMin: 2048, restMs: 1000, stepMs: 25, routesPerStep: 32 };

export interface BulkKernelOptions {
  readonly kernel: NextHopKernel;
  readonly clock: Clock;
  readonly limits?: Partial<BulkKernelLimits>;
  /** Called once, when the kernel says that it has no next hop objects. */
  readonly onUnsupported?: () => void;
}

/**
 * A kernel that takes very many routes at once in good time. Linux looks for the likes of a route's next hop among all those
 * of its interface, so that thousands of routes with a gateway each cost time by the square of their number. Next hops that are
 * objects are found by number; but they vanish, and all routes through them, when their interface loses its carrier, where
 * plain routes stay. So objects are a scaffold: many routes at once are written through them, and once they carry traffic each
 * is replaced, in one step and at leisure, by the plain route that was asked for; then the objects go. Whoever uses this
 * port sees plain routes only. What a run leaves unfinished, the next one finds by its first dump.
 */
export class BulkKernel implements Kernel {
  readonly #kernel: NextHopKernel;
  readonly #clock: Clock;
  readonly #limits: BulkKernelLimits;
  readonly #onUnsupported: () => void;
  readonly #scaffold = new Scaffold();
  readonly #listeners = new Set<(notice: KernelNotice) => void>();
  #unsubscribe: (() => void) | undefined;
  #isSupported = true;
  /** Dumps, changes and steps come one after the other: each relies on what the one before it left. */
  #last: Promise<unknown> = Promise.resolve();
  #callOff: (() => void) | undefined;
  #stopped = false;

  constructor({ kernel, clock, limits, onUnsupported = () => {} }: BulkKernelOptions) {
    this.#kernel = kernel;
    this.#clock = clock;
    this.#limits = { ...defaultLimits, ...limits };
    this.#onUnsupported = onUnsupported;
  }

  dumpRoutes(): Promise<readonly Route[]> {
    return this.#inTurn(() => this.#look());
  }

  dumpLinks(): Promise<readonly Link[]> {
    return this.#kernel.dumpLinks();
  }

  dumpAddresses(): Promise<readonly InterfaceAddress[]> {
    return this.#kernel.dumpAddresses();
  }

  dumpNeighbours(table?: NeighbourTable, interfaceIndex?: number): Promise<readonly Neighbour[]> {
    return this.#kernel.dumpNeighbours(table, interfaceIndex);
  }

  applyRoutes(operations: readonly RouteOperation[]): Promise<readonly RouteOutcome[]> {
    return this.#inTurn(() => this.#apply(operations));
  }

  subscribe(listener: (notice: KernelNotice) => void): () => void {
    const own = (notice: KernelNotice): void => listener(notice);
    this.#listeners.add(own);
    this.#unsubscribe ??= this.#kernel.subscribe((notice) => this.#hear(notice));
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size > 0) return;
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
    };
  }

  /** Ends all work of its own. What is in the kernel stays. */
  stop(): void {
    this.#stopped = true;
    this.#callOff?.();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  async #look(): Promise<readonly Route[]> {
    const routes = await this.#kernel.dumpRoutes();
    if (!this.#scaffold.needsObjects(routes)) return routes;
    const plain = this.#scaffold.learn(routes, await this.#kernel.dumpNextHops());
    this.#schedule(this.#limits.restMs);
    return plain;
  }

  async #apply(operations: readonly RouteOperation[]): Promise<readonly RouteOutcome[]> {
    const hops = this.#isSupported ? crowdedHops(operations, this.#limits.gatewaysMin) : [];
    try {
      await this.#erect(hops);
      const interfaces = new Set(hops.map(({ interfaceIndex }) => interfaceIndex ?? 0));
      const translated = operations.map((one) => this.#scaffold.translated(one, interfaces));
      return await this.#retry(operations, translated, await this.#write(translated));
    } catch (error) {
      // What was done is unknown; the dump that this asks for tells.
      this.#scaffold.forget();
      throw error;
    } finally {
      this.#schedule(this.#limits.restMs);
    }
  }

  /**
   * Whatever is wrong with an object, the plain operation may do; if not, its refusal is the one to tell. What was written
   * through an object in this very batch is deleted through it.
   */
  async #retry(
    operations: readonly RouteOperation[],
    translated: readonly RouteOperation[],
    outcomes: readonly RouteOutcome[],
  ): Promise<readonly RouteOutcome[]> {
    const retries = new Map<number, RouteOperation>();
    for (const [at, operation] of operations.entries()) {
      if (outcomes[at]?.kind !== "failed") continue;
      const other = translated[at] === operation ? this.#scaffold.translated(operation) : operation;
      if (other !== translated[at]) retries.set(at, other);
    }
    const seconds = (await this.#write([...retries.values()])).values();
    return outcomes.map((first, at) => (retries.has(at) ? (seconds.next().value ?? first) : first));
  }

  async #write(operations: readonly RouteOperation[]): Promise<readonly RouteOutcome[]> {
    if (operations.length === 0) return [];
    const outcomes = await this.#kernel.applyRoutes(operations);
    for (const [at, operation] of operations.entries())
      if (outcomes[at]?.kind === "done") this.#scaffold.done(operation);
    return outcomes;
  }

  /** Makes the objects that are not there; a hop that gets none has its routes written plain. */
  async #erect(hops: readonly NextHop[]): Promise<void> {
    const operations = this.#scaffold.missing(hops);
    if (operations.length === 0) return;
    const outcomes = await this.#kernel.applyNextHops(operations);
    for (const [at, operation] of operations.entries()) {
      const outcome = outcomes[at];
      if (outcome?.kind === "done") this.#scaffold.made(operation);
      else if (outcome?.errno === "EOPNOTSUPP" && this.#isSupported) {
        this.#isSupported = false;
        this.#onUnsupported();
      }
    }
  }

  #schedule(delayMs: number): void {
    if (this.#callOff !== undefined || this.#stopped || !this.#scaffold.hasWork) return;
    this.#callOff = this.#clock.after(delayMs, () => {
      this.#callOff = undefined;
      void this.#inTurn(() => this.#step());
    });
  }

  /** Takes a piece of the scaffold down: some routes become plain, or some objects go, or a look tells which may. */
  async #step(): Promise<void> {
    if (this.#stopped) return;
    const { routesPerStep, stepMs } = this.#limits;
    const routes = this.#scaffold.propped(routesPerStep);
    const ids = this.#scaffold.unused(routesPerStep);
    try {
      if (routes.length > 0) {
        const outcomes = await this.#write(routes.map((route) => ({ kind: "replace", route })));
        for (const [at, route] of routes.entries())
          if (outcomes[at]?.kind !== "done") this.#scaffold.doubtRoute(routeKey(route));
      } else if (ids.length > 0) {
        const operations = ids.map((id) => ({ kind: "delete", id }) as const);
        await this.#kernel.applyNextHops(operations);
        for (const operation of operations) this.#scaffold.made(operation);
      } else await this.#look();
    } catch {
      // Nothing that is wanted depends on it: the next dump finds what is left.
      this.#scaffold.forget();
      return;
    }
    this.#schedule(stepMs);
  }

  #hear(notice: KernelNotice): void {
    if (notice.kind === "overrun") {
      this.#scaffold.forget();
      this.#tell(notice);
      return;
    }
    const isLost = notice.changes.map((change) => this.#doubt(change)).includes(true);
    this.#tell(notice);
    // The kernel says nothing of the routes that went with their objects.
    if (isLost) this.#tell({ kind: "overrun" });
  }

  /** `true` if routes went with what changed. */
  #doubt(change: Change): boolean {
    switch (change.kind) {
      case "route":
        this.#scaffold.doubtRoute(routeKey(change.route));
        return false;
      case "nextHop":
        return this.#scaffold.doubtObject(change.object.id) && change.gone;
      case "link":
        return (change.gone || !isCarrying(change.link)) && this.#scaffold.doubtInterface(change.link.index);
      case "address":
      case "neighbour":
      case "settings":
      case "rule":
        return false;
    }
  }

  #tell(notice: KernelNotice): void {
    for (const listener of this.#listeners) listener(notice);
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }
}

/** The next hops, each once, of interfaces to which so many different ones are written that objects pay. */
function crowdedHops(operations: readonly RouteOperation[], gatewaysMin: number): readonly NextHop[] {
  if (operations.length < gatewaysMin) return [];
  const byInterface = new Map<number, Map<string, NextHop>>();
  for (const { kind, route } of operations) {
    const [hop] = route.nextHops;
    if (kind === "delete" || hop?.interfaceIndex === undefined || !fitsObject(route)) continue;
    const hops = byInterface.get(hop.interfaceIndex) ?? new Map<string, NextHop>();
    byInterface.set(hop.interfaceIndex, hops.set(hopKey(hop), hop));
  }
  return [...byInterface.values()].flatMap((hops) => (hops.size < gatewaysMin ? [] : [...hops.values()]));
}

function isCarrying({ flags }: Link): boolean {
  return (flags & Iff.IFF_UP) !== 0 && (flags & (Iff.IFF_RUNNING | Iff.IFF_LOWER_UP)) !== 0;
}
