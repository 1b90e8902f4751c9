/** Tunnel devices of a node that have addresses of their own, as their handles call them. */
export const tunnelNames = ["wireguard", "wireguard-v6", "ipip", "vxlan", "vxlan-v6"] as const;
export type TunnelName = (typeof tunnelNames)[number];

/** The handle that holds the address of a node's tunnel device. */
export function tunnelHandle(tunnel: TunnelName, node: string): string {
  return `${tunnel}-tunnel-addr-${node}`;
}
