import { isArrayOf, isObject } from "./json-shape.ts";

/** What a daemon answers to `route.table`: every prefix that its speaker knows. */
export interface RouteTable {
  readonly node: string;
  readonly routes: readonly TableRoute[];
  /** Why the daemon cannot tell: another program speaks BGP here, say. */
  readonly unknownBecause?: string;
}

export interface TableRoute {
  readonly prefix: string;
  /** The node's own. */
  readonly isOwn: boolean;
  /** Of the best path. */
  readonly nextHop?: string;
  /** The sessions that usable paths came by; those that wait for their session's return are not among them. */
  readonly from: readonly string[];
  /** The kernel has a route that BGP put there. */
  readonly isProgrammed: boolean;
}

/** A table that came as JSON; `undefined` for anything else. */
export function readRouteTable(value: unknown): RouteTable | undefined {
  return isRouteTable(value) ? value : undefined;
}

function isRouteTable(value: unknown): value is RouteTable {
  return isObject(value) && typeof value["node"] === "string" && isArrayOf(value["routes"], isTableRoute);
}

function isTableRoute(value: unknown): value is TableRoute {
  return isObject(value) && typeof value["prefix"] === "string" && Array.isArray(value["from"]);
}
