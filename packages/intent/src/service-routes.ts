import { IpAddress, Prefix } from "@caracal/net";
import type { KubernetesService } from "@caracal/resources";
import type { ClusterFacts, NodeFacts } from "./cluster.ts";

/** The ranges of the cluster's BGPConfiguration, by what they are for. */
export interface ConfiguredRanges {
  readonly cluster: readonly Prefix[];
  readonly external: readonly Prefix[];
  readonly loadBalancer: readonly Prefix[];
  /** Whether load balancers' ranges are announced whole. */
  readonly aggregatesLoadBalancers: boolean;
}

/** Kubernetes' label on nodes that take no traffic for services. */
const excludedLabel = "node.kubernetes.io/exclude-from-external-load-balancers";

/** Whether the node announces any service at all. */
export function takesServices(node: NodeFacts): boolean {
  return node.labels[excludedLabel] !== "true";
}

/**
 * Addresses of single services that a node announces, in order. Of a service with local traffic only nodes with a ready
 * endpoint of it announce its addresses; any other service is reached by the whole ranges, unless there is no range.
 */
export function serviceRoutes(
  cluster: ClusterFacts,
  node: NodeFacts,
  ranges: ConfiguredRanges,
): readonly Prefix[] {
  if (!takesServices(node)) return [];
  const routes = new Map<string, Prefix>();
  for (const service of cluster.services) {
    if (!isAnnounced(cluster, node, service, ranges)) continue;
    // Services may share an address: it is announced as long as one of them is.
    for (const route of addressesOf(service, ranges)) routes.set(Prefix.key(route), route);
  }
  return [...routes.values()].toSorted(Prefix.compare);
}

const announcedTypes: ReadonlySet<string> = new Set(["ClusterIP", "NodePort", "LoadBalancer"]);

function isAnnounced(
  cluster: ClusterFacts,
  node: NodeFacts,
  service: KubernetesService,
  ranges: ConfiguredRanges,
): boolean {
  if (!announcedTypes.has(service.type) || service.clusterIps.length === 0) return false;
  const ready = cluster.readyNodes.get(`${service.namespace}/${service.name}`);
  if (service.externalTrafficPolicy === "Local") return ready?.has(node.kubernetesName) === true;
  if (hasSingleAddress(service, ranges)) return true;
  return !ranges.aggregatesLoadBalancers && ready !== undefined && ready.size > 0;
}

/** Whether one of the service's addresses is configured as a range of its own. */
function hasSingleAddress(service: KubernetesService, ranges: ConfiguredRanges): boolean {
  const isSingle = (configured: readonly Prefix[]) => (route: Prefix) =>
    configured.some((range) => Prefix.equals(range, route));
  return (
    routesOf(service.externalIps).some(isSingle(ranges.external)) ||
    routesOf(service.loadBalancerIps).some(isSingle(ranges.loadBalancer))
  );
}

/** The service's addresses that may be announced: of external ones those in the configured ranges. */
function addressesOf(service: KubernetesService, ranges: ConfiguredRanges): readonly Prefix[] {
  const inside = (configured: readonly Prefix[]) => (route: Prefix) =>
    configured.some((range) => Prefix.covers(range, route));
  return [
    ...(ranges.cluster.length === 0 ? [] : routesOf(service.clusterIps)),
    ...routesOf(service.externalIps).filter(inside(ranges.external)),
    ...routesOf(service.loadBalancerIps).filter(inside(ranges.loadBalancer)),
  ];
}

function routesOf(addresses: readonly string[]): readonly Prefix[] {
  return addresses.flatMap((text) => {
    const address = IpAddress.parse(text);
    return address === undefined ? [] : [Prefix.host(address)];
  });
}
