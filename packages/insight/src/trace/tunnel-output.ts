import type { NetworkState } from "@caracal/forwarding";
import { IpAddress } from "@caracal/net";
import { type Link, Mac } from "@caracal/netlink";
import { type Loss, lost } from "./losses.ts";
import type { Packet, Payload } from "./packet.ts";
import type { TraceStep } from "./trace-result.ts";

/** What a tunnel device makes of a packet that is sent by it. */
export type TunnelExit = { readonly steps: readonly TraceStep[] } & (
  | {
      readonly kind: "into";
      readonly device: string;
      readonly payload: Payload;
      readonly remote: IpAddress;
      /** Absent: the kernel chooses. */
      readonly local?: IpAddress;
      readonly port?: number;
    }
  | { readonly kind: "unseen"; readonly text: string }
  | Loss
);

/** `undefined`: the device is no tunnel. */
export function fromTunnel(
  state: NetworkState,
  link: Link,
  gateway: IpAddress | undefined,
  packet: Packet,
): TunnelExit | undefined {
  switch (link.kind) {
    case "ipip":
      return intoIpip(link, gateway, packet);
    case "vxlan":
      return intoVxlan(state, link, gateway ?? packet.destination, packet);
    case "wireguard":
      return {
        kind: "unseen",
        text: `${link.name} encrypts it for one of its peers; which one is not told`,
        steps: [],
      };
    default:
      return undefined;
  }
}

/** RFC 2003: the other end is the device's own, or the gateway of the route for a device that has none. */
function intoIpip(link: Link, gateway: IpAddress | undefined, packet: Packet): TunnelExit {
  const { local, remote = gateway } = link.ipip ?? {};
  if (remote === undefined) {
    const text = `the route by ${link.name} names no gateway, so there is no other end of the tunnel`;
    return { ...lost("no-tunnel", text), steps: [] };
  }
  return {
    kind: "into",
    device: link.name,
    payload: { tunnel: "ipip", packet },
    remote,
    ...(local === undefined ? {} : { local }),
    steps: [],
  };
}

/** RFC 7348 §4.1: the neighbour's hardware address says which remote end the frame is for. */
function intoVxlan(state: NetworkState, link: Link, nextHop: IpAddress, packet: Packet): TunnelExit {
  const address = IpAddress.format(nextHop);
  const { vxlan, name } = link;
  const entry = state.neighbours.find((one) => one.interfaceIndex === link.index && one.address === nextHop);
  const { mac } = entry ?? {};
  if (vxlan === undefined || mac === undefined) {
    const text = `${name} has no neighbour entry for ${address}, and nobody is asked through the tunnel`;
    return {
      ...lost("neighbour-failed", text, "the daemon writes these entries: caracal node status"),
      steps: [],
    };
  }
  const steps: TraceStep[] = [
    { kind: "neighbour", address, device: name, mac: Mac.format(mac), state: "PERMANENT" },
  ];
  const entries = state.forwarding.filter(({ interfaceIndex }) => interfaceIndex === link.index);
  const own = entries.find((one) => one.mac === mac && one.address !== undefined);
  const flood = entries.find((one) => one.mac === 0 && one.address !== undefined);
  const remote = own?.address ?? flood?.address;
  if (remote === undefined) {
    const text = `${name} has no forwarding entry for ${Mac.format(mac)}: it does not know which node that is`;
    return { ...lost("no-forwarding-entry", text, `look at: bridge fdb show dev ${name}`), steps };
  }
  const remoteText = IpAddress.format(remote);
  steps.push({
    kind: "forwarding",
    mac: Mac.format(mac),
    device: name,
    remote: remoteText,
    isFlood: own === undefined,
  });
  return {
    kind: "into",
    device: name,
    payload: {
      tunnel: "vxlan",
      packet,
      vni: vxlan.vni,
      ...(link.mac === undefined ? {} : { innerSourceMac: link.mac }),
      innerDestinationMac: mac,
    },
    remote,
    port: vxlan.port,
    ...(vxlan.local === undefined ? {} : { local: vxlan.local }),
    steps,
  };
}
