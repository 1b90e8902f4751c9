import { selectsNode, toPool, type TunnelName } from "@caracal/ipam";
import type { IpFamily, Prefix } from "@caracal/net";
import type { IpPool, Node } from "@caracal/resources";

type NodeSpec = Node["spec"];

/** A tunnel device that has an address of its own from IPAM (facts: IPAM §6). */
export interface TunnelKind {
  /** For people: `IPIP`. */
  readonly name: string;
  readonly family: IpFamily;
  /** The attribute `type` of its allocation. */
  readonly type:
    | "wireguardTunnelAddress"
    | "wireguardV6TunnelAddress"
    | "ipipTunnelAddress"
    | "vxlanTunnelAddress"
    | "vxlanV6TunnelAddress";
  /** As its handle calls it. */
  readonly tunnel: TunnelName;
  readonly isEncapsulated: (spec: IpPool["spec"]) => boolean;
  /** Whether the node has such a tunnel, where pools do not tell. */
  readonly isUsedBy?: (node: Node) => boolean;
  /** The Node's field. */
  readonly read: (spec: NodeSpec) => string | undefined;
  readonly write: (spec: NodeSpec, address: string | undefined) => NodeSpec;
}

/** In the order in which Calico asks for them. */
export const tunnelKinds: readonly TunnelKind[] = [
  {
    name: "WireGuard",
    family: 4,
    type: "wireguardTunnelAddress",
    tunnel: "wireguard",
    isEncapsulated: () => true,
    isUsedBy: ({ status }) => isPublished(status?.wireguardPublicKey),
    read: ({ wireguard }) => wireguard?.interfaceIPv4Address,
    write: (spec, address) => withWireguard(spec, "interfaceIPv4Address", address),
  },
  {
    name: "IPv6 WireGuard",
    family: 6,
    type: "wireguardV6TunnelAddress",
    tunnel: "wireguard-v6",
    isEncapsulated: () => true,
    isUsedBy: ({ status }) => isPublished(status?.wireguardPublicKeyV6),
    read: ({ wireguard }) => wireguard?.interfaceIPv6Address,
    write: (spec, address) => withWireguard(spec, "interfaceIPv6Address", address),
  },
  {
    name: "IPIP",
    family: 4,
    type: "ipipTunnelAddress",
    tunnel: "ipip",
    isEncapsulated: ({ ipipMode }) => isOn(ipipMode),
    read: ({ bgp }) => bgp?.ipv4IPIPTunnelAddr,
    write: ({ bgp, ...spec }, address) => {
      const { ipv4IPIPTunnelAddr: _old, ...others } = bgp ?? {};
      const written = address === undefined ? others : { ...others, ipv4IPIPTunnelAddr: address };
      // A Node's `bgp` may be absent, but not empty.
      return Object.keys(written).length === 0 ? spec : { ...spec, bgp: written };
    },
  },
  {
    name: "VXLAN",
    family: 4,
    type: "vxlanTunnelAddress",
    tunnel: "vxlan",
    isEncapsulated: ({ vxlanMode }) => isOn(vxlanMode),
    read: ({ ipv4VXLANTunnelAddr }) => ipv4VXLANTunnelAddr,
    write: ({ ipv4VXLANTunnelAddr: _old, ...spec }, address) =>
      address === undefined ? spec : { ...spec, ipv4VXLANTunnelAddr: address },
  },
  {
    name: "IPv6 VXLAN",
    family: 6,
    type: "vxlanV6TunnelAddress",
    tunnel: "vxlan-v6",
    isEncapsulated: ({ vxlanMode }) => isOn(vxlanMode),
    read: ({ ipv6VXLANTunnelAddr }) => ipv6VXLANTunnelAddr,
    write: ({ ipv6VXLANTunnelAddr: _old, ...spec }, address) =>
      address === undefined ? spec : { ...spec, ipv6VXLANTunnelAddr: address },
  },
];

/** The pools that a node's tunnel of one kind has to do with. */
export interface TunnelPools {
  /** Where an address that the tunnel has may be. */
  readonly keeping: readonly Prefix[];
  /** Names of those that give new addresses: a disabled pool gives none, but takes none away. */
  readonly giving: readonly string[];
}

/** Which of the cluster's pools select this node, allow tunnels and are encapsulated this way. */
export function tunnelPools(kind: TunnelKind, node: Node, pools: readonly IpPool[]): TunnelPools {
  if (kind.isUsedBy?.(node) === false) return { keeping: [], giving: [] };
  const chosen = pools.flatMap((resource) => {
    const pool = toPool(resource);
    const isChosen =
      pool !== undefined &&
      pool.cidr.family === kind.family &&
      kind.isEncapsulated(resource.spec) &&
      pool.uses.includes("Tunnel") &&
      selectsNode(pool, node.metadata.labels ?? {});
    return isChosen ? [pool] : [];
  });
  return {
    keeping: chosen.map(({ cidr }) => cidr),
    giving: chosen.filter(({ isEnabled }) => isEnabled).map(({ name }) => name),
  };
}

function withWireguard(
  { wireguard, ...spec }: NodeSpec,
  field: "interfaceIPv4Address" | "interfaceIPv6Address",
  address: string | undefined,
): NodeSpec {
  const { [field]: _old, ...others } = wireguard ?? {};
  const written = address === undefined ? others : { ...others, [field]: address };
  return Object.keys(written).length === 0 ? spec : { ...spec, wireguard: written };
}

function isPublished(key: string | undefined): boolean {
  return key !== undefined && key !== "";
}

function isOn(mode: string | undefined): boolean {
  return mode !== undefined && mode !== "Never";
}
