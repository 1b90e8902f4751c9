import { IpAddress } from "@caracal/net";

/** A BGPPeer's `peerIP`: an address and, in `IPv4:port` and `[IPv6]:port`, its port. */
export interface PeerAddress {
  readonly address: IpAddress;
  readonly port?: number;
}

/** Reads `IP`, `IPv4:port` or `[IPv6]:port`; anything else is `undefined`. */
export function parsePeerAddress(text: string): PeerAddress | undefined {
  const bare = IpAddress.parse(text);
  if (bare !== undefined) return { address: bare };
  const parts = /^(?:\[([^\]]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(text);
  if (parts === null) return undefined;
  const [, bracketed, dotted, portText] = parts;
  const address = IpAddress.parse(bracketed ?? dotted ?? "");
  const port = Number(portText);
  if (address === undefined || port < 1 || port > 65535) return undefined;
  // Only IPv6 is bracketed, so that the port's colon stands out.
  return IpAddress.isIpv6(address) === (bracketed !== undefined) ? { address, port } : undefined;
}
