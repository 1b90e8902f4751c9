import { createHash } from "node:crypto";
import { createNamespace, deleteNamespace, Rtnetlink, writeSysctl } from "@caracal/linux";
import { IpAddress, Ipv4, Ipv6, Prefix } from "@caracal/net";
import { IfaFlag, Mac, RouteProtocol, RouteScope, RouteTable, RouteType } from "@caracal/netlink";
import type { LabDirectory } from "./lab-directory.ts";
import { LabError } from "./lab-error.ts";
import type { NodeRecord } from "./lab-record.ts";
import { BRIDGES_NAME, type NetworkSpec, type SwitchSpec } from "./topology.ts";

/** What every node calls its interface to the network. */
export const NODE_INTERFACE = "eth0";
const LOOPBACK = "lo";
/** IFNAMSIZ less the closing NUL. */
const MAX_INTERFACE_NAME = 15;

/** Makes the bridges' namespace: one per network, with the gateways' addresses if there are any and no switch has them. */
export function makeBridges(lab: LabDirectory, networks: readonly NetworkSpec[]): void {
  createNamespace(lab.namespaceName(BRIDGES_NAME));
  const path = lab.namespacePath(BRIDGES_NAME);
  using links = Rtnetlink.open(path);
  links.setLink(LOOPBACK, { up: true });
  for (const network of networks) {
    links.addLink({ name: network.name, details: { kind: "bridge" } });
    // A bridge only carries frames: no IPv6 chatter of its own, and it routes nothing between its networks.
    const gateways = network.kind === "lan" ? addressesIn(network, network.gateway, network.gateway6) : [];
    const isGateway6 = gateways.some(({ subnet }) => subnet.includes(":"));
    if (!isGateway6) writeSysctl(`net/ipv6/conf/${network.name}/disable_ipv6`, 1, path);
    links.setLink(network.name, { up: true });
    for (const gateway of gateways) addAddress(links, network.name, gateway);
  }
  writeSysctl("net/ipv4/ip_forward", 0, path);
}

/** Makes a node's namespace and wires it to its network, with its addresses, default routes and forwarding on. */
export function makeNode(lab: LabDirectory, node: NodeRecord, network: NetworkSpec): void {
  using links = makeRouter(lab, node.name);
  const addresses = addressesIn(network, node.address, node.address6);
  plug(lab, network, node.port, { place: node.name, interface: NODE_INTERFACE, addresses });
  for (const gateway of [network.gateway, network.gateway6]) {
    if (gateway !== undefined) addDefaultRoute(links, gateway);
  }
}

/** Addresses of a place in a network with their subnets. */
function addressesIn(
  { subnet, subnet6 }: NetworkSpec,
  address: string | undefined,
  address6: string | undefined,
): readonly CableAddress[] {
  return [
    ...(address === undefined ? [] : [{ address, subnet }]),
    ...(address6 === undefined || subnet6 === undefined ? [] : [{ address: address6, subnet: subnet6 }]),
  ];
}

/** Makes a switch's namespace and wires it to its networks. */
export function makeSwitch(lab: LabDirectory, spec: SwitchSpec, networks: readonly NetworkSpec[]): void {
  makeRouter(lab, spec.name).close();
  const isDual = spec.interfaces.some(({ address6 }) => address6 !== undefined);
  if (isDual) writeSysctl("net/ipv6/conf/all/forwarding", 1, lab.namespacePath(spec.name));
  for (const { name, network: networkName, address, address6 } of spec.interfaces) {
    const network = networks.find((candidate) => candidate.name === networkName);
    if (network === undefined) throw new LabError(`there is no network ${networkName}`);
    const port = portName(`${spec.name}-${name}`, `${spec.name}-${name}`);
    plug(lab, network, port, {
      place: spec.name,
      interface: name,
      addresses: addressesIn(network, address, address6),
    });
    if (address6 === undefined)
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
  readonly addresses: readonly CableAddress[];
}

interface CableAddress {
  readonly address: string;
  readonly subnet: string;
}

function plug(lab: LabDirectory, network: NetworkSpec, port: string, end: CableEnd): void {
  const bridges = lab.namespacePath(BRIDGES_NAME);
  const path = lab.namespacePath(end.place);
  using bridgeLinks = Rtnetlink.open(bridges);
  const bridge = bridgeLinks.link(network.name);
  if (bridge === undefined) throw new LabError(`the lab has lost its bridge ${network.name}`);
  const [first] = end.addresses;
  if (first === undefined) throw new LabError(`${end.place} has no address in ${network.name}`);
  bridgeLinks.addVeth(
    { name: port, masterIndex: bridge.index, up: true },
    { name: end.interface, mac: macOf(first.address), up: true, namespace: path },
  );
  writeSysctl(`net/ipv6/conf/${port}/disable_ipv6`, 1, bridges);
  using links = Rtnetlink.open(path);
  for (const address of end.addresses) addAddress(links, end.interface, address);
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

/** As container networks do it: a locally administered MAC that shows the end of the address in its last four bytes. */
function macOf(address: string): Mac {
  const bytes = IpAddress.toBytes(parseAddress(address));
  const mac = Mac.fromBytes(Uint8Array.of(0x02, 0x42, ...bytes.subarray(-4)));
  if (mac === undefined) throw new RangeError(`no MAC for ${address}`);
  return mac;
}

function addAddress(links: Rtnetlink, name: string, { address: text, subnet }: CableAddress): void {
  const { length } = parsePrefix(subnet);
  const interfaceIndex = links.link(name)?.index ?? 0;
  const address = parseAddress(text);
  // Nobody else is in the network: an address that waits to find that out would keep its node waiting.
  const flags = IpAddress.isIpv6(address) ? { flags: IfaFlag.IFA_F_NODAD } : {};
  links.addAddress({ interfaceIndex, address, prefixLength: length, ...flags });
}

function addDefaultRoute(links: Rtnetlink, text: string): void {
  const gateway = parseAddress(text);
  links.addRoute({
    destination: Prefix.of(IpAddress.isIpv4(gateway) ? Ipv4.of(0) : Ipv6.of(0n), 0),
    type: RouteType.RTN_UNICAST,
    protocol: RouteProtocol.RTPROT_BOOT,
    scope: RouteScope.RT_SCOPE_UNIVERSE,
    table: RouteTable.RT_TABLE_MAIN,
    metric: 0,
    nextHops: [{ gateway }],
  });
}

function parseAddress(text: string): IpAddress {
  const address = IpAddress.parse(text);
  if (address === undefined) throw new RangeError(`${text} is no address`);
  return address;
}

function parsePrefix(text: string): Prefix {
  const prefix = Prefix.parse(text);
  if (prefix === undefined) throw new RangeError(`${text} is no prefix`);
  return prefix;
}
