import type { ResourceOutcome } from "@caracal/datastore";
import { type Ipam, tunnelHandle, tunnelNames } from "@caracal/ipam";
import { IpAddress, Prefix } from "@caracal/net";
import type { Node, WorkloadEndpoint } from "@caracal/resources";
import type { Connection } from "../connection/with-connection.ts";
import type { CliContext } from "../context.ts";
import { openIpam } from "../ipam/open-ipam.ts";

/**
 * Deletes a node and all that is only there for it: the addresses of its workloads and tunnels, its workloads, its blocks,
 * its peers, host endpoints and settings. The Node itself goes last, so that a deletion that broke off can be done again.
 */
export async function deleteNode(
  ctx: CliContext,
  connection: Connection,
  name: string,
): Promise<ResourceOutcome> {
  const { resources } = connection;
  const found = await resources.get("Node", name);
  if (found.kind === "failed") return found;
  const ipam = openIpam(ctx, connection, name);
  const workloads = (await resources.list("WorkloadEndpoint")).items.filter(({ spec }) => spec.node === name);
  await releaseAddresses(ipam, name, [...tunnelAddresses(found.resource), ...workloads.flatMap(addressesOf)]);
  // Also one that the node had taken and not named yet.
  for (const tunnel of tunnelNames) await ipam.releaseHandle(tunnelHandle(tunnel, name));
  for (const { metadata } of workloads) {
    await resources.delete("WorkloadEndpoint", metadata.name, metadata.namespace);
  }
  await ipam.releaseNode(name);
  const peers = (await resources.list("BGPPeer")).items.filter(({ spec }) => spec.node === name);
  for (const { metadata } of peers) await resources.delete("BGPPeer", metadata.name);
  const hostEndpoints = (await resources.list("HostEndpoint")).items.filter(({ spec }) => spec.node === name);
  for (const { metadata } of hostEndpoints) await resources.delete("HostEndpoint", metadata.name);
  await resources.delete("FelixConfiguration", `node.${name}`);
  await resources.delete("BGPConfiguration", `node.${name}`);
  return resources.delete("Node", name);
}

function tunnelAddresses({ spec }: Node): readonly IpAddress[] {
  return [
    spec.bgp?.ipv4IPIPTunnelAddr,
    spec.ipv4VXLANTunnelAddr,
    spec.ipv6VXLANTunnelAddr,
    spec.wireguard?.interfaceIPv4Address,
    spec.wireguard?.interfaceIPv6Address,
  ].flatMap((text) => (text === undefined ? [] : (IpAddress.parse(text) ?? [])));
}

function addressesOf({ spec }: WorkloadEndpoint): readonly IpAddress[] {
  return (spec.ipNetworks ?? []).flatMap((text) => Prefix.parseInterface(text)?.address ?? []);
}

/** Only what is still this node's: an address may have been given to another since. */
async function releaseAddresses(ipam: Ipam, node: string, addresses: readonly IpAddress[]): Promise<void> {
  for (const address of addresses) {
    const state = await ipam.lookup(address);
    if (state.kind !== "allocated" || state.attributes.node !== node) continue;
    const { handle, sequenceNumber } = state;
    await ipam.release({
      address,
      ...(handle === undefined ? {} : { handle }),
      ...(sequenceNumber === undefined ? {} : { sequenceNumber }),
    });
  }
}
