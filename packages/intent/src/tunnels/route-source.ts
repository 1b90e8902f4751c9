import { Prefix } from "@caracal/net";
import type { WorkloadEndpoint } from "@caracal/resources";
import type { ClusterResources } from "../cluster.ts";
import { type FelixSettings, felixSettingsOf } from "../felix-settings.ts";
import type { RoutedBlock } from "./routed-block.ts";

/**
 * Whether a node's tunnels lead to the addresses of workloads, one by one, and not to IPAM's blocks (`routeSource: WorkloadIPs`): for
 * clusters whose addresses are not from Calico's IPAM.
 */
export function isRoutedByWorkload(
  { nodes, felixConfigurations = [] }: ClusterResources,
  node: string,
  environment?: FelixSettings,
): boolean {
  const labels = nodes.find(({ metadata }) => metadata.name === node)?.metadata.labels ?? {};
  const { routeSource } = felixSettingsOf(felixConfigurations, { name: node, labels }, environment);
  return routeSource?.toLowerCase() === "workloadips";
}

/** A workload as routes see it: each of its addresses by itself. */
export function routedWorkload({ spec }: WorkloadEndpoint): readonly RoutedBlock[] {
  const { node, ipNetworks = [] } = spec;
  if (node === undefined) return [];
  return ipNetworks.flatMap((network) => {
    const prefix = Prefix.parse(network);
    return prefix === undefined ? [] : [{ prefix, node, borrowed: [] }];
  });
}
