import { createHash } from "node:crypto";
import { createNamespace, deleteNamespace, Rtnetlink, writeSysctl } from "@caracal/linux";
import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import { Mac, RouteProtocol, RouteScope, RouteTable, RouteType } from "@caracal/netlink";
import type { LabDirectory } from "./lab-directory.ts";
import { LabError } from "./lab-error.ts";
import type { NodeRecord } from "./lab-record.ts";
import { BRIDGES_NAME, type NetworkSpec, type SwitchSpec } from "./topology.ts";

/** What every node calls its interface to the network. */
export const NODE_INTERFACE = "eth0";
const LOOPBACK = "lo";
/** IFNAMSIZ less the closing NUL. */
const MAX_INTERFACE_NAME = 15;

/** Makes the bridges' namespace: one per network, with the gateway's address if there is one and no switch has it. */
export function makeBridges(lab: LabDirectory, networks: readonly NetworkSpec[]): void {
  createNamespace(lab.namespaceName(BRIDGES_NAME));
  const path = lab.namespacePath(BRIDGES_NAME);
  using links = Rtnetlink.open(path);
  links.setLink(LOOPBACK, { up: true });
  for (const network of networks) {
    links.addLink({ name: network.name, details: { kind: "bridge" } });
    // A bridge only carries frames: no IPv6 chatter of its own, and it routes nothing between its networks.
    writeSysctl(`net/ipv6/conf/${network.name}/disable_ipv6`, 1, path);
    links.setLink(network.name, { up: true });
    if (network.kind === "lan" && network.gateway !== undefined)
      addAddress(links, network.name, network.gateway, network.subnet);
  }
  writeSysctl("net/ipv4/ip_forward", 0, path);
}

/** Makes a node's namespace and wires it to its network, with the address, the default route and forwarding on. */
export function makeNode(lab: LabDirectory, node: NodeRecord, network: NetworkSpec): void {
  using links = makeRouter(lab, node.name);
  plug(lab, network, node.port, { place: node.name, interface: NODE_INTERFACE, address: node.address });
  if (network.gateway !== undefined) addDefaultRoute(links, network.gateway);
}

/** Makes a switch's namespace and wires it to its networks. */
export function makeSwitch(lab: LabDirectory, spec: SwitchSpec, networks: readonly NetworkSpec[]): void {
  makeRouter(lab, spec.name).close();
  for (const { name, network: networkName, address } of spec.interfaces) {
    const network = networks.find((candidate) => candidate.name === networkName);
    if (network === undefined) throw new LabError(`there is no network ${networkName}`);
    const port = portName(`${spec.name}-${name}`, `${spec.name}-${name}`);
    plug(lab, network, port, { place: spec.name, interface: name, address });
    writeSysctl(`net/ipv6/conf/${name}/disable_ipv6`, 1, lab.namespacePath(spec.name));
  }
}

/** Makes a namespace that forwards. */
function makeRouter(lab: LabDirectory, name: string): Rtnetlink {
  createNamespace(lab.namespaceName(name));
  const path = lab.namespacePath(name);
  writeSysctl("net/ipv4/ip_forward", 1, path);
  const links = Rtnetlink.open(path);
  links.setLink(LOOPBACK, { up: true });
  return links;
}

/** One end of a cable whose other end is a network's bridge. */
interface CableEnd {
  readonly place: string;
  readonly interface: string;
  readonly address: string;
}

function plug(lab: LabDirectory, network: NetworkSpec, port: string, end: CableEnd): void {
  const bridges = lab.namespacePath(BRIDGES_NAME);
  const path = lab.namespacePath(end.place);
  using bridgeLinks = Rtnetlink.open(bridges);
  const bridge = bridgeLinks.link(network.name);
  if (bridge === undefined) throw new LabError(`the lab has lost its bridge ${network.name}`);
  bridgeLinks.addVeth(
    { name: port, masterIndex: bridge.index, up: true },
    { name: end.interface, mac: macOf(end.address), up: true, namespace: path },
  );
  writeSysctl(`net/ipv6/conf/${port}/disable_ipv6`, 1, bridges);
  using links = Rtnetlink.open(path);
  addAddress(links, end.interface, end.address, network.subnet);
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
