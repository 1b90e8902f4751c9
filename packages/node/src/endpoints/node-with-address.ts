import { type IpAddress, Prefix } from "@caracal/net";
import type { Node } from "@caracal/resources";

/** The node that has an address as its own: for its sessions, its tunnels, or one of its interfaces. */
export function nodeWithAddress(nodes: readonly Node[], address: IpAddress): string | undefined {
  return nodes.find((node) => textsOf(node).some((text) => Prefix.parseInterface(text)?.address === address))
    ?.metadata.name;
}

/** The addresses that a node itself uses, for its sessions and its tunnels, as the resource writes them. */
export function ownAddressTexts({ spec }: Node): readonly string[] {
  return [
    spec.bgp?.ipv4Address,
    spec.bgp?.ipv6Address,
    spec.bgp?.ipv4IPIPTunnelAddr,
    spec.ipv4VXLANTunnelAddr,
    spec.ipv6VXLANTunnelAddr,
    spec.wireguard?.interfaceIPv4Address,
    spec.wireguard?.interfaceIPv6Address,
  ].filter((text) => text !== undefined);
}

function textsOf(node: Node): readonly string[] {
  const { addresses = [], interfaces = [] } = node.spec;
  return [
    ...ownAddressTexts(node),
    ...addresses.map((one) => one.address),
    ...interfaces.flatMap((one) => one.addresses ?? []),
  ];
}
