import { Ipv4 } from "@caracal/net";
import type { ClusterFacts, NodeFacts } from "./cluster.ts";
import { configuredPeers } from "./configured-peers.ts";
import type { IntentProblem } from "./intent-problem.ts";

const known = new WeakMap<ClusterFacts, readonly IntentProblem[]>();

/**
 * Reflectors whose cluster IDs clash. RFC 4456 §8: a reflector drops what has passed one of its own cluster ID, so that
 * reflectors with the same ID reach each other's clients only where they have the same ones.
 */
export function reflectorProblems(cluster: ClusterFacts): readonly IntentProblem[] {
  const found = known.get(cluster);
  if (found !== undefined) return found;
  const problems = clashes(cluster);
  known.set(cluster, problems);
  return problems;
}

function clashes(cluster: ClusterFacts): readonly IntentProblem[] {
  const reflectors = cluster.nodes.flatMap((node) =>
    node.clusterId === undefined ? [] : [{ node, clusterId: node.clusterId }],
  );
  const groups = Map.groupBy(reflectors, ({ clusterId }) => clusterId);
  return [...groups].flatMap(([clusterId, group]) => {
    if (group.length < 2) return [];
    const members = group.map(({ node }) => ({ node, clients: clientsOf(cluster, node) }));
    return members.flatMap(({ node, clients }) => {
      const other = members.find((one) => one.node !== node && !one.clients.isSubsetOf(clients));
      const [client] = other === undefined ? [] : other.clients.difference(clients);
      // A reflector that nobody peers with yet harms nobody.
      if (other === undefined || client === undefined || clients.size === 0) return [];
      const message = `reflects with the cluster ID ${Ipv4.format(clusterId)} as Node(${other.node.name}) does, but not to its client Node(${client}), whose routes it drops as a loop: give it another ID, or peer the two`;
      return [{ about: `Node(${node.name})`, message }];
    });
  });
}

function clientsOf(cluster: ClusterFacts, reflector: NodeFacts): ReadonlySet<string> {
  const peers = configuredPeers(cluster, reflector, [], []);
  return new Set(
    peers.flatMap(({ node, reflectorClusterId }) =>
      node === undefined || reflectorClusterId === undefined ? [] : [node],
    ),
  );
}
