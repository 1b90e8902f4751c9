import { createHash } from "node:crypto";
import type { NodeIntent } from "@caracal/intent";
import { Prefix } from "@caracal/net";
import {
  apiVersion,
  type BgpConfiguration,
  type BgpFilter,
  type BgpPeer,
  type IpPool,
  type Node,
  type WorkloadEndpoint,
} from "@caracal/resources";
import { clusterIntents, type ClusterSnapshot, clusterTunnels, type PlannedCluster } from "@caracal/insight";

export interface NodeParts {
  readonly address: string;
  readonly clusterId?: string;
  readonly asNumber?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Its block, if it has one. */
  readonly block?: string;
  /** Its pods' addresses by their names. */
  readonly pods?: Readonly<Record<string, string>>;
}

export interface ClusterParts {
  readonly nodes: Readonly<Record<string, NodeParts>>;
  readonly settings?: BgpConfiguration["spec"];
  readonly peers?: Readonly<Record<string, BgpPeer["spec"]>>;
  readonly filters?: Readonly<Record<string, BgpFilter["spec"]>>;
  /** How the pool is encapsulated; not at all unless told. */
  readonly pool?: Pick<IpPool["spec"], "ipipMode" | "vxlanMode">;
}

/** A cluster with one pool, 10.244.0.0/16, and the parts given. */
export function anyCluster({
  nodes,
  settings,
  peers = {},
  filters = {},
  pool = {},
}: ClusterParts): ClusterSnapshot {
  const named = Object.entries(nodes);
  return {
    resources: {
      nodes: named.map(([name, parts]) => nodeOf(name, parts)),
      pools: [
        { kind: "IPPool", apiVersion, metadata: { name: "pods" }, spec: { cidr: "10.244.0.0/16", ...pool } },
      ],
      bgpConfigurations:
        settings === undefined
          ? []
          : [{ kind: "BGPConfiguration", apiVersion, metadata: { name: "default" }, spec: settings }],
      bgpPeers: Object.entries(peers).map(([name, spec]) => ({
        kind: "BGPPeer",
        apiVersion,
        metadata: { name },
        spec,
      })),
      bgpFilters: Object.entries(filters).map(([name, spec]) => ({
        kind: "BGPFilter",
        apiVersion,
        metadata: { name },
        spec,
      })),
    },
    affinities: named.flatMap(([node, { block }]) => {
      const prefix = block === undefined ? undefined : Prefix.parse(block);
      return prefix === undefined ? [] : [{ node, block: prefix, state: "confirmed" as const }];
    }),
    blocks: named.flatMap(([node, { block }]) => {
      const prefix = block === undefined ? undefined : Prefix.parse(block);
      return prefix === undefined ? [] : [{ node, prefix, borrowed: [] }];
    }),
    endpoints: named.flatMap(([node, { pods = {} }]) =>
      Object.entries(pods).map(([pod, address]) => endpointOf(node, pod, address)),
    ),
  };
}

export function intentsOf(cluster: ClusterSnapshot): ReadonlyMap<string, NodeIntent> {
  return clusterIntents(cluster, (text) => createHash("sha256").update(text).digest());
}

/** A cluster with all that its nodes make of it. */
export function plannedCluster(parts: ClusterParts): PlannedCluster {
  const cluster = anyCluster(parts);
  const tunnels = clusterTunnels(cluster, (text) => createHash("sha1").update(text).digest());
  return { cluster, intents: intentsOf(cluster), tunnels };
}

/** Nodes `n1`, `n2`… in one subnet, each with a block and a pod. */
export function rowOfNodes(
  count: number,
  more: (index: number) => Partial<NodeParts> = () => ({}),
): Readonly<Record<string, NodeParts>> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `n${index + 1}`,
      {
        address: `172.18.0.${index + 1}`,
        block: `10.244.${index}.0/26`,
        pods: { [`p${index + 1}`]: `10.244.${index}.5` },
        ...more(index + 1),
      },
    ]),
  );
}

function nodeOf(name: string, { address, clusterId, asNumber, labels, annotations }: NodeParts): Node {
  return {
    kind: "Node",
    apiVersion,
    metadata: {
      name,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
    spec: {
      bgp: {
        ipv4Address: `${address}/24`,
        ...(clusterId === undefined ? {} : { routeReflectorClusterID: clusterId }),
        ...(asNumber === undefined ? {} : { asNumber }),
      },
    },
  };
}

function endpointOf(node: string, pod: string, address: string): WorkloadEndpoint {
  return {
    kind: "WorkloadEndpoint",
    apiVersion,
    metadata: { name: `${node}-k8s-${pod}-eth0`, namespace: "default" },
    spec: { node, pod, interfaceName: `cali${pod}`, ipNetworks: [`${address}/32`] },
  };
}
