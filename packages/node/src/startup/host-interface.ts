import type { IpAddress, Prefix } from "@caracal/net";

/** One of the host's network interfaces, as address detection sees it. */
export interface HostInterface {
  readonly name: string;
  readonly isUp: boolean;
  readonly addresses: readonly HostAddress[];
}

export interface HostAddress {
  readonly address: IpAddress;
  readonly network: Prefix;
}
