import { IpAddress, Prefix } from "@caracal/net";
import { tableName } from "./route-lookup.ts";
import { type NextHop, type Route, RouteScope, RouteTable, RouteType } from "@caracal/netlink";

/** Names of `/etc/iproute2/rt_protos`; boot is what `ip route` does not print. */
const protocolNames: Readonly<Record<number, string>> = {
  1: "redirect",
  2: "kernel",
  4: "static",
  9: "ra",
  11: "zebra",
  12: "bird",
  16: "dhcp",
  42: "babel",
  186: "bgp",
  187: "isis",
  188: "ospf",
};
const bootProtocol = 3;

/** A route as `ip route` prints it. */
export function routeText(route: Route, nameOf: (link: number) => string | undefined): string {
  const { destination, type, protocol, scope, table, metric, nextHops, nextHopId } = route;
  const isDefault = destination.length === 0;
  const isHost = Prefix.isHost(destination);
  const target = isHost ? IpAddress.format(destination.address) : Prefix.format(destination);
  const [first] = nextHops;
  const isMultipath = nextHops.length > 1;
  const words = [
    ...(type === RouteType.RTN_UNICAST ? [] : [typeName(type)]),
    isDefault ? "default" : target,
    ...(nextHopId === undefined ? [] : [`nhid ${nextHopId}`]),
    ...(isMultipath || first === undefined ? [] : [hopText(first, nameOf)]),
    ...(table === RouteTable.RT_TABLE_MAIN ? [] : [`table ${tableName(table)}`]),
    ...(protocol === bootProtocol ? [] : [`proto ${protocolNames[protocol] ?? protocol}`]),
    ...(scope === RouteScope.RT_SCOPE_LINK ? ["scope link"] : []),
    ...(metric === 0 ? [] : [`metric ${metric}`]),
    ...(isMultipath ? nextHops.map((hop) => `nexthop ${hopText(hop, nameOf)}`) : []),
  ];
  return words.join(" ");
}

function hopText(hop: NextHop, nameOf: (link: number) => string | undefined): string {
  const { gateway, interfaceIndex, onlink } = hop;
  return [
    ...(gateway === undefined ? [] : [`via ${IpAddress.format(gateway)}`]),
    ...(interfaceIndex === undefined ? [] : [`dev ${nameOf(interfaceIndex) ?? `if${interfaceIndex}`}`]),
    ...(onlink === true ? ["onlink"] : []),
  ].join(" ");
}

function typeName(type: number): string {
  switch (type) {
    case RouteType.RTN_BLACKHOLE:
      return "blackhole";
    case RouteType.RTN_UNREACHABLE:
      return "unreachable";
    case RouteType.RTN_PROHIBIT:
      return "prohibit";
    case RouteType.RTN_LOCAL:
      return "local";
    case RouteType.RTN_BROADCAST:
      return "broadcast";
    case RouteType.RTN_THROW:
      return "throw";
    default:
      return `type ${type}`;
  }
}
