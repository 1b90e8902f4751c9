import { Prefix } from "@caracal/net";
import type { ClusterFacts, NodeFacts } from "./cluster.ts";
import { isHostBlock } from "./own-blocks.ts";

/** Service addresses as BGP handles them on one node. */
export interface ServiceRanges {
  /** Whole ranges the node announces. Single addresses are announced service by service instead. */
  readonly announced: readonly Prefix[];
  /** All configured ranges: none of them becomes a kernel route. */
  readonly configured: readonly Prefix[];
  /** On a route reflector, ranges whose single addresses are passed on. */
  readonly reflected: readonly Prefix[];
}

/** Kubernetes' label on nodes that take no traffic for services. */
const excludedLabel = "node.kubernetes.io/exclude-from-external-load-balancers";

/** The service ranges of the cluster's BGPConfiguration, as they concern a node. */
export function serviceRanges(cluster: ClusterFacts, node: NodeFacts): ServiceRanges {
  const { serviceClusterIPs, serviceExternalIPs, serviceLoadBalancerIPs, serviceLoadBalancerAggregation } =
    cluster.settings;
  const clusterIps = parse(serviceClusterIPs);
  const external = parse(serviceExternalIPs);
  const balanced = parse(serviceLoadBalancerIPs);
  const isExcluded = node.labels[excludedLabel] === "true";
  const whole = [
    ...clusterIps,
    ...[...external, ...(serviceLoadBalancerAggregation === "Disabled" ? [] : balanced)].filter(
      (range) => !isHostBlock(range),
    ),
  ];
  return {
    announced: isExcluded ? [] : distinct(whole),
    configured: distinct([...clusterIps, ...external, ...balanced]),
    reflected: node.clusterId === undefined ? [] : distinct([...external, ...balanced]),
  };
}

function parse(ranges: readonly { readonly cidr: string }[] = []): readonly Prefix[] {
  return ranges.flatMap(({ cidr }) => Prefix.parse(cidr) ?? []);
}

function distinct(ranges: readonly Prefix[]): readonly Prefix[] {
  return [...new Map(ranges.map((range) => [Prefix.key(range), range])).values()].toSorted(Prefix.compare);
}
