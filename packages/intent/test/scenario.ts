import { createHash } from "node:crypto";
import { Prefix } from "@caracal/net";
import {
  apiVersion,
  type BgpConfiguration,
  type BgpPeer,
  type IpPool,
  type Node,
  type WorkloadEndpoint,
} from "@caracal/resources";
import type { BlockAffinity, ClusterResources, IntentInput } from "../src/index.ts";

/** Builders for the resources that the tests' clusters are made of. */
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

export function pod(nodeName: string, name: string, address: string): WorkloadEndpoint {
  return {
    kind: "WorkloadEndpoint",
    apiVersion,
    metadata: { name: `${nodeName}-k8s-${name}-eth0`, namespace: "default" },
    spec: { node: nodeName, pod: name, ipNetworks: [address], interfaceName: `cali${name}` },
  };
}

export function affinity(
  nodeName: string,
  block: string,
  state: BlockAffinity["state"] = "confirmed",
): BlockAffinity {
  return { node: nodeName, block: prefix(block), state };
}

export function prefix(text: string): Prefix {
  const found = Prefix.parse(text);
  if (found === undefined) throw new Error(`${text} is not a prefix`);
  return found;
}

export function cluster(parts: Partial<ClusterResources>): ClusterResources {
  return { nodes: [], pools: [], bgpConfigurations: [], bgpPeers: [], bgpFilters: [], ...parts };
}

export function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

export function input(
  name: string,
  resources: ClusterResources,
  more: Partial<IntentInput> = {},
): IntentInput {
  return { node: name, cluster: resources, affinities: [], endpoints: [], settings: { sha256 }, ...more };
}
