import { type Route, RouteProtocol, RouteTable, RouteType } from "@caracal/netlink";
import type { DesiredRoute } from "./desired-route.ts";
import type { LinkTable } from "./link-table.ts";

/** By what a source knows its routes in the kernel. Anything else is an alien's and never touched. */
export interface RouteOwnership {
  /** Every route of these protocol numbers. */
  readonly protocols?: readonly number[];
  /** Every route that leads only through interfaces whose names start so, whatever its protocol. */
  readonly interfacePrefixes?: readonly string[];
  /** The same for interfaces of exactly these names. */
  readonly interfaceNames?: readonly string[];
  /** Of the routes through these interfaces only those of these protocol numbers; absent: all. */
  readonly interfaceProtocols?: readonly number[];
  /** Only in these tables; by default only in the main one. */
  readonly tables?: readonly number[];
}

/** The types of routes that people and daemons install; the kernel makes the others for itself. */
const installable: readonly number[] = [
  RouteType.RTN_UNICAST,
  RouteType.RTN_BLACKHOLE,
  RouteType.RTN_UNREACHABLE,
  RouteType.RTN_PROHIBIT,
  RouteType.RTN_THROW,
];

export function ownsTable(ownership: RouteOwnership, table: number): boolean {
  return ownership.tables === undefined
    ? table === RouteTable.RT_TABLE_MAIN
    : ownership.tables.includes(table);
}

/** Whether a route in the kernel is this owner's. */
export function ownsRoute(ownership: RouteOwnership, route: Route, links: LinkTable): boolean {
  if (!ownsTable(ownership, route.table) || !installable.includes(route.type)) return false;
  if (ownership.protocols?.includes(route.protocol) === true) return true;
  // What the kernel put on an interface itself, such as its link-local network, lives and goes with the interface.
  if (route.protocol === RouteProtocol.RTPROT_KERNEL) return false;
  return leadsThrough(
    ownership,
    route.protocol,
    route.nextHops.map((hop) =>
      hop.interfaceIndex === undefined ? undefined : links.name(hop.interfaceIndex),
    ),
  );
}

/** Whether a route, once in the kernel, will be this owner's. */
export function wouldOwn(ownership: RouteOwnership, desired: DesiredRoute): boolean {
  if (!ownsTable(ownership, desired.table ?? RouteTable.RT_TABLE_MAIN)) return false;
  if (ownership.protocols?.includes(desired.protocol) === true) return true;
  return leadsThrough(
    ownership,
    desired.protocol,
    (desired.nextHops ?? []).map((hop) => hop.interfaceName),
  );
}

function leadsThrough(
  { interfacePrefixes = [], interfaceNames = [], interfaceProtocols }: RouteOwnership,
  protocol: number,
  names: readonly (string | undefined)[],
): boolean {
  const isOwned = (name: string | undefined): boolean =>
    name !== undefined &&
    (interfaceNames.includes(name) || interfacePrefixes.some((prefix) => name.startsWith(prefix)));
  if (interfaceProtocols?.includes(protocol) === false) return false;
  return names.length > 0 && names.every(isOwned);
}
