import type { DesiredRoute } from "@caracal/dataplane";
import type { DeviceRouteSettings, PeerIntent, PodRoute } from "@caracal/intent";
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

/** `10.244.83.132 dev cali… scope link`, unless the settings say otherwise under the protocol that `ip route` does not print. */
export function podRoute(
  { prefix, interfaceName }: Pick<PodRoute, "prefix" | "interfaceName">,
  { deviceProtocol, sources, podMetrics }: DeviceRouteSettings,
): DesiredRoute {
  const preferredSource = sources.get(prefix.family);
  const metric = podMetrics.get(prefix.family);
  return {
    destination: prefix,
    protocol: deviceProtocol,
    scope: RouteScope.RT_SCOPE_LINK,
    nextHops: [{ interfaceName }],
    ...(preferredSource === undefined ? {} : { preferredSource }),
    ...(metric === undefined ? {} : { metric }),
  };
}
