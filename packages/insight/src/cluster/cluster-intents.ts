import { type NodeIntent, nodeIntent } from "@caracal/intent";
import type { WorkloadEndpoint } from "@caracal/resources";
import type { ClusterSnapshot } from "./read-cluster.ts";

/** Every node's intent, by name in order. `sha256` is needed for router identifiers that are hashed from names. */
export function clusterIntents(
  cluster: ClusterSnapshot,
  sha256: (text: string) => Uint8Array,
): ReadonlyMap<string, NodeIntent> {
  const { resources, affinities } = cluster;
  const endpoints = Map.groupBy(cluster.endpoints, ({ spec }: WorkloadEndpoint) => spec.node ?? "");
  const blocks = Map.groupBy(affinities, ({ node }) => node);
  const names = resources.nodes.map(({ metadata }) => metadata.name).toSorted();
  return new Map(
    names.map((node) => [
      node,
      nodeIntent({
        node,
        cluster: resources,
        affinities: blocks.get(node) ?? [],
        endpoints: endpoints.get(node) ?? [],
        settings: { sha256 },
      }),
    ]),
  );
}
