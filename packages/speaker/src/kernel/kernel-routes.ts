import type { BestRouteChange, NextHopResolver } from "@caracal/bgp";
import {
  type DesiredNextHop,
  type DesiredRoute,
  type KernelNotice,
  RouteReconciler,
  type RouteStatus,
} from "@caracal/dataplane";
import { KernelResolver, LinuxKernel, Rtnetlink, systemClock } from "@caracal/linux";
import { type IpAddress, Prefix } from "@caracal/net";
import { type Change, RouteTable, RouteType } from "@caracal/netlink";
import type { StaticRoute } from "../config/read-config.ts";

/** Where our routes go, and how they are told from others'. */
export interface KernelPlace {
  readonly table: number;
  readonly protocol: number;
}

/** What `KernelRoutes` tells. */
export interface KernelRoutesEvents {
  /** Next hops may be reached otherwise. */
  readonly onNetworkChange: () => void;
  readonly onStatus: (status: RouteStatus) => void;
}

/** How long after a restart learned routes stay in the kernel while peers have not told all they have. */
const bgpGraceMs = 120_000;
/** Changes of links and routes are gathered so long before next hops are looked up anew. */
const networkDelayMs = 50;

type Reach = Extract<BestRouteChange, { readonly kind: "reach" }>;

/**
 * The best routes and the static ones in a table of the kernel, under a protocol number of their own. Routes that an
 * earlier run left stay until `complete` says that all is known; they stay in the kernel when this stops.
 */
export class KernelRoutes {
  readonly #kernel = LinuxKernel.open();
  readonly #tables = Rtnetlink.open();
  readonly #resolver: KernelResolver;
  readonly #events: KernelRoutesEvents;
  readonly #unsubscribe: () => void;
  /** Kept whole: a change of the table or of the network decides anew about routes learned long ago. */
  readonly #best = new Map<string, Reach>();
  #place: KernelPlace;
  #statics: readonly StaticRoute[] = [];
  #reconciler: RouteReconciler;
  #isComplete = false;
  #timer: NodeJS.Timeout | undefined;

  /** Begins in this thread's network namespace. */
  constructor(place: KernelPlace, events: KernelRoutesEvents) {
    this.#place = place;
    this.#events = events;
    this.#resolver = new KernelResolver(this.#tables, () => this.#place.protocol);
    this.#reconciler = this.#begin();
    this.#unsubscribe = this.#kernel.subscribe((notice) => this.#hear(notice));
  }

  get resolver(): NextHopResolver {
    return this.#resolver;
  }

  /** Whether routes of an earlier run are in the table. */
  get hasLeftovers(): boolean {
    return this.#tables.routes({ protocol: this.#place.protocol, table: this.#place.table }).length > 0;
  }

  get status(): RouteStatus {
    return this.#reconciler.status;
  }

  setStatics(statics: readonly StaticRoute[]): void {
    this.#statics = statics;
    this.#reconciler.replace(
      "static",
      statics.map((route) => this.#staticRoute(route)),
    );
    this.#reconciler.complete("static");
  }

  apply(changes: readonly BestRouteChange[]): void {
    const set: DesiredRoute[] = [];
    const remove: DesiredRoute[] = [];
    for (const change of changes) {
      const key = Prefix.key(change.prefix);
      // A route of our own is a static one.
      const reach = change.kind === "reach" && change.source.kind === "peer" ? change : undefined;
      if (reach === undefined) this.#best.delete(key);
      else this.#best.set(key, reach);
      const route = reach === undefined ? undefined : this.#learnedRoute(reach);
      if (route === undefined) remove.push({ destination: change.prefix, ...this.#place });
      else set.push(route);
    }
    this.#reconciler.update("bgp", set, remove);
  }

  /** The peers have told all they have: what nobody names is removed. */
  complete(): void {
    this.#isComplete = true;
    this.#reconciler.complete("bgp");
  }

  /** The speaker starts anew and will tell everything again; until then its routes stay. */
  forget(): void {
    this.#best.clear();
    this.#isComplete = false;
    this.#reconciler.stop();
    this.#reconciler = this.#begin();
    this.setStatics(this.#statics);
  }

  /** Moves all routes to another table or protocol, without a moment in which one is missing. */
  async move(place: KernelPlace): Promise<void> {
    const old = this.#reconciler;
    const before = this.#place;
    if (before.table === place.table && before.protocol === place.protocol) return;
    this.#place = place;
    if (before.table !== place.table) {
      this.#reconciler = this.#begin();
      this.#fill();
      await this.#reconciler.settled();
      await clear(old);
      return;
    }
    // In one table both would want the same places: whoever owns either protocol replaces each route in one step.
    old.stop();
    this.#reconciler = this.#begin([place.protocol, before.protocol]);
    this.#fill();
    this.#reconciler.complete("bgp");
    await this.#reconciler.settled();
    this.#reconciler.stop();
    this.#reconciler = this.#begin();
    this.#fill();
  }

  /** Ends and leaves the routes as they are, or takes them away. */
  async close({ removeRoutes }: { readonly removeRoutes: boolean }): Promise<void> {
    this.#unsubscribe();
    clearTimeout(this.#timer);
    if (removeRoutes) await clear(this.#reconciler);
    else this.#reconciler.stop();
    this.#kernel.close();
    this.#tables.close();
  }

  #begin(protocols: readonly number[] = [this.#place.protocol]): RouteReconciler {
    const owns = { protocols, tables: [this.#place.table] };
    const reconciler = new RouteReconciler({
      kernel: this.#kernel,
      clock: systemClock,
      sources: [
        { name: "static", owns, graceMs: 0 },
        { name: "bgp", owns, graceMs: bgpGraceMs },
      ],
      onStatus: (status) => this.#events.onStatus(status),
    });
    reconciler.start();
    return reconciler;
  }

  #fill(): void {
    this.setStatics(this.#statics);
    this.#replaceLearned();
    if (this.#isComplete) this.#reconciler.complete("bgp");
  }

  #replaceLearned(): void {
    this.#reconciler.replace(
      "bgp",
      [...this.#best.values()].flatMap((reach) => this.#learnedRoute(reach) ?? []),
    );
  }

  #learnedRoute({ prefix, nextHops, discards }: Reach): DesiredRoute | undefined {
    if (discards === true) return { destination: prefix, ...this.#place, type: RouteType.RTN_BLACKHOLE };
    const hops = nextHops.flatMap(({ address }) => this.#hop(address) ?? []);
    return hops.length === 0 ? undefined : { destination: prefix, ...this.#place, nextHops: hops };
  }

  #hop(nextHop: IpAddress): DesiredNextHop | undefined {
    const path = this.#resolver.path(nextHop);
    if (path === undefined) return undefined;
    return { interfaceName: path.interfaceName, gateway: path.gateway ?? nextHop };
  }

  /** The kernel finds the interface of a static route's gateway. */
  #staticRoute({ prefix, nextHop }: StaticRoute): DesiredRoute {
    const route = { destination: prefix, ...this.#place };
    if (nextHop === undefined) return { ...route, type: RouteType.RTN_BLACKHOLE };
    return { ...route, nextHops: [{ gateway: nextHop }] };
  }

  #hear(notice: KernelNotice): void {
    const matters =
      notice.kind === "overrun" || notice.changes.some((change) => this.#mayMoveNextHops(change));
    if (!matters || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#resolver.forget();
      this.#events.onNetworkChange();
      // A gateway may have changed behind a next hop that the speaker sees reached as before.
      this.#replaceLearned();
    }, networkDelayMs);
  }

  #mayMoveNextHops(change: Change): boolean {
    if (change.kind === "link" || change.kind === "address") return true;
    if (change.kind !== "route") return false;
    const { protocol, table } = change.route;
    return protocol !== this.#place.protocol && table === RouteTable.RT_TABLE_MAIN;
  }
}

async function clear(reconciler: RouteReconciler): Promise<void> {
  for (const source of ["static", "bgp"]) {
    reconciler.replace(source, []);
    reconciler.complete(source);
  }
  await reconciler.settled();
  reconciler.stop();
}
