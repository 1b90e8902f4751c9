import { brand, type Brand, type IpAddress, Prefix } from "@caracal/net";
import { type NextHop, type Route, RouteTable, RouteType } from "@caracal/netlink";
import type { LinkTable } from "./link-table.ts";

/** A next hop that names its interface. Without a name the kernel finds the interface that reaches the gateway. */
export interface DesiredNextHop {
  readonly interfaceName?: string;
  readonly gateway?: IpAddress;
  readonly onlink?: boolean;
  readonly weight?: number;
}

/** A route somebody wants. What is absent is: unicast, scope universe, table main, the family's default metric. */
export interface DesiredRoute {
  readonly destination: Prefix;
  readonly protocol: number;
  readonly type?: number;
  readonly scope?: number;
  readonly table?: number;
  readonly metric?: number;
  readonly nextHops?: readonly DesiredNextHop[];
  readonly preferredSource?: IpAddress;
  readonly mtu?: number;
}

/** What the kernel tells routes apart by: table, destination and metric. */
export type RouteKey = Brand<string, "RouteKey">;

/** The kernel stores an IPv6 route without a metric under this one (linux/ipv6_route.h, IP6_RT_PRIO_USER). */
const defaultMetric6 = 1024;

export function routeKey(route: DesiredRoute | Route): RouteKey {
  const { destination, table = RouteTable.RT_TABLE_MAIN, metric = 0 } = route;
  return brand<RouteKey>(`${Prefix.key(destination)} ${table} ${storedMetric(destination, metric)}`);
}

/** The route as the kernel will show it, or the name of the interface it waits for. */
export function resolveRoute(desired: DesiredRoute, links: LinkTable): Route | { readonly missing: string } {
  const nextHops: NextHop[] = [];
  for (const { interfaceName, ...hop } of desired.nextHops ?? []) {
    if (interfaceName === undefined) {
      nextHops.push(hop);
      continue;
    }
    const interfaceIndex = links.index(interfaceName);
    if (interfaceIndex === undefined) return { missing: interfaceName };
    nextHops.push({ ...hop, interfaceIndex });
  }
  const { destination, protocol, preferredSource, mtu } = desired;
  return {
    destination,
    protocol,
    type: desired.type ?? RouteType.RTN_UNICAST,
    // IPv6 has no scopes: the kernel takes any and shows universe.
    scope: destination.family === 6 ? 0 : (desired.scope ?? 0),
    table: desired.table ?? RouteTable.RT_TABLE_MAIN,
    metric: storedMetric(destination, desired.metric ?? 0),
    nextHops,
    ...(preferredSource === undefined ? {} : { preferredSource }),
    ...(mtu === undefined ? {} : { mtu }),
  };
}

/** Whether two wishes of one key ask for the same. */
export function sameWish(a: DesiredRoute, b: DesiredRoute): boolean {
  if (a === b) return true;
  const { nextHops: hopsOfA = [] } = a;
  const { nextHops: hopsOfB = [] } = b;
  return (
    a.protocol === b.protocol &&
    a.type === b.type &&
    a.scope === b.scope &&
    a.preferredSource === b.preferredSource &&
    a.mtu === b.mtu &&
    hopsOfA.length === hopsOfB.length &&
    hopsOfA.every((hop, at) => {
      const other = hopsOfB[at];
      return (
        other !== undefined &&
        hop.interfaceName === other.interfaceName &&
        hop.gateway === other.gateway &&
        hop.onlink === other.onlink &&
        hop.weight === other.weight
      );
    })
  );
}

/** Whether the kernel's route is what was asked for. An interface that was left to the kernel may be any. */
export function isAsWanted(wanted: Route, actual: Route): boolean {
  return (
    wanted.type === actual.type &&
    wanted.protocol === actual.protocol &&
    wanted.scope === actual.scope &&
    wanted.preferredSource === actual.preferredSource &&
    wanted.mtu === actual.mtu &&
    sameHops(wanted.nextHops, actual.nextHops)
  );
}

/** Whether two descriptions are of one route; an interface that one of them left to the kernel may be any. */
export function isSameRoute(a: Route, b: Route): boolean {
  return isAsWanted(a, b) || isAsWanted(b, a);
}

function sameHops(wanted: readonly NextHop[], actual: readonly NextHop[]): boolean {
  if (wanted.length !== actual.length) return false;
  const [first] = wanted;
  const [only] = actual;
  if (first === undefined || only === undefined) return true;
  if (wanted.length === 1) return sameHop(first, only);
  // The kernel may show several in another order.
  const left = [...actual];
  return wanted.every((hop) => {
    const at = left.findIndex(
      (candidate) => sameHop(hop, candidate) && (hop.weight ?? 1) === (candidate.weight ?? 1),
    );
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}

function sameHop(wanted: NextHop, actual: NextHop): boolean {
  return (
    wanted.gateway === actual.gateway &&
    (wanted.onlink ?? false) === (actual.onlink ?? false) &&
    (wanted.interfaceIndex === undefined || wanted.interfaceIndex === actual.interfaceIndex)
  );
}

function storedMetric(destination: Prefix, metric: number): number {
  return metric === 0 && destination.family === 6 ? defaultMetric6 : metric;
}
