import { IpAddress, type IpFamily, Prefix } from "@caracal/net";
import type { ClusterFacts, NodeFacts, PoolFacts } from "./cluster.ts";
import type { ServiceRanges } from "./service-ranges.ts";
import { poolOf } from "./tunnels/overlay.ts";

/** Which learned BGP routes go into the kernel, and how. */
export interface ProgrammingPolicy {
  /** Service ranges: kube-proxy handles them, so they never become routes. */
  readonly serviceRanges: readonly Prefix[];
  readonly pools: readonly PoolFacts[];
  /** The node's own subnet of each family: CrossSubnet pools are not encapsulated inside it. */
  readonly subnets: ReadonlyMap<IpFamily, Prefix>;
  /** Whether BGP programs routes to IPIP pools and to pools without encapsulation. */
  readonly programsIpip: boolean;
  readonly programsDirect: boolean;
}

/** What becomes of a learned route. */
export type ProgrammingVerdict =
  /** A plain route through the next hop, protocol `bird`. */
  | { readonly kind: "direct"; readonly pool?: string }
  /** Through the IPIP device, to the next hop: `via 30.0.0.23 dev tunl0 proto bird onlink`. */
  | { readonly kind: "tunnel"; readonly device: "tunl0"; readonly pool: string }
  | {
      readonly kind: "skip";
      readonly reason:
        | "service-range"
        | "vxlan-pool"
        | "ipip-over-ipv6"
        | "ipip-programmed-elsewhere"
        | "direct-programmed-elsewhere";
      readonly by: string;
    };

/** The programming policy of a node. Unset, `programClusterRoutes` means both kinds of pool. */
export function programmingPolicy(
  cluster: ClusterFacts,
  node: NodeFacts,
  services: ServiceRanges,
): ProgrammingPolicy {
  const { programClusterRoutes: mode = "Enabled" } = cluster.settings;
  return {
    serviceRanges: services.configured,
    pools: cluster.pools,
    subnets: new Map([...node.addresses].map(([family, { subnet }]) => [family, subnet])),
    programsIpip: mode === "Enabled" || mode === "EnabledIPIPOnly",
    programsDirect: mode === "Enabled" || mode === "EnabledNoEncapOnly",
  };
}

/** The verdict on one learned route and its next hop. */
export function decideProgramming(
  policy: ProgrammingPolicy,
  route: Prefix,
  nextHop: IpAddress,
): ProgrammingVerdict {
  const service = policy.serviceRanges.find((range) => Prefix.covers(range, route));
  if (service !== undefined) return { kind: "skip", reason: "service-range", by: Prefix.format(service) };
  const pool = poolOf(policy.pools, route);
  if (pool === undefined) return { kind: "direct" };
  const { name, vxlanMode, ipipMode } = pool;
  if (vxlanMode !== "Never") return { kind: "skip", reason: "vxlan-pool", by: name };
  if (ipipMode !== "Never" && route.family === 4) {
    if (!policy.programsIpip) return { kind: "skip", reason: "ipip-programmed-elsewhere", by: name };
    if (ipipMode === "CrossSubnet" && isInSubnet(policy, nextHop)) return { kind: "direct", pool: name };
    // The outer packet is IPv4: it cannot go to an IPv6 next hop (RFC 8950).
    return IpAddress.isIpv4(nextHop)
      ? { kind: "tunnel", device: "tunl0", pool: name }
      : { kind: "skip", reason: "ipip-over-ipv6", by: name };
  }
  if (!policy.programsDirect) return { kind: "skip", reason: "direct-programmed-elsewhere", by: name };
  return { kind: "direct", pool: name };
}

function isInSubnet(policy: ProgrammingPolicy, nextHop: IpAddress): boolean {
  const subnet = policy.subnets.get(IpAddress.family(nextHop));
  return subnet !== undefined && Prefix.contains(subnet, nextHop);
}
