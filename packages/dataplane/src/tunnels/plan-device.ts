import { IpAddress, Ipv6, Prefix } from "@caracal/net";
import {
  IfaFlag,
  Iff,
  type InterfaceAddress,
  type Link,
  type LinkSettings,
  Mac,
  type NewLink,
} from "@caracal/netlink";
import type { DeviceOperation } from "../device-kernel.ts";
import type { DesiredTunnel, DesiredVxlan } from "./desired-tunnel.ts";

/** What is to be done so that a tunnel's device is as wanted. */
export type DevicePlan =
  /** Nothing can be done before something else happens. */
  | { readonly kind: "wait"; readonly reason: string }
  /** The device goes, if one is in the way, and is made; `because` says what is wrong with the one that is there. */
  | {
      readonly kind: "make";
      readonly link: NewLink;
      readonly inTheWay?: Link;
      readonly because: readonly string[];
    }
  /** It is there under another name; a device that has the tunnel's name meanwhile goes. */
  | { readonly kind: "rename"; readonly link: Link; readonly inTheWay?: Link }
  /** It is there; the steps are empty when all is as wanted. */
  | { readonly kind: "keep"; readonly link: Link; readonly steps: readonly DeviceStep[] };

/** One change to a device, and what of it a person should know. */
export interface DeviceStep {
  readonly operation: DeviceOperation;
  readonly news: string;
}

/** The interfaces and addresses of the namespace. */
export interface DeviceSurroundings {
  readonly links: readonly Link[];
  readonly addresses: readonly InterfaceAddress[];
}

export function planDevice(tunnel: DesiredTunnel, around: DeviceSurroundings): DevicePlan {
  const link = around.links.find(({ name }) => name === tunnel.name);
  if (tunnel.kind === "ipip") return planIpip(tunnel, link, around);
  const parentIndex = around.addresses.find(({ address }) => address === tunnel.local)?.interfaceIndex;
  if (parentIndex === undefined)
    return { kind: "wait", reason: `no interface has the address ${IpAddress.format(tunnel.local)}` };
  const because = link === undefined ? [] : vxlanDifferences(tunnel, parentIndex, link, around);
  if (link !== undefined && because.length === 0) return keep(tunnel, link, around);
  const twin = around.links.find((other) => other !== link && isTwin(tunnel, other));
  if (twin !== undefined) {
    if (vxlanDifferences(tunnel, parentIndex, twin, around).length === 0)
      return { kind: "rename", link: twin, ...(link === undefined ? {} : { inTheWay: link }) };
    const place = `VNI ${tunnel.vni} on UDP port ${tunnel.port}`;
    return {
      kind: "wait",
      reason: `${place} is taken by ${twin.name}: remove it, or choose another vxlanVNI`,
    };
  }
  const { name, mac, mtu, vni, port, local } = tunnel;
  const details = { kind: "vxlan", vni, port, local, parentIndex, learning: false } as const;
  return {
    kind: "make",
    link: { name, mac, up: true, details, ...(mtu === undefined ? {} : { mtu }) },
    ...(link === undefined ? {} : { inTheWay: link }),
    because,
  };
}

function planIpip(tunnel: DesiredTunnel, link: Link | undefined, around: DeviceSurroundings): DevicePlan {
  const because = link === undefined ? [] : ipipDifferences(link, around);
  if (link !== undefined && because.length === 0) return keep(tunnel, link, around);
  // A namespace has one such device, which the module makes and nobody can remove.
  const twin = around.links.find(
    (other) => other.kind === "ipip" && ipipDifferences(other, around).length === 0,
  );
  if (link === undefined && twin !== undefined) return { kind: "rename", link: twin };
  const { name, mtu } = tunnel;
  return {
    kind: "make",
    link: { name, up: true, details: { kind: "ipip" }, ...(mtu === undefined ? {} : { mtu }) },
    ...(link === undefined ? {} : { inTheWay: link }),
    because,
  };
}

/** The kernel has one VXLAN device of a network identifier, port and address family. */
function isTwin(tunnel: DesiredVxlan, { vxlan }: Link): boolean {
  return (
    vxlan !== undefined &&
    vxlan.isFlowBased !== true &&
    vxlan.vni === tunnel.vni &&
    vxlan.port === tunnel.port &&
    familyOf(vxlan.local ?? vxlan.group) === familyOf(tunnel.local)
  );
}

function familyOf(address: IpAddress | undefined): 4 | 6 {
  return address === undefined ? 4 : IpAddress.family(address);
}

/** What no change could mend, in words. */
function vxlanDifferences(
  tunnel: DesiredVxlan,
  parentIndex: number,
  link: Link,
  { links }: DeviceSurroundings,
): readonly string[] {
  const { vxlan } = link;
  if (vxlan === undefined) return [`it is ${described(link)} and no VXLAN device`];
  const nameOf = (index: number | undefined): string =>
    links.find((one) => one.index === index)?.name ?? "no interface";
  const addressText = (address: IpAddress | undefined): string =>
    address === undefined ? "any" : IpAddress.format(address);
  const rows: readonly (readonly [string, unknown, unknown])[] = [
    ["VNI", vxlan.vni, tunnel.vni],
    ["port", vxlan.port, tunnel.port],
    ["local address", addressText(vxlan.local), addressText(tunnel.local)],
    ["parent", nameOf(vxlan.parentIndex), nameOf(parentIndex)],
    ["MAC", link.mac === undefined ? "none" : Mac.format(link.mac), Mac.format(tunnel.mac)],
  ];
  const differences = rows
    .filter(([, found, wanted]) => found !== wanted)
    .map(([what, found, wanted]) => `${what} ${String(found)} instead of ${String(wanted)}`);
  if (vxlan.learning) differences.push("it learns");
  if (vxlan.isFlowBased === true) differences.push("it is flow-based");
  for (const option of vxlan.peculiarities ?? []) differences.push(`it has the option ${option}`);
  if (vxlan.group !== undefined) differences.push(`it sends the unknown to ${addressText(vxlan.group)}`);
  return differences;
}

function ipipDifferences(link: Link, { links }: DeviceSurroundings): readonly string[] {
  const { kind, ipip } = link;
  if (kind !== "ipip") return [`it is ${described(link)} and no IP-in-IP device`];
  const ends = [
    ["local", ipip?.local],
    ["remote", ipip?.remote],
  ] as const;
  const differences = ends.flatMap(([end, address]) =>
    address === undefined ? [] : [`${end} address ${IpAddress.format(address)} instead of any`],
  );
  if (ipip?.parentIndex !== undefined) {
    const parent = links.find(({ index }) => index === ipip.parentIndex)?.name ?? "an interface that is gone";
    differences.push(`it is bound to ${parent}`);
  }
  if (ipip?.isFlowBased === true) differences.push("it is flow-based");
  if (ipip?.isInUdp === true) differences.push("it sends through UDP");
  return differences;
}

function described({ kind }: Pick<Link, "kind">): string {
  return kind === undefined ? "a device" : `a ${kind} device`;
}

function keep(tunnel: DesiredTunnel, link: Link, { links, addresses }: DeviceSurroundings): DevicePlan {
  const steps: DeviceStep[] = [];
  const set = (settings: LinkSettings, news: string): void =>
    void steps.push({ operation: { kind: "link.set", index: link.index, settings }, news });
  const { mtu, address } = tunnel;
  if (mtu !== undefined && mtu !== link.mtu) set({ mtu }, `MTU ${link.mtu} becomes ${mtu}`);
  // A bridge takes all that its ports receive.
  if (link.masterIndex !== undefined && link.masterIndex !== 0) {
    const master = links.find(({ index }) => index === link.masterIndex)?.name ?? "another device";
    set({ masterIndex: 0 }, `it was put into ${master} and is taken out`);
  }
  if ((link.flags & Iff.IFF_UP) === 0) set({ up: true }, "it was down and is set up");
  const own = addresses.filter(({ interfaceIndex }) => interfaceIndex === link.index);
  const isOwn = (one: InterfaceAddress): boolean =>
    one.address === address && Prefix.isHost(Prefix.of(one.address, one.prefixLength));
  if (address !== undefined && !own.some(isOwn)) {
    const host = Prefix.host(address);
    steps.push({
      operation: {
        kind: "address.add",
        address: {
          interfaceIndex: link.index,
          address,
          prefixLength: host.length,
          // Nobody else is asked: IPAM gave the address to this node.
          ...(host.family === 6 ? { flags: IfaFlag.IFA_F_NODAD } : {}),
        },
      },
      news: `it gets the address ${IpAddress.format(address)}`,
    });
  }
  // With the last address of an interface the kernel drops its routes, so the old one goes after the new one has come.
  for (const one of own) {
    if (isOwn(one) || isLinkLocal(one)) continue;
    const text = `${IpAddress.format(one.address)}/${one.prefixLength}`;
    steps.push({
      operation: { kind: "address.delete", address: one },
      news: `address ${text} is taken away`,
    });
  }
  return { kind: "keep", link, steps };
}

/** The kernel gives itself such an address on every interface that is up. */
export function isLinkLocal({ address }: InterfaceAddress): boolean {
  return Prefix.contains(linkLocalNetwork, address);
}

const linkLocalNetwork = Prefix.of(Ipv6.of(0xfe80n << 112n), 10);
