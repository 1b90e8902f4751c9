import { IpAddress, type IpFamily, Ipv6, Prefix } from "@caracal/net";
import { IfaFlag, Iff, type InterfaceAddress, type Link, type Route } from "@caracal/netlink";

/** One consistent set of dumps; of all families and tables, as they come. */
export interface KernelView {
  readonly routes: readonly Route[];
  readonly links: readonly Link[];
  readonly addresses: readonly InterfaceAddress[];
}

/** A subnet on an interface that is up, with the address that makes it so. */
export interface ConnectedSubnet {
  readonly prefix: Prefix;
  readonly interface: string;
  readonly address: IpAddress;
}

/** Interface names by index. */
export function interfaceNames(links: readonly Link[]): ReadonlyMap<number, string> {
  return new Map(links.map(({ index, name }) => [index, name]));
}

/** The subnets of one family in which the node has an address of its own, by interface index. */
export function connectedSubnets(kernel: KernelView, family: IpFamily): ConnectedSubnet[] {
  const byIndex = new Map(kernel.links.map((link) => [link.index, link]));
  const subnets: ConnectedSubnet[] = [];
  for (const one of kernel.addresses.toSorted((a, b) => a.interfaceIndex - b.interfaceIndex)) {
    const link = byIndex.get(one.interfaceIndex);
    // Without a carrier an interface still has its subnet.
    if (link === undefined || (link.flags & Iff.IFF_UP) === 0) continue;
    if (IpAddress.family(one.address) !== family || (one.flags & notYetOurs) !== 0) continue;
    const prefix = Prefix.of(one.peer ?? one.address, one.prefixLength);
    subnets.push({ prefix, interface: link.name, address: one.address });
  }
  return subnets;
}

/** RFC 4862 §5.4: a tentative address is no address of the interface, and one that failed never becomes one. */
const notYetOurs = IfaFlag.IFA_F_TENTATIVE | IfaFlag.IFA_F_DADFAILED;

/** Whether BIRD takes a network or address into its table: unicast, and known beyond the host and the link. */
export function isRoutable(address: IpAddress): boolean {
  if (IpAddress.isIpv4(address)) {
    const first = address >>> 24;
    return address === 0 || (first !== 0 && first !== 127 && first < 224);
  }
  return address !== loopback6 && !isLinkLocal(address) && address >> 120n !== 0xffn;
}

const loopback6 = Ipv6.of(1n);

/** fe80::/10 (RFC 4291 §2.5.6). */
function isLinkLocal(address: Ipv6): boolean {
  return address >> 118n === 0x3fan;
}
