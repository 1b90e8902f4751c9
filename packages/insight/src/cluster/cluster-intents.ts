import { type NodeIntent, nodeIntent, nodeSpeaksBgp } from "@caracal/intent";
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
  const speaks = new Map(resources.nodes.map((node) => [node.metadata.name, nodeSpeaksBgp(node)]));
  return new Map(
    [...speaks.keys()].toSorted().map((node) => {
      const intent = nodeIntent({
        node,
        cluster: resources,
        affinities: blocks.get(node) ?? [],
        endpoints: endpoints.get(node) ?? [],
        settings: { sha256 },
      });
      return [node, speaks.get(node) === true ? intent : withoutBgp(intent)];
    }),
  );
}

/** What a node does on which nothing speaks BGP. */
function withoutBgp({ bgp: _bgp, ...intent }: NodeIntent): NodeIntent {
  return intent;
}
