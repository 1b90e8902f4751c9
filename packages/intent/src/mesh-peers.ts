import type { IpFamily } from "@caracal/net";
import { parseDurationSeconds } from "@caracal/resources";
import { asNumberOf, type ClusterFacts, listenPortOf, type NodeFacts, type Speaker } from "./cluster.ts";
import { bgpPort, type PeerIntent, peerName, peerTimers, waitsForPeer } from "./peer-intent.ts";

/**
 * The node-to-node mesh as `self` sees it: a session per family with every other node that speaks it. Route reflectors
 * are outside the mesh, on both ends.
 */
export function meshPeers(cluster: ClusterFacts, self: NodeFacts): readonly PeerIntent[] {
  if (!isInMesh(cluster, self)) return [];
  const peers: PeerIntent[] = [];
  const shared = meshSettings(cluster);
  for (const [family, speakers] of cluster.speakers) {
    const local = speakers.find(({ node }) => node === self);
    if (local === undefined) continue;
    for (const remote of speakers) {
      if (remote === local || remote.node.clusterId !== undefined) continue;
      peers.push(meshPeer(cluster, local, remote, family, shared));
    }
  }
  return peers;
}

/** Whether there is a mesh, and the node is part of it. */
export function isInMesh(cluster: ClusterFacts, self: NodeFacts): boolean {
  return cluster.settings.nodeToNodeMeshEnabled !== false && self.clusterId === undefined;
}

type SharedSettings = Pick<PeerIntent, "password" | "restartSeconds">;

function meshSettings(cluster: ClusterFacts): SharedSettings {
  const { nodeMeshPassword, nodeMeshMaxRestartTime } = cluster.settings;
  const secret = nodeMeshPassword?.secretKeyRef;
  const restart =
    nodeMeshMaxRestartTime === undefined ? undefined : parseDurationSeconds(nodeMeshMaxRestartTime);
  return {
    restartSeconds: restart === undefined ? peerTimers.restartSeconds : Math.round(restart),
    ...(secret?.name === undefined ? {} : { password: { name: secret.name, key: secret.key } }),
  };
}

function meshPeer(
  cluster: ClusterFacts,
  local: Speaker,
  remote: Speaker,
  family: IpFamily,
  shared: SharedSettings,
): PeerIntent {
  return {
    name: peerName("mesh", remote.text, undefined),
    type: "mesh",
    family,
    address: remote.address,
    port: listenPortOf(cluster, remote.node.name) ?? bgpPort,
    remoteAsNumber: asNumberOf(cluster, remote.node),
    localAsNumber: asNumberOf(cluster, local.node),
    sourceAddress: local.address,
    isPassive: waitsForPeer(local.text, remote.text),
    node: remote.node.name,
    nextHop: "auto",
    allowedLocalAsCount: 0,
    holdSeconds: peerTimers.holdSeconds,
    keepaliveSeconds: peerTimers.keepaliveSeconds,
    ...shared,
    filters: [],
  };
}
