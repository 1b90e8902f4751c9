import type { ResourceClient } from "./resource-client.ts";

/**
 * Deletes what belongs to a node, as Calico's client does before it deletes the node: its workload endpoints, the BGP
 * peers of this node alone, its host endpoints, and its BGP and Felix configurations. Safe to repeat. Its addresses and blocks are released by IPAM,
 * which is not done here.
 */
export async function deleteNodeBelongings(client: ResourceClient, node: string): Promise<void> {
  // What has gone meanwhile is as good as deleted, so the outcomes do not matter; a store's failure is thrown.
  const endpoints = await client.list("WorkloadEndpoint");
  for (const { metadata, spec } of endpoints.items) {
    if (spec.node === node) await client.delete("WorkloadEndpoint", metadata.name, metadata.namespace);
  }
  const peers = await client.list("BGPPeer");
  for (const { metadata, spec } of peers.items) {
    if (spec.node === node) await client.delete("BGPPeer", metadata.name);
  }
  const hosts = await client.list("HostEndpoint");
  for (const { metadata, spec } of hosts.items) {
    if (spec.node === node) await client.delete("HostEndpoint", metadata.name);
  }
  await client.delete("BGPConfiguration", `node.${node}`);
  await client.delete("FelixConfiguration", `node.${node}`);
}
