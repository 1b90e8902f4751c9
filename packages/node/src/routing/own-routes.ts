import type { DesiredRoute } from "@caracal/dataplane";
import type { PeerIntent, PodRoute } from "@caracal/intent";
import { Prefix } from "@caracal/net";
import { RouteProtocol, RouteScope, RouteType } from "@caracal/netlink";

/** `blackhole 10.244.83.128/26 proto bird`: packets to the block's free addresses stop here. */
export function blackholeRoute(block: Prefix): DesiredRoute {
  return { destination: block, protocol: RouteProtocol.RTPROT_BIRD, type: RouteType.RTN_BLACKHOLE };
}

/** `10.0.1.254 via 10.0.0.253 proto bird`: the way to a peer that its BGPPeer says is behind a gateway. */
export function peerRoute({
  address,
  reachableBy: gateway,
}: Pick<PeerIntent, "address" | "reachableBy">): readonly DesiredRoute[] {
  if (gateway === undefined) return [];
  const destination = Prefix.host(address);
  return [{ destination, protocol: RouteProtocol.RTPROT_BIRD, nextHops: [{ gateway }] }];
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
