import { type IpAddress, Prefix } from "@caracal/net";
import type { Node } from "@caracal/resources";

/** The node that has an address as its own: for its sessions, its tunnels, or one of its interfaces. */
export function nodeWithAddress(nodes: readonly Node[], address: IpAddress): string | undefined {
  return nodes.find((node) => textsOf(node).some((text) => Prefix.parseInterface(text)?.address === address))
    ?.metadata.name;
}

function textsOf({ spec }: Node): readonly string[] {
  return [
    spec.bgp?.ipv4Address,
    spec.bgp?.ipv6Address,
    spec.bgp?.ipv4IPIPTunnelAddr,
    spec.ipv4VXLANTunnelAddr,
    spec.ipv6VXLANTunnelAddr,
    spec.wireguard?.interfaceIPv4Address,
    spec.wireguard?.interfaceIPv6Address,
    ...(spec.addresses ?? []).map((one) => one.address),
    ...(spec.interfaces ?? []).flatMap((one) => one.addresses ?? []),
  ].filter((text) => text !== undefined);
}
