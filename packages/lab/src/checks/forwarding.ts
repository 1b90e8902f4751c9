import { Rtnetlink } from "@caracal/linux";
import { IpAddress, Prefix } from "@caracal/net";
import { type Route, RouteTable, RouteType } from "@caracal/netlink";
import type { LabDirectory } from "../lab-directory.ts";

/** What one network namespace does with packets, as plain data. */
export interface ForwardingTable {
  readonly routes: readonly KernelRoute[];
  /** Its own addresses. */
  readonly addresses: readonly string[];
}

/** A route of the main table. */
export interface KernelRoute {
  readonly destination: Prefix;
  readonly kind: "unicast" | "blackhole" | "other";
  readonly metric: number;
  /** As `ip route` names it. */
  readonly protocol: string;
  readonly hops: readonly {
    readonly interface: string;
    readonly gateway?: string;
    readonly isOnlink?: boolean;
  }[];
}

/** The tables of every node and switch, by name. */
export type Forwarding = ReadonlyMap<string, ForwardingTable>;

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  2: "kernel",
  3: "boot",
  4: "static",
  12: "bird",
  186: "bgp",
};

/** Reads them from the kernel; a namespace that is gone has none. */
export function readForwarding(lab: LabDirectory, places: readonly string[]): Forwarding {
  return new Map(places.map((place) => [place, readTable(lab.namespacePath(place))]));
}

function readTable(namespace: string): ForwardingTable {
  try {
    using kernel = Rtnetlink.open(namespace);
    const names = new Map(kernel.links().map((link) => [link.index, link.name]));
    const routes = kernel.routes({ table: RouteTable.RT_TABLE_MAIN });
    return {
      routes: routes.map((route) => toRoute(route, names)),
      addresses: kernel.addresses().map(({ address }) => IpAddress.format(address)),
    };
  } catch {
    return { routes: [], addresses: [] };
  }
}

function toRoute(route: Route, names: ReadonlyMap<number, string>): KernelRoute {
  const { destination, type, metric, protocol, nextHops } = route;
  return {
    destination,
    kind:
      type === RouteType.RTN_UNICAST ? "unicast" : type === RouteType.RTN_BLACKHOLE ? "blackhole" : "other",
    metric,
    protocol: PROTOCOL_NAMES[protocol] ?? String(protocol),
    hops: nextHops.map(({ interfaceIndex = 0, gateway, onlink = false }) => ({
      interface: names.get(interfaceIndex) ?? "",
      ...(onlink ? { isOnlink: true } : {}),
      ...(gateway === undefined ? {} : { gateway: IpAddress.format(gateway) }),
    })),
  };
}

/** A route in `ip route`'s words. */
export function describeRoute({ destination, kind, hops, protocol }: KernelRoute): string {
  const isDefault = destination.length === 0 && destination.family === 4;
  const prefix = isDefault ? "default" : Prefix.format(destination);
  const ways = hops.map((hop) => {
    const via = hop.gateway === undefined ? "" : `via ${hop.gateway} `;
    return `${via}dev ${hop.interface}`;
  });
  const onlink = hops.some(({ isOnlink }) => isOnlink === true) ? "onlink" : "";
  return [kind === "unicast" ? "" : kind, prefix, ...ways, `proto ${protocol}`, onlink]
    .filter((word) => word !== "")
    .join(" ");
}
