import { createHash } from "node:crypto";
import { createNamespace, deleteNamespace, Rtnetlink, writeSysctl } from "@caracal/linux";
import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import { Mac, RouteProtocol, RouteScope, RouteTable, RouteType } from "@caracal/netlink";
import type { LabDirectory } from "./lab-directory.ts";
import { LabError } from "./lab-error.ts";
import type { NodeRecord } from "./lab-record.ts";
import { type NetworkSpec, SWITCH_NAME } from "./topology.ts";

/** What every node calls its interface to the network. */
export const NODE_INTERFACE = "eth0";
const LOOPBACK = "lo";
/** IFNAMSIZ less the closing NUL. */
const MAX_INTERFACE_NAME = 15;

/** Makes the switch: a namespace with one bridge per network, which has the gateway's address if there is one. */
export function makeSwitch(lab: LabDirectory, networks: readonly NetworkSpec[]): void {
  createNamespace(lab.namespaceName(SWITCH_NAME));
  const path = lab.namespacePath(SWITCH_NAME);
  using links = Rtnetlink.open(path);
  links.setLink(LOOPBACK, { up: true });
  for (const network of networks) {
    links.addLink({ name: network.name, details: { kind: "bridge" } });
    // The switch only carries frames: no IPv6 chatter of its own, and it routes nothing between its networks.
    writeSysctl(`net/ipv6/conf/${network.name}/disable_ipv6`, 1, path);
    links.setLink(network.name, { up: true });
    if (network.gateway !== undefined) addAddress(links, network.name, network.gateway, network.subnet);
  }
  writeSysctl("net/ipv4/ip_forward", 0, path);
}

/** Makes a node's namespace and wires it to its network, with the address, the default route and forwarding on. */
export function makeNode(lab: LabDirectory, node: NodeRecord, network: NetworkSpec): void {
  createNamespace(lab.namespaceName(node.name));
  const path = lab.namespacePath(node.name);
  writeSysctl("net/ipv4/ip_forward", 1, path);
  using switchLinks = Rtnetlink.open(lab.namespacePath(SWITCH_NAME));
  using links = Rtnetlink.open(path);
  links.setLink(LOOPBACK, { up: true });
  const bridge = switchLinks.link(network.name);
  if (bridge === undefined) throw new LabError(`the lab's switch has lost its bridge ${network.name}`);
  switchLinks.addVeth(
    { name: node.port, masterIndex: bridge.index, up: true },
    { name: NODE_INTERFACE, mac: macOf(node.address), up: true, namespace: path },
  );
  writeSysctl(`net/ipv6/conf/${node.port}/disable_ipv6`, 1, lab.namespacePath(SWITCH_NAME));
  addAddress(links, NODE_INTERFACE, node.address, network.subnet);
  if (network.gateway !== undefined) addDefaultRoute(links, network.gateway);
}

/** Makes a pod's empty namespace; its interface is the CNI plugin's work. */
export function makeSandbox(lab: LabDirectory, pod: string): void {
  createNamespace(lab.namespaceName(pod));
  using links = Rtnetlink.open(lab.namespacePath(pod));
  links.setLink(LOOPBACK, { up: true });
}

/** Removes a namespace of the lab, and with it its interfaces and their other ends; one that is gone is no error. */
export function removeNamespace(lab: LabDirectory, part: string): void {
  deleteNamespace(lab.namespaceName(part));
}

/** What the node's cable is called on the switch: its short name, unless that is too long for an interface. */
export function portName(shortName: string, wholeName: string): string {
  return shortName.length <= MAX_INTERFACE_NAME ? shortName : hashedPortName(wholeName);
}

export function hashedPortName(wholeName: string): string {
  return `port-${createHash("sha1").update(wholeName).digest("hex").slice(0, 10)}`;
}

/** As container networks do it: a locally administered MAC that shows the IPv4 address in its last four bytes. */
function macOf(address: string): Mac {
  const bytes = Ipv4.toBytes(parseIpv4(address));
  const mac = Mac.fromBytes(Uint8Array.of(0x02, 0x42, ...bytes));
  if (mac === undefined) throw new RangeError(`no MAC for ${address}`);
  return mac;
}

function addAddress(links: Rtnetlink, name: string, address: string, subnet: string): void {
  const { length } = parsePrefix(subnet);
  const interfaceIndex = links.link(name)?.index ?? 0;
  links.addAddress({ interfaceIndex, address: parseIpv4(address), prefixLength: length });
}

function addDefaultRoute(links: Rtnetlink, gateway: string): void {
  links.addRoute({
    destination: Prefix.of(Ipv4.of(0), 0),
    type: RouteType.RTN_UNICAST,
    protocol: RouteProtocol.RTPROT_BOOT,
    scope: RouteScope.RT_SCOPE_UNIVERSE,
    table: RouteTable.RT_TABLE_MAIN,
    metric: 0,
    nextHops: [{ gateway: parseIpv4(gateway) }],
  });
}

function parseIpv4(text: string): Ipv4 {
  const address = IpAddress.parse(text);
  if (address === undefined || !IpAddress.isIpv4(address)) throw new RangeError(`${text} is no IPv4 address`);
  return address;
}

function parsePrefix(text: string): Prefix {
  const prefix = Prefix.parse(text);
  if (prefix === undefined) throw new RangeError(`${text} is no prefix`);
  return prefix;
}
