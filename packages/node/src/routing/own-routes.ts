import type { DesiredRoute } from "@caracal/dataplane";
import type { PodRoute } from "@caracal/intent";
import type { Prefix } from "@caracal/net";
import { RouteProtocol, RouteScope, RouteType } from "@caracal/netlink";

/** `blackhole 10.244.83.128/26 proto bird`: packets to the block's free addresses stop here. */
export function blackholeRoute(block: Prefix): DesiredRoute {
  return { destination: block, protocol: RouteProtocol.RTPROT_BIRD, type: RouteType.RTN_BLACKHOLE };
}

/** `10.244.83.132 dev cali… scope link`, under Felix's default protocol, which `ip route` does not print. */
export function podRoute(route: Pick<PodRoute, "prefix" | "interfaceName">): DesiredRoute {
  return {
    destination: route.prefix,
    protocol: RouteProtocol.RTPROT_BOOT,
    scope: RouteScope.RT_SCOPE_LINK,
    nextHops: [{ interfaceName: route.interfaceName }],
  };
}
