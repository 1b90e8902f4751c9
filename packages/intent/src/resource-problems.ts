import { Ipv4 } from "@caracal/net";
import type { ClusterFacts, ClusterResources } from "./cluster.ts";
import type { IntentProblem } from "./intent-problem.ts";
import { mtuProblems } from "./mtu-report.ts";
import type { Peering } from "./peering.ts";

/** What is wrong with the resources by themselves, whichever node looks at them. */
export function resourceProblems(
  { nodes: resources }: ClusterResources,
  { nodes, peerings }: Pick<ClusterFacts, "nodes" | "peerings">,
): readonly IntentProblem[] {
  const clusterIds = resources.flatMap(({ metadata, spec }) => {
    const text = spec.bgp?.routeReflectorClusterID;
    if (text === undefined || Ipv4.parse(text) !== undefined) return [];
    const message = `has the cluster ID ${text}, which is no IPv4 address: it does not reflect, and is in the mesh`;
    return [{ about: `Node(${metadata.name})`, message }];
  });
  const selections = peerings.flatMap((peering) => {
    const message = emptySelection(peering, nodes);
    return message === undefined ? [] : [{ about: `BGPPeer(${peering.name})`, message }];
  });
  return [...clusterIds, ...selections, ...mtuProblems(resources)];
}

/** Workloads come and go, so that none may match at any time; nodes are there to stay. */
function emptySelection(
  { spec, isGlobal, isLocal, isRemote }: Peering,
  nodes: ClusterFacts["nodes"],
): string | undefined {
  if (!isGlobal && !nodes.some((node) => isLocal(node))) {
    return spec.node === undefined
      ? `applies to no node: ${spec.nodeSelector}`
      : `applies to no node: Node(${spec.node}) does not exist`;
  }
  if (isRemote !== undefined && !nodes.some(({ labels }) => isRemote(labels)))
    return `selects no node to peer with: ${spec.peerSelector}`;
  return undefined;
}
