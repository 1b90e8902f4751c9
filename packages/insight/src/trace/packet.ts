import { type IpAddress, IpAddress as Address } from "@caracal/net";
import type { Mac } from "@caracal/netlink";
import type { TunnelKind } from "./trace-result.ts";

/** Numbers of IP protocols (IANA). */
export const IpProtocol = { icmp: 1, ipip: 4, tcp: 6, udp: 17, ipv6: 41, icmpv6: 58 } as const;

/** A packet as it is at one moment of its walk. */
export interface Packet {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** From the first byte of its IP header. */
  readonly bytes: number;
  readonly dontFragment: boolean;
  readonly mark: number;
  readonly connection: "new" | "established";
  /** What a tunnel carries. */
  readonly payload?: Payload;
}

export interface Payload {
  readonly tunnel: TunnelKind;
  readonly packet: Packet;
  readonly vni?: number;
  readonly innerSourceMac?: Mac;
  readonly innerDestinationMac?: Mac;
}

/** Bytes of an IP header without options. */
function ipHeaderBytes(address: IpAddress): number {
  return Address.isIpv4(address) ? 20 : 40;
}

/** UDP and VXLAN headers (RFC 7348 §5), and the Ethernet header inside. */
const vxlanBytes = 8 + 8 + 14;

/** The packet with a tunnel's headers around it. */
export function encapsulated(
  payload: Payload,
  ends: { readonly source: IpAddress; readonly destination: IpAddress },
  port?: number,
): Packet {
  const { tunnel, packet } = payload;
  const overhead = ipHeaderBytes(ends.destination) + (tunnel === "vxlan" ? vxlanBytes : 0);
  return {
    ...ends,
    protocol: tunnel === "vxlan" ? IpProtocol.udp : IpProtocol.ipip,
    ...(port === undefined ? {} : { destinationPort: port }),
    bytes: packet.bytes + overhead,
    // IPIP copies the bit with path MTU discovery, which is on unless the device was told otherwise; VXLAN does not.
    dontFragment: tunnel === "ipip" && packet.dontFragment,
    mark: packet.mark,
    connection: packet.connection,
    payload,
  };
}

/** The packet inside all tunnels. */
export function innermost(packet: Packet): Packet {
  return packet.payload === undefined ? packet : innermost(packet.payload.packet);
}

/** The packet as the next machine gets it: marks stay behind. */
export function withoutMark(packet: Packet): Packet {
  const { payload } = packet;
  return {
    ...packet,
    mark: 0,
    ...(payload === undefined ? {} : { payload: { ...payload, packet: withoutMark(payload.packet) } }),
  };
}
