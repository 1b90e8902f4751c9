import type { DesiredRoute } from "@caracal/dataplane";
import { defaultDeviceRoutes, type DeviceRouteSettings, type TunnelRoute } from "@caracal/intent";
import { RouteType } from "@caracal/netlink";
import type { PathLookup } from "./bgp-routes.ts";

/** The devices whose routes are all ours, whatever their protocol. */
export const vxlanDevices: readonly string[] = ["vxlan.calico", "vxlan-v6.calico"];

/** Routes as Felix programs them. One to a neighbour that no interface leads to is left out until one does. */
export function tunnelRoutes(
  routes: readonly TunnelRoute[],
  path: PathLookup,
  settings: DeviceRouteSettings = defaultDeviceRoutes,
): readonly DesiredRoute[] {
  return routes.flatMap((route) => desiredRoute(route, path, settings) ?? []);
}

function desiredRoute(
  route: TunnelRoute,
  path: PathLookup,
  { deviceProtocol, ownProtocol, sources }: DeviceRouteSettings,
): DesiredRoute | undefined {
  const { prefix: destination } = route;
  if (route.kind === "blackhole")
    return { destination, protocol: ownProtocol, type: RouteType.RTN_BLACKHOLE };
  const { gateway } = route;
  const interfaceName = route.kind === "tunnel" ? route.device : path(gateway)?.interfaceName;
  if (interfaceName === undefined) return undefined;
  const preferredSource = sources.get(destination.family);
  return {
    destination,
    protocol: vxlanDevices.includes(interfaceName) ? deviceProtocol : ownProtocol,
    nextHops: [{ interfaceName, gateway, onlink: true }],
    ...(preferredSource === undefined ? {} : { preferredSource }),
  };
}
