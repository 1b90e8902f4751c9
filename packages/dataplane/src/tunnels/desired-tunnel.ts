import type { IpAddress } from "@caracal/net";
import type { Mac } from "@caracal/netlink";

/** The tunnel end of another node, known and not learned. */
export interface TunnelEnd {
  /** Its tunnel address, the gateway of routes through the tunnel. */
  readonly address: IpAddress;
  readonly mac: Mac;
  /** Where the outer packets go. */
  readonly host: IpAddress;
}

interface AnyTunnel {
  readonly name: string;
  /** What the kernel chooses where absent. */
  readonly mtu?: number;
  /** The only address that the device has. */
  readonly address?: IpAddress;
}

export interface DesiredVxlan extends AnyTunnel {
  readonly kind: "vxlan";
  readonly vni: number;
  readonly port: number;
  /** Where the outer packets come from; the device is made over the interface that has this address. */
  readonly local: IpAddress;
  readonly mac: Mac;
  readonly vteps: readonly TunnelEnd[];
}

export interface DesiredIpip extends AnyTunnel {
  readonly kind: "ipip";
}

/** A tunnel somebody wants. */
export type DesiredTunnel = DesiredVxlan | DesiredIpip;
