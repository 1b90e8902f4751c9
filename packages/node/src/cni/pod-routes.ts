import { IpAddress, Ipv4, Ipv6, Prefix } from "@caracal/net";
import { type NextHop, type Route, RouteProtocol, RouteScope, RouteTable, RouteType } from "@caracal/netlink";
import type { PodInterface } from "./ports.ts";

/** The gateway of every pod: an address nobody has, answered for by proxy ARP on the host end. */
const gateway4 = Ipv4.parse("169.254.1.1") ?? never();
/** The host end's link-local address as it follows from its MAC (RFC 4291 appendix A). */
const gateway6 = Ipv6.parse("fe80::ecee:eeff:feee:eeee") ?? never();

/** `169.254.1.1 dev eth0 scope link` and each route through it; for IPv6 through the host end's link-local address. */
export function podRoutes(pod: PodInterface, interfaceIndex: number): readonly Route[] {
  const has4 = pod.addresses.some(IpAddress.isIpv4);
  const has6 = pod.addresses.some(IpAddress.isIpv6);
  const toGateway = unicast(Prefix.of(gateway4, 32), RouteScope.RT_SCOPE_LINK, { interfaceIndex });
  const through = pod.routes
    .filter(({ family }) => (family === 4 ? has4 : has6))
    .map((destination) =>
      unicast(destination, RouteScope.RT_SCOPE_UNIVERSE, {
        interfaceIndex,
        gateway: destination.family === 4 ? gateway4 : gateway6,
      }),
    );
  return has4 ? [toGateway, ...through] : through;
}

/** `10.244.0.5 dev cali… scope link`. */
export function hostRoute(address: IpAddress, interfaceIndex: number): Route {
  return IpAddress.isIpv4(address)
    ? unicast(Prefix.of(address, 32), RouteScope.RT_SCOPE_LINK, { interfaceIndex })
    : unicast(Prefix.of(address, 128), RouteScope.RT_SCOPE_UNIVERSE, { interfaceIndex });
}

function unicast(destination: Prefix, scope: number, hop: NextHop): Route {
  return {
    destination,
    type: RouteType.RTN_UNICAST,
    protocol: RouteProtocol.RTPROT_BOOT,
    scope,
    table: RouteTable.RT_TABLE_MAIN,
    // The kernel's own number for an IPv6 route without one, so that what is dumped equals what was asked.
    metric: destination.family === 4 ? 0 : 1024,
    nextHops: [hop],
  };
}

function never(): never {
  throw new Error("a constant of this file cannot be parsed");
}
