import type { RouteSnapshot } from "@caracal/bgp";
import { decideProgramming, type NodeIntent, TunnelEnds, type TunnelIntent } from "@caracal/intent";
import { IpAddress, Prefix } from "@caracal/net";
import type { ClusterSnapshot } from "../cluster/read-cluster.ts";
import type { ClusterRoutes } from "./cluster-run.ts";

/** A cluster with what its nodes make of it. */
export interface PlannedCluster {
  readonly cluster: ClusterSnapshot;
  readonly intents: ReadonlyMap<string, NodeIntent>;
  readonly tunnels: ReadonlyMap<string, TunnelIntent>;
}

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

/** The kernels' routes of a cluster once its BGP has settled. */
export class KernelRoutes {
  readonly #planned: PlannedCluster;
  readonly #routes: ClusterRoutes;
  readonly #ends = new TunnelEnds();

  constructor(planned: PlannedCluster, routes: ClusterRoutes) {
    this.#planned = planned;
    this.#routes = routes;
    this.#ends.see(planned.cluster.resources.nodes, planned.cluster.blocks);
  }

  /** Every router: the nodes, and what is outside by its address. */
  get routers(): Iterable<string> {
    return new Set([...this.#planned.intents.keys(), ...this.#routes.best.keys()]);
  }

  /**
   * What of a router's best routes comes into its kernel, and what its daemon programs by itself, which goes first; routers outside
   * the cluster take everything.
   */
  of(router: string): readonly KernelRoute[] {
    const { intents, tunnels } = this.#planned;
    const own = tunnelledRoutes(tunnels.get(router));
    const isOwn = new Set(own.map(({ prefix }) => Prefix.key(prefix)));
    const learned = (this.#routes.best.get(router) ?? [])
      .filter(({ prefix }) => !isOwn.has(Prefix.key(prefix)))
      .flatMap((route) => this.#learned(route, intents.get(router)) ?? []);
    return [...own, ...learned];
  }

  #learned(route: RouteSnapshot, intent: NodeIntent | undefined): KernelRoute | undefined {
    const { prefix, source } = route;
    const { nextHop } = route.attributes;
    if (source.kind === "local" || nextHop === undefined) return { prefix, isBeyondSubnet: false };
    if (intent === undefined) return { prefix, nextHop, isBeyondSubnet: false };
    const { programming } = intent.kernel;
    const verdict = decideProgramming(programming, prefix, nextHop);
    if (verdict.kind === "skip") return undefined;
    if (verdict.kind === "tunnel") {
      // As the daemons do it: a switch takes nothing out of tunnels, the block's node does.
      const end = this.#ends.endOf(prefix, nextHop);
      return { prefix, nextHop: end, device: verdict.device, isBeyondSubnet: false };
    }
    const subnet = programming.subnets.get(IpAddress.family(nextHop));
    return { prefix, nextHop, isBeyondSubnet: subnet !== undefined && !Prefix.contains(subnet, nextHop) };
  }
}

/** `10.0.0.22`, or `30.0.0.23 dev tunl0`: the way of a learned route; `undefined` for the router's own. */
export function wayOf({ nextHop, device }: KernelRoute): string | undefined {
  if (nextHop === undefined) return undefined;
  return `${IpAddress.format(nextHop)}${device === undefined ? "" : ` dev ${device}`}`;
}

/** VXLAN's gateways are tunnel addresses: packets go to the nodes behind them. */
function tunnelledRoutes(intent: TunnelIntent | undefined): readonly KernelRoute[] {
  const hosts = new Map<IpAddress, IpAddress>();
  for (const tunnel of intent?.tunnels ?? [])
    if (tunnel.kind === "vxlan") for (const { address, host } of tunnel.vteps) hosts.set(address, host);
  return (intent?.routes ?? []).map((route): KernelRoute => {
    const { prefix } = route;
    if (route.kind === "blackhole") return { prefix, isBeyondSubnet: false };
    const nextHop = hosts.get(route.gateway) ?? route.gateway;
    const device = route.kind === "tunnel" ? { device: route.device } : {};
    return { prefix, nextHop, ...device, isBeyondSubnet: false };
  });
}
