import type { ResourceClient } from "@caracal/datastore";
import { type ClusterResources, type FelixSettings, felixSettingsOf } from "@caracal/intent";
import type { IpPool } from "@caracal/resources";

/** What of the cluster's resources a node's MTUs follow from. */
export interface MtuSources {
  readonly pools: readonly IpPool[];
  readonly settings: FelixSettings;
}

/** As the resources are now; `environment` is what the daemon's own variables say. */
export function mtuSourcesOf(
  {
    pools,
    nodes,
    felixConfigurations = [],
  }: Pick<ClusterResources, "pools" | "nodes" | "felixConfigurations">,
  node: string,
  environment: FelixSettings,
): MtuSources {
  const labels = nodes.find(({ metadata }) => metadata.name === node)?.metadata.labels ?? {};
  return { pools, settings: felixSettingsOf(felixConfigurations, { name: node, labels }, environment) };
}

/** The same before anything is watched: the first pods' MTU must not wait for that. */
export async function readMtuSources(
  client: ResourceClient,
  node: string,
  environment: FelixSettings,
): Promise<MtuSources> {
  const { items: pools } = await client.list("IPPool");
  const { items: felixConfigurations } = await client.list("FelixConfiguration");
  const own = await client.get("Node", node);
  const nodes = own.kind === "ok" ? [own.resource] : [];
  return mtuSourcesOf({ pools, nodes, felixConfigurations }, node, environment);
}
