import type { Route } from "@caracal/netlink";
import { isSameRoute, type RouteKey, routeKey } from "./desired-route.ts";
import type { RouteOperation } from "./kernel.ts";

/** What the kernel's tables hold as far as is known: the last dump, our own doings since, and news. */
export class RouteMirror {
  readonly #routes = new Map<RouteKey, readonly Route[]>();

  constructor(routes: Iterable<Route> = []) {
    for (const route of routes) this.#append(routeKey(route), route);
  }

  keys(): IterableIterator<RouteKey> {
    return this.#routes.keys();
  }

  /** All routes of a key, in the kernel's order. */
  at(key: RouteKey): readonly Route[] {
    return this.#routes.get(key) ?? [];
  }

  has(route: Route): boolean {
    return this.at(routeKey(route)).some((known) => isSameRoute(route, known));
  }

  /** Whether some route leads, or may lead, through the interface. */
  leadsThrough(interfaceIndex: number, counts: (route: Route) => boolean): boolean {
    for (const routes of this.#routes.values()) {
      for (const route of routes) {
        const through = route.nextHops.some(
          (hop) => (hop.interfaceIndex ?? interfaceIndex) === interfaceIndex,
        );
        if (through && counts(route)) return true;
      }
    }
    return false;
  }

  /** An operation of ours was carried out. */
  done(key: RouteKey, operation: RouteOperation): void {
    if (operation.kind === "delete") this.remove(key, operation.route);
    else if (operation.kind === "add") this.#append(key, operation.route);
    else this.#set(key, [operation.route, ...this.at(key).slice(1)]);
  }

  add(route: Route): void {
    if (!this.has(route)) this.#append(routeKey(route), route);
  }

  remove(key: RouteKey, route: Route): void {
    const routes = this.at(key);
    const at = routes.findIndex((known) => isSameRoute(route, known));
    if (at >= 0) this.#set(key, routes.toSpliced(at, 1));
  }

  #append(key: RouteKey, route: Route): void {
    const routes = this.#routes.get(key);
    this.#routes.set(key, routes === undefined ? [route] : [...routes, route]);
  }

  #set(key: RouteKey, routes: readonly Route[]): void {
    if (routes.length === 0) this.#routes.delete(key);
    else this.#routes.set(key, routes);
  }
}
