import type { DesiredRoute } from "@caracal/dataplane";
import type { TunnelRoute } from "@caracal/intent";
import { RouteProtocol, RouteType } from "@caracal/netlink";
import type { PathLookup } from "./bgp-routes.ts";

/** The devices whose routes are all ours, whatever their protocol. */
export const vxlanDevices: readonly string[] = ["vxlan.calico", "vxlan-v6.calico"];

/** Routes as Felix programs them. One to a neighbour that no interface leads to is left out until one does. */
export function tunnelRoutes(routes: readonly TunnelRoute[], path: PathLookup): readonly DesiredRoute[] {
  return routes.flatMap((route) => desiredRoute(route, path) ?? []);
}

function desiredRoute(route: TunnelRoute, path: PathLookup): DesiredRoute | undefined {
  const { prefix: destination } = route;
  switch (route.kind) {
    case "blackhole":
      return { destination, protocol: RouteProtocol.RTPROT_FELIX, type: RouteType.RTN_BLACKHOLE };
    case "tunnel": {
      // Felix's routes through VXLAN have the protocol that `ip route` does not print.
      const isVxlan = vxlanDevices.includes(route.device);
      const protocol = isVxlan ? RouteProtocol.RTPROT_BOOT : RouteProtocol.RTPROT_FELIX;
      const hop = { interfaceName: route.device, gateway: route.gateway, onlink: true };
      return { destination, protocol, nextHops: [hop] };
    }
    case "direct": {
      const interfaceName = path(route.gateway)?.interfaceName;
      if (interfaceName === undefined) return undefined;
      const hop = { interfaceName, gateway: route.gateway, onlink: true };
      return { destination, protocol: RouteProtocol.RTPROT_FELIX, nextHops: [hop] };
    }
  }
}
