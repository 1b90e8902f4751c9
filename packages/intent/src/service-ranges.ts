import { Prefix } from "@caracal/net";
import type { ClusterFacts, NodeFacts } from "./cluster.ts";
import { type ConfiguredRanges, serviceRoutes, takesServices } from "./service-routes.ts";

/** Service addresses as BGP handles them on one node. */
export interface ServiceRanges {
  /** What the node announces: whole ranges, and single addresses of services. */
  readonly announced: readonly Prefix[];
  /** All configured ranges: none of them becomes a kernel route. */
  readonly configured: readonly Prefix[];
  /** On a route reflector, ranges whose single addresses are passed on. */
  readonly reflected: readonly Prefix[];
}

const known = new WeakMap<ClusterFacts, Map<string, ServiceRanges>>();

/** The service addresses of the cluster, as they concern a node: worked out once, for pods come and go more often. */
export function serviceRanges(cluster: ClusterFacts, node: NodeFacts): ServiceRanges {
  const ofCluster = known.get(cluster) ?? new Map<string, ServiceRanges>();
  known.set(cluster, ofCluster);
  const found = ofCluster.get(node.name) ?? deriveRanges(cluster, node);
  ofCluster.set(node.name, found);
  return found;
}

function deriveRanges(cluster: ClusterFacts, node: NodeFacts): ServiceRanges {
  const { serviceClusterIPs, serviceExternalIPs, serviceLoadBalancerIPs, serviceLoadBalancerAggregation } =
    cluster.settings;
  const ranges: ConfiguredRanges = {
    cluster: parse(serviceClusterIPs),
    external: parse(serviceExternalIPs),
    loadBalancer: parse(serviceLoadBalancerIPs),
    aggregatesLoadBalancers: serviceLoadBalancerAggregation !== "Disabled",
  };
  const { external, loadBalancer } = ranges;
  return {
    announced: distinct([...wholeRanges(node, ranges), ...serviceRoutes(cluster, node, ranges)]),
    configured: distinct([...ranges.cluster, ...external, ...loadBalancer]),
    reflected: node.clusterId === undefined ? [] : distinct([...external, ...loadBalancer]),
  };
}

/** Single addresses are announced service by service instead. */
function wholeRanges(node: NodeFacts, ranges: ConfiguredRanges): readonly Prefix[] {
  if (!takesServices(node)) return [];
  const { cluster, external, loadBalancer, aggregatesLoadBalancers } = ranges;
  const others = [...external, ...(aggregatesLoadBalancers ? loadBalancer : [])];
  return [...cluster, ...others.filter((range) => !Prefix.isHost(range))];
}

function parse(ranges: readonly { readonly cidr: string }[] = []): readonly Prefix[] {
  return ranges.flatMap(({ cidr }) => Prefix.parse(cidr) ?? []);
}

function distinct(ranges: readonly Prefix[]): readonly Prefix[] {
  return [...new Map(ranges.map((range) => [Prefix.key(range), range])).values()].toSorted(Prefix.compare);
}
