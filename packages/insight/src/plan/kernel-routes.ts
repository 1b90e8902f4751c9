import type { RouteSnapshot } from "@caracal/bgp";
import { decideProgramming, type NodeIntent } from "@caracal/intent";
import { IpAddress, Prefix } from "@caracal/net";
import type { ClusterRoutes } from "./cluster-run.ts";

/** A best route as packets meet it. */
export interface KernelRoute {
  readonly prefix: Prefix;
  /** Absent: the router's own. */
  readonly nextHop?: IpAddress;
  /** In what packets are wrapped on the way to the next hop. */
  readonly device?: string;
  /** The next hop is not in the node's own subnet: routers that this is not about carry packets there. */
  readonly isBeyondSubnet: boolean;
}

/** What of a router's best routes comes into its kernel; routers outside the cluster take everything. */
export function kernelRoutes(
  routes: ClusterRoutes,
  intents: Intents,
  router: string,
): readonly KernelRoute[] {
  const intent = intents.get(router);
  return (routes.best.get(router) ?? []).flatMap((route) => kernelRoute(route, intent) ?? []);
}

/** `10.0.0.22`, or `30.0.0.23 dev tunl0`: the way of a learned route; `undefined` for the router's own. */
export function wayOf({ nextHop, device }: KernelRoute): string | undefined {
  if (nextHop === undefined) return undefined;
  return `${IpAddress.format(nextHop)}${device === undefined ? "" : ` dev ${device}`}`;
}

type Intents = ReadonlyMap<string, NodeIntent>;

function kernelRoute(route: RouteSnapshot, intent: NodeIntent | undefined): KernelRoute | undefined {
  const { prefix, source } = route;
  const { nextHop } = route.attributes;
  if (source.kind === "local" || nextHop === undefined) return { prefix, isBeyondSubnet: false };
  if (intent === undefined) return { prefix, nextHop, isBeyondSubnet: false };
  const { programming } = intent.kernel;
  const verdict = decideProgramming(programming, prefix, nextHop);
  if (verdict.kind === "skip") return undefined;
  if (verdict.kind === "tunnel") return { prefix, nextHop, device: verdict.device, isBeyondSubnet: false };
  const subnet = programming.subnets.get(IpAddress.family(nextHop));
  return { prefix, nextHop, isBeyondSubnet: subnet !== undefined && !Prefix.contains(subnet, nextHop) };
}
