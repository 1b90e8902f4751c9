import { Prefix } from "@caracal/net";
import { describeRoute, type Forwarding, type KernelRoute } from "./forwarding.ts";
import type { LabRecord } from "../lab-record.ts";
import type { RoutePattern } from "./route-pattern.ts";

/** What one pattern came to. */
export interface RouteCheck {
  readonly on: string;
  readonly expected: string;
  readonly ok: boolean;
  /** The routes to that destination. */
  readonly found: readonly string[];
}

/** What a lab's blocks are parts of. */
export interface PoolPrefixes {
  readonly pool: Prefix | undefined;
  readonly pool6: Prefix | undefined;
}

export function poolPrefixes({ pool, pool6 }: Pick<LabRecord, "pool" | "pool6">): PoolPrefixes {
  return {
    pool: Prefix.parse(pool.cidr),
    pool6: pool6 === undefined ? undefined : Prefix.parse(pool6.cidr),
  };
}

/** Compares a node's or switch's table with a pattern. */
export function matchRoute(
  forwarding: Forwarding,
  pools: PoolPrefixes,
  on: string,
  pattern: RoutePattern,
): RouteCheck {
  const routes = forwarding.get(on)?.routes ?? [];
  const { destination } = pattern;
  const prefixes =
    "prefix" in destination
      ? [Prefix.parse(destination.prefix)].filter((prefix) => prefix !== undefined)
      : blocksOf(forwarding, pools[destination.pool], destination.blocksOf);
  const expected =
    "prefix" in destination
      ? pattern.text
      : `${pattern.text} (${prefixes.map(Prefix.format).join(", ") || "it has none"})`;
  if (pattern.isAbsent) {
    const found = routes.filter((route) => prefixes.some((prefix) => isWithin(prefix, route.destination)));
    return { on, expected, ok: found.length === 0, found: found.map(describeRoute) };
  }
  const found = prefixes.map((prefix) => routes.filter((route) => Prefix.equals(route.destination, prefix)));
  const ok = found.length > 0 && found.every((some) => some.some((route) => fits(route, pattern)));
  return { on, expected, ok, found: found.flat().map(describeRoute) };
}

/** The blocks a node has, as its kernel guards them: blackholes inside the pool. */
export function blocksOf(forwarding: Forwarding, pool: Prefix | undefined, node: string): readonly Prefix[] {
  if (pool === undefined) return [];
  const routes = forwarding.get(node)?.routes ?? [];
  return routes
    .filter(({ kind, destination }) => kind === "blackhole" && Prefix.covers(pool, destination))
    .map(({ destination }) => destination);
}

/** Of the default route only itself is meant, of any other prefix all that is inside. */
function isWithin(prefix: Prefix, destination: Prefix): boolean {
  return prefix.length === 0 ? Prefix.equals(prefix, destination) : Prefix.covers(prefix, destination);
}

function fits(route: KernelRoute, pattern: RoutePattern): boolean {
  const { isBlackhole, gateway, interface: device, protocol, isOnlink = false } = pattern;
  if (isBlackhole !== undefined && isBlackhole !== (route.kind === "blackhole")) return false;
  if (protocol !== undefined && protocol !== route.protocol) return false;
  if (gateway === undefined && device === undefined) return true;
  return route.hops.some(
    (hop) =>
      (gateway ?? hop.gateway) === hop.gateway &&
      (device ?? hop.interface) === hop.interface &&
      (!isOnlink || hop.isOnlink === true),
  );
}
