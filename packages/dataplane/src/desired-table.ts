import type { Route } from "@caracal/netlink";
import { type DesiredRoute, type RouteKey, routeKey, sameWish } from "./desired-route.ts";
import type { LinkTable } from "./link-table.ts";
import type { RouteClaim } from "./plan-routes.ts";
import { ownsRoute, ownsTable, type RouteOwnership, wouldOwn } from "./route-ownership.ts";

/** Somebody who wants routes: BGP, the blocks of this node, its pods. */
export interface RouteSource {
  readonly name: string;
  readonly owns: RouteOwnership;
  /**
   * How long after the start routes of this source stay in the kernel although it has not asked for them. It ends early
   * when the source says that it is complete: so a restart loses no route while BGP learns them again.
   */
  readonly graceMs: number;
}

interface SourceState {
  source: RouteSource;
  readonly routes: Map<RouteKey, DesiredRoute>;
  complete: boolean;
}

/** What all sources want. Where two want the same key, the source named first wins. */
export class DesiredTable {
  readonly #states: readonly SourceState[];

  constructor(sources: readonly RouteSource[]) {
    this.#states = sources.map((source) => ({ source, routes: new Map(), complete: false }));
  }

  /** Number of routes, counting a key that several sources want several times. */
  get size(): number {
    return this.#states.reduce((sum, { routes }) => sum + routes.size, 0);
  }

  *keys(): Generator<RouteKey, void, undefined> {
    for (const { routes } of this.#states) yield* routes.keys();
  }

  at(key: RouteKey): DesiredRoute | undefined {
    for (const { routes } of this.#states) {
      const route = routes.get(key);
      if (route !== undefined) return route;
    }
    return undefined;
  }

  /** What is wanted of each key, once. */
  *routes(): Generator<DesiredRoute, void, undefined> {
    for (const [index, { routes }] of this.#states.entries()) {
      const earlier = this.#states.slice(0, index);
      for (const [key, route] of routes) {
        if (!earlier.some((state) => state.routes.has(key))) yield route;
      }
    }
  }

  /** Takes a route in. One that the source would not own could never be removed again, and throws `RangeError`. */
  set(name: string, route: DesiredRoute): { readonly key: RouteKey; readonly changed: boolean } {
    const { source, routes } = this.#state(name);
    const key = routeKey(route);
    if (!wouldOwn(source.owns, route)) throw new RangeError(`source ${name} does not own route ${key}`);
    const before = routes.get(key);
    routes.set(key, route);
    return { key, changed: before === undefined || !sameWish(before, route) };
  }

  /** From now on the source knows its routes by this. */
  own(name: string, owns: RouteOwnership): void {
    const state = this.#state(name);
    state.source = { ...state.source, owns };
  }

  remove(name: string, key: RouteKey): boolean {
    return this.#state(name).routes.delete(key);
  }

  /** The keys a source wants. */
  keysOf(name: string): readonly RouteKey[] {
    return [...this.#state(name).routes.keys()];
  }

  /** `false` if it was complete already. */
  complete(name: string): boolean {
    const state = this.#state(name);
    if (state.complete) return false;
    state.complete = true;
    return true;
  }

  /** Ends the grace of every source whose time is over; `true` if there was one. */
  expire(sinceStartMs: number): boolean {
    let expired = false;
    for (const state of this.#states) {
      if (state.complete || state.source.graceMs > sinceStartMs) continue;
      state.complete = true;
      expired = true;
    }
    return expired;
  }

  /** When, after the start, the next grace ends. */
  get nextGraceMs(): number | undefined {
    const waiting = this.#states.filter((state) => !state.complete).map((state) => state.source.graceMs);
    return waiting.length === 0 ? undefined : Math.min(...waiting);
  }

  concernsTable(table: number): boolean {
    return this.#states.some(({ source }) => ownsTable(source.owns, table));
  }

  /** A route is held as long as any source that may own it has not said all it wants. */
  claim(route: Route, links: LinkTable): RouteClaim {
    let claim: RouteClaim = "alien";
    for (const { source, complete } of this.#states) {
      if (!ownsRoute(source.owns, route, links)) continue;
      if (!complete) return "held";
      claim = "ours";
    }
    return claim;
  }

  #state(name: string): SourceState {
    const state = this.#states.find(({ source }) => source.name === name);
    if (state === undefined) throw new RangeError(`no route source ${name}`);
    return state;
  }
}
