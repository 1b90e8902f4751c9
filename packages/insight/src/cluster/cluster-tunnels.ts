import {
  isRoutedByWorkload,
  nodeSpeaksBgp,
  ownBlocks,
  routedWorkload,
  type TunnelIntent,
  tunnelIntent,
} from "@caracal/intent";
import type { IpPool, Node } from "@caracal/resources";
import type { ClusterSnapshot } from "./read-cluster.ts";

/** The tunnels of every node, and the routes that daemons program by the resources alone, by the node's name. */
export function clusterTunnels(
  cluster: ClusterSnapshot,
  sha1: (text: string) => Uint8Array,
): ReadonlyMap<string, TunnelIntent> {
  const { blocks, affinities, endpoints } = cluster;
  const workloads = endpoints.flatMap(routedWorkload);
  const resources = {
    ...cluster.resources,
    nodes: cluster.resources.nodes.map((node) => withTunnelAddresses(node, cluster.resources.pools)),
  };
  return new Map(
    resources.nodes.map((node) => {
      const { name } = node.metadata;
      const isByWorkload = isRoutedByWorkload(resources, name);
      const input = {
        node: name,
        cluster: resources,
        blocks: isByWorkload ? workloads : blocks,
        ownBlocks: isByWorkload ? [] : ownBlocks(name, affinities),
        settings: { sha1, speaksBgp: nodeSpeaksBgp(node) },
      };
      return [name, tunnelIntent(input)];
    }),
  );
}

/**
 * A node takes its tunnel address as soon as it hears of a pool that wants one, so one that has none yet counts as having it. Its own
 * address stands for what IPAM will give: it is nobody else's, and where routes lead is told by the node behind it.
 */
function withTunnelAddresses(node: Node, pools: readonly IpPool[]): Node {
  if (!pools.some(({ spec: { vxlanMode = "Never" } }) => vxlanMode !== "Never")) return node;
  const { bgp, ipv4VXLANTunnelAddr, ipv6VXLANTunnelAddr } = node.spec;
  const ipv4 = ipv4VXLANTunnelAddr ?? bgp?.ipv4Address?.split("/")[0];
  const ipv6 = ipv6VXLANTunnelAddr ?? bgp?.ipv6Address?.split("/")[0];
  return {
    ...node,
    spec: {
      ...node.spec,
      ...(ipv4 === undefined ? {} : { ipv4VXLANTunnelAddr: ipv4 }),
      ...(ipv6 === undefined ? {} : { ipv6VXLANTunnelAddr: ipv6 }),
    },
  };
}
