/** A cluster with everything that BIRD is configured by, seen from one node. */
import { createHash } from "node:crypto";
import { type ClusterResources, type NodeIntent, nodeIntent } from "@caracal/intent";
import { Prefix } from "@caracal/net";
import {
  apiVersion,
  type BgpConfiguration,
  type BgpFilter,
  type BgpPeer,
  type IpPool,
  type Node,
} from "@caracal/resources";
import type { BirdOptions } from "../src/index.ts";

export function node(name: string, bgp: Node["spec"]["bgp"], labels: Record<string, string> = {}): Node {
  return { kind: "Node", apiVersion, metadata: { name, labels }, spec: bgp === undefined ? {} : { bgp } };
}

export function pool(name: string, cidr: string, spec: Partial<IpPool["spec"]> = {}): IpPool {
  return { kind: "IPPool", apiVersion, metadata: { name }, spec: { cidr, ...spec } };
}

export function configuration(name: string, spec: BgpConfiguration["spec"]): BgpConfiguration {
  return { kind: "BGPConfiguration", apiVersion, metadata: { name }, spec };
}

export function peer(name: string, spec: BgpPeer["spec"]): BgpPeer {
  return { kind: "BGPPeer", apiVersion, metadata: { name }, spec };
}

export function filter(name: string, spec: BgpFilter["spec"]): BgpFilter {
  return { kind: "BGPFilter", apiVersion, metadata: { name }, spec };
}

/** The intent of a node of these resources, with the blocks as its own. */
export function intentOf(
  name: string,
  parts: Partial<ClusterResources>,
  blocks: readonly string[] = [],
): NodeIntent {
  const none = { nodes: [], pools: [], bgpConfigurations: [], bgpPeers: [], bgpFilters: [] };
  const affinities = blocks.flatMap((text) => {
    const block = Prefix.parse(text);
    return block === undefined ? [] : [{ node: name, block, state: "confirmed" as const }];
  });
  return nodeIntent({
    node: name,
    cluster: { ...none, ...parts },
    affinities,
    endpoints: [],
    settings: { sha256: (text) => createHash("sha256").update(text).digest() },
  });
}

export const stock: BirdOptions = {
  hasTunnels: false,
  interfacePrefixes: ["cali"],
  passwordOf: ({ name, key }) => `${name}-${key}`,
};

/** Two racks, two families, pools of every sort, and peers with every setting. */
export const everything: Partial<ClusterResources> = {
  nodes: [
    node("n1", { ipv4Address: "10.0.0.1/24", ipv6Address: "fd00::1/64" }, { rack: "1" }),
    node("n2", { ipv4Address: "10.0.0.2/24", ipv6Address: "fd00::2/64", asNumber: 65002 }, { rack: "1" }),
    node("n3", { ipv4Address: "10.0.1.3/24" }, { rack: "2" }),
  ],
  pools: [
    pool("plain", "10.244.0.0/16"),
    pool("always", "10.245.0.0/16", { ipipMode: "Always" }),
    pool("cross", "10.246.0.0/16", { ipipMode: "CrossSubnet" }),
    pool("vxlan", "10.247.0.0/16", { vxlanMode: "Always" }),
    pool("hidden", "10.248.0.0/16", { disableBGPExport: true }),
    pool("v6", "fd00:10:244::/64"),
  ],
  bgpConfigurations: [
    configuration("default", {
      asNumber: 65001,
      bindMode: "NodeIP",
      logSeverityScreen: "Debug",
      ignoredInterfaces: ["docker*", "br-1"],
      communities: [{ name: "rack", value: "65001:100" }],
      prefixAdvertisements: [
        { cidr: "10.244.0.0/16", communities: ["rack", "65001:1:2"] },
        { cidr: "fd00:10:244::/64", communities: ["rack"] },
      ],
      nodeMeshPassword: { secretKeyRef: { name: "bgp", key: "mesh" } },
      nodeMeshMaxRestartTime: "90s",
      serviceClusterIPs: [{ cidr: "10.96.0.0/12" }, { cidr: "fd00:96::/112" }],
      serviceExternalIPs: [{ cidr: "192.0.2.0/24" }],
    }),
    configuration("node.n2", { listenPort: 1790 }),
  ],
  bgpFilters: [
    filter("rack-1.filter", {
      exportV4: [
        {
          cidr: "10.244.0.0/16",
          matchOperator: "In",
          prefixLength: { min: 26, max: 28 },
          source: "RemotePeers",
          interface: "eth*",
          peerType: "eBGP",
          communities: { values: ["65001:100"] },
          asPathPrefix: [65001, 65002],
          priority: 1000,
          action: "Accept",
          operations: [
            { addCommunity: { value: "65001:7:8" } },
            { prependASPath: { prefix: [65001, 65009] } },
            { setPriority: { value: 500 } },
          ],
        },
        { cidr: "10.9.0.0/16", matchOperator: "NotIn", peerType: "iBGP", action: "Reject" },
        { cidr: "10.9.9.0/24", matchOperator: "Equal", action: "Accept" },
        {
          cidr: "10.9.8.0/24",
          matchOperator: "NotEqual",
          communities: { values: ["1:2:3"] },
          action: "Reject",
        },
      ],
      importV4: [{ action: "Reject" }],
      exportV6: [{ cidr: "fd00::/16", matchOperator: "In", action: "Reject" }],
    }),
    filter(`long-${"name".repeat(20)}`, { exportV4: [{ action: "Accept" }] }),
  ],
  bgpPeers: [
    peer("leaf", {
      nodeSelector: "rack == '1'",
      peerIP: "10.0.0.254:1179",
      asNumber: 65000,
      localASNumber: 65009,
      password: { secretKeyRef: { name: "bgp", key: "leaf" } },
      ttlSecurity: 2,
      keepaliveTime: "20s",
      maxRestartTime: "1m",
      nextHopMode: "Self",
      numAllowedLocalASNumbers: 2,
      reachableBy: "10.0.0.253",
      filters: ["rack-1.filter", `long-${"name".repeat(20)}`, "missing"],
    }),
    peer("world", {
      peerIP: "192.168.1.1",
      asNumber: 65001,
      sourceAddress: "None",
      keepOriginalNextHop: true,
    }),
    peer("world6", { peerIP: "fd01::1", asNumber: 65500, filters: ["rack-1.filter"] }),
  ],
};
