import type { NetworkState } from "@caracal/forwarding";
import { IpAddress } from "@caracal/net";
import { type Link, Mac } from "@caracal/netlink";
import { type Loss, lost } from "./losses.ts";
import type { Packet, Payload } from "./packet.ts";
import type { OuterHeaders } from "./trace-result.ts";
import { type PlaceName, whyDown } from "./world.ts";

/** The device that takes the packet out of its outer headers. */
export function openTunnel(
  { links }: NetworkState,
  at: PlaceName,
  outer: Packet,
  { tunnel, vni, innerDestinationMac }: Payload,
): Link | Loss {
  const candidates = links.filter((one) =>
    tunnel === "ipip"
      ? isForOuter(one, outer)
      : one.vxlan?.vni === vni && one.vxlan?.port === outer.destinationPort,
  );
  // A device for this very pair of ends goes before one for all.
  const ordered = candidates.toSorted((a, b) => endCount(b) - endCount(a));
  const link = ordered.find((one) => whyDown(one) === undefined) ?? ordered[0];
  const what =
    tunnel === "ipip" ? "IPIP device" : `VXLAN device for VNI ${vni} on port ${outer.destinationPort}`;
  if (link === undefined) {
    return lost(
      "no-tunnel",
      `${at.name} has no ${what}: nobody unpacks it`,
      `give ${at.name} the pool's encapsulation, and look at its daemon's log`,
    );
  }
  const down = whyDown(link);
  if (down !== undefined)
    return lost("link-down", `${link.name} of ${at.name} ${down}`, `ip link set ${link.name} up`);
  if (tunnel === "vxlan" && link.mac !== innerDestinationMac) {
    const text = `the frame inside is for ${innerDestinationMac === undefined ? "nobody" : Mac.format(innerDestinationMac)}, but ${link.name} of ${at.name} is ${link.mac === undefined ? "without an address" : Mac.format(link.mac)}`;
    return lost("wrong-tunnel-mac", text, "the sender's neighbour entry is out of date");
  }
  return link;
}

function isForOuter({ kind, ipip }: Link, { source, destination }: Packet): boolean {
  const { local = destination, remote = source } = ipip ?? {};
  return kind === "ipip" && local === destination && remote === source;
}

function endCount({ ipip }: Link): number {
  return [ipip?.local, ipip?.remote].filter((end) => end !== undefined).length;
}

/** The outer headers for people and JSON. */
export function outerOf(outer: Packet, { vni, innerSourceMac, innerDestinationMac }: Payload): OuterHeaders {
  const { source, destination, protocol, destinationPort } = outer;
  return {
    source: IpAddress.format(source),
    destination: IpAddress.format(destination),
    ipProtocol: protocol,
    ...(vni === undefined ? {} : { vni }),
    ...(destinationPort === undefined ? {} : { port: destinationPort }),
    ...(innerSourceMac === undefined ? {} : { innerSourceMac: Mac.format(innerSourceMac) }),
    ...(innerDestinationMac === undefined ? {} : { innerDestinationMac: Mac.format(innerDestinationMac) }),
  };
}
