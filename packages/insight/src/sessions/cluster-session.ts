import { clusterFacts, type NodeIntent, type PeerIntent } from "@caracal/intent";
import { IpAddress, type IpFamily } from "@caracal/net";
import type { NodeStatus, PeerStatus } from "@caracal/questions";
import type { ClusterSnapshot } from "../cluster/read-cluster.ts";

/** One end of a session, as the resources want it and as the daemon reports it. */
export interface SessionEnd {
  /** Absent: a router outside the cluster. */
  readonly node?: string;
  readonly address: string;
  /** The AS that the node speaks as, unless a peering says otherwise. */
  readonly asNumber?: number;
  /** What the node should do; absent outside the cluster, and where this end does not ask for the session. */
  readonly intent?: PeerIntent;
  /** What the daemon says of it; absent where it does not answer or has no such session. */
  readonly status?: PeerStatus;
  /** The daemon answered. */
  readonly isAnswering: boolean;
  /** Why the daemon is not ready, in its own words. */
  readonly complaint?: string;
  /** Strangers that lately tried to connect to the daemon. */
  readonly refused: readonly string[];
}

/** A session of the cluster with both of its ends. The first end is always a node that asks for it. */
export interface ClusterSession {
  readonly family: IpFamily;
  readonly ends: readonly [near: SessionEnd, far: SessionEnd];
}

/** Joins both ends of every session that some node asks for; ordered by node and address. */
export function clusterSessions(
  cluster: ClusterSnapshot,
  intents: ReadonlyMap<string, NodeIntent>,
  statuses: ReadonlyMap<string, NodeStatus>,
): readonly ClusterSession[] {
  const { nodesByAddress, nodesByName } = clusterFacts(cluster.resources);
  const sessions = new Map<string, ClusterSession>();
  for (const [node, { bgp }] of intents) {
    for (const intent of bgp?.peers ?? []) {
      const ours = nodesByName.get(node)?.addresses.get(intent.family)?.text ?? "";
      const theirs = IpAddress.format(intent.address);
      const far = nodesByAddress.get(theirs);
      const near = endOf(intents, node, ours, intent, statuses);
      const key =
        far === undefined ? `${node}|${theirs}|${intent.port}` : [ours, theirs].toSorted().join("|");
      if (sessions.has(key)) continue;
      const back = far === undefined ? undefined : peerOf(intents.get(far.name), ours);
      const other: SessionEnd =
        far === undefined
          ? { address: theirs, isAnswering: false, refused: [] }
          : endOf(intents, far.name, theirs, back, statuses);
      sessions.set(key, { family: intent.family, ends: [near, other] });
    }
  }
  return [...sessions.values()];
}

function endOf(
  intents: ReadonlyMap<string, NodeIntent>,
  node: string,
  address: string,
  intent: PeerIntent | undefined,
  statuses: ReadonlyMap<string, NodeStatus>,
): SessionEnd {
  const status = statuses.get(node);
  const peer = status?.bgp?.peers.find(({ name }) => name === intent?.name);
  const asNumber = intent?.localAsNumber ?? intents.get(node)?.bgp?.asNumber;
  return {
    node,
    address,
    ...(asNumber === undefined ? {} : { asNumber }),
    ...(intent === undefined ? {} : { intent }),
    ...(peer === undefined ? {} : { status: peer }),
    isAnswering: status !== undefined,
    ...(status?.notReadyBecause === undefined ? {} : { complaint: status.notReadyBecause }),
    refused: status?.bgp?.refused ?? [],
  };
}

function peerOf(intent: NodeIntent | undefined, address: string): PeerIntent | undefined {
  return intent?.bgp?.peers.find((peer) => IpAddress.format(peer.address) === address);
}
