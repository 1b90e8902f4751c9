import { Prefix } from "@caracal/net";
import { type Route, RouteType } from "@caracal/netlink";
import { isAsWanted, type RouteKey, routeKey } from "./desired-route.ts";
import type { RouteOperation } from "./kernel.ts";

/** What is wanted and what is, of one key: table, destination and metric. */
export interface RouteSlot {
  readonly key: RouteKey;
  readonly wanted: Route | undefined;
  /** All of the kernel's routes of this key, in its order. */
  readonly actual: readonly Route[];
}

/** What a plan may do with a route that is in the kernel. */
export type RouteClaim =
  /** Ours: may be replaced and deleted. */
  | "ours"
  /** Ours, but its source has not yet said all it wants: may be replaced, not deleted. */
  | "held"
  | "alien";

export interface PlannedOperation {
  readonly key: RouteKey;
  readonly operation: RouteOperation;
}

/** A wanted route whose place an alien holds. */
export interface RouteConflict {
  readonly key: RouteKey;
  readonly wanted: Route;
  readonly alien: Route;
}

export interface RoutePlan {
  /** In the order in which they must be carried out. */
  readonly operations: readonly PlannedOperation[];
  readonly conflicts: readonly RouteConflict[];
  /** Routes left alone only because their source is not complete. */
  readonly heldCount: number;
}

/**
 * What to do so that the kernel has what is wanted, without a moment in which traffic is lost:
 * a changed route is replaced in one step; what others depend on or hide behind goes in first and out last.
 */
export function planRoutes(slots: Iterable<RouteSlot>, claim: (route: Route) => RouteClaim): RoutePlan {
  const writes: PlannedOperation[] = [];
  const deletes: PlannedOperation[] = [];
  const conflicts: RouteConflict[] = [];
  let heldCount = 0;
  for (const slot of slots) {
    const { key, wanted } = slot;
    let alien: Route | undefined;
    const held = new Set<Route>();
    const ours: Route[] = [];
    for (const route of slot.actual) {
      const whose = claim(route);
      if (whose === "alien") alien ??= route;
      else ours.push(route);
      if (whose === "held") held.add(route);
    }
    const kept = wanted === undefined ? undefined : ours.find((route) => isAsWanted(wanted, route));
    let superfluous = ours.filter((route) => route !== kept);
    if (wanted !== undefined && kept === undefined) {
      if (alien !== undefined) {
        // A replace could hit the alien's route, and an add would be refused.
        conflicts.push({ key, wanted, alien });
      } else if (ours.length > 0) {
        for (const stone of steppingStones(wanted, ours)) {
          writes.push({ key: routeKey(stone), operation: { kind: "add", route: stone } });
          deletes.push({ key: routeKey(stone), operation: { kind: "delete", route: stone } });
        }
        writes.push({ key, operation: { kind: "replace", route: wanted } });
        superfluous = superfluous.slice(1);
      } else {
        writes.push({ key, operation: { kind: "add", route: wanted } });
      }
    }
    for (const route of superfluous) {
      if (held.has(route) && wanted === undefined) heldCount += 1;
      else deletes.push({ key, operation: { kind: "delete", route } });
    }
  }
  writes.sort((a, b) => compareForWrite(a.operation.route, b.operation.route));
  deletes.sort((a, b) => compareForWrite(b.operation.route, a.operation.route));
  return { operations: [...writes, ...deletes], conflicts, heldCount };
}

/**
 * What an IPv6 route needs while it moves to another interface and its gateway is inside it, as VXLAN's ends are inside the
 * blocks behind them: the kernel looks the gateway up, finds the very route that is about to go, and refuses the new one for
 * the other interface (linux/net/ipv6/route.c, ip6_route_check_nh_onlink). A route to the gateway alone is closer.
 */
function steppingStones(wanted: Route, former: readonly Route[]): readonly Route[] {
  if (wanted.destination.family !== 6 || wanted.nextHops.length !== 1) return [];
  return wanted.nextHops.flatMap(({ gateway, onlink, interfaceIndex }) => {
    const isInside = gateway !== undefined && Prefix.contains(wanted.destination, gateway);
    const isMoving = former.some(
      ({ nextHops: [hop] }) => hop !== undefined && hop.interfaceIndex !== interfaceIndex,
    );
    if (!isInside || !isMoving || onlink !== true || interfaceIndex === undefined) return [];
    const { preferredSource: _source, mtu: _mtu, ...rest } = wanted;
    return [{ ...rest, destination: Prefix.host(gateway), nextHops: [{ interfaceIndex }] }];
  });
}

/**
 * Routes on a link first, as gateways are reached by them; blackholes and their like last, as traffic must not fall into
 * one before the route that saves it is there. Among equals the longer prefix, for the same reason.
 */
function compareForWrite(a: Route, b: Route): number {
  return rank(a) - rank(b) || b.destination.length - a.destination.length;
}

function rank(route: Route): number {
  if (route.type !== RouteType.RTN_UNICAST) return 2;
  return route.nextHops.some((hop) => hop.gateway !== undefined) ? 1 : 0;
}
