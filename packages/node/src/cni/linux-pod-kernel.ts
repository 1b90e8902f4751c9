import { statSync } from "node:fs";
import { IpAddress, Ipv4, Ipv6, Prefix } from "@caracal/net";
import {
  KernelError,
  Namespace,
  type NamespaceTarget,
  Rtnetlink,
  withNamespace,
  writeSysctl,
} from "@caracal/linux";
import {
  Af,
  IfaFlag,
  Iff,
  type Link,
  Mac,
  NeighbourState,
  type NextHop,
  type Route,
  RouteProtocol,
  RouteScope,
  RouteTable,
  RouteType,
} from "@caracal/netlink";
import type { HostUse, PodInterface, PodInterfaceState, PodKernel } from "./ports.ts";

/** Every host end has it, so the address that pods resolve their gateway to is known in advance. */
const hostMac = Mac.parse("ee:ee:ee:ee:ee:ee") ?? never();
/** The gateway of every pod: an address nobody has, answered for by proxy ARP on the host end. */
const gateway4 = Ipv4.parse("169.254.1.1") ?? never();
/** The host end's link-local address as it follows from its MAC (RFC 4291 appendix A). */
const gateway6 = Ipv6.parse("fe80::ecee:eeff:feee:eeee") ?? never();

/** Who makes the routes by which the host itself reaches the world: people, DHCP, router advertisements. */
const administrators = [
  RouteProtocol.RTPROT_BOOT,
  RouteProtocol.RTPROT_STATIC,
  RouteProtocol.RTPROT_RA,
  RouteProtocol.RTPROT_DHCP,
];

/** The kernel for pods: rtnetlink in the node's and the pod's namespace. Every call is a short synchronous section. */
export class LinuxPodKernel implements PodKernel, Disposable {
  readonly #host: Rtnetlink;
  readonly #node: Namespace;
  readonly #remove: (hostName: string) => Promise<void>;
  readonly #podPrefixes: readonly string[];

  /**
   * Works on the namespace of the calling thread, or on `namespace`. `remove` deletes an interface of that namespace
   * without holding up the caller's thread: the kernel takes tens of milliseconds for it. `podPrefixes` are what host ends of
   * pods are called by.
   */
  constructor(
    remove: (hostName: string) => Promise<void>,
    namespace?: NamespaceTarget,
    podPrefixes: readonly string[] = ["cali"],
  ) {
    this.#node =
      typeof namespace === "string" ? Namespace.open(namespace) : (namespace ?? Namespace.current());
    this.#host = Rtnetlink.open(this.#node);
    this.#remove = remove;
    this.#podPrefixes = podPrefixes;
  }

  hasNamespace(netns: string): boolean {
    try {
      using namespace = Namespace.open(netns);
      // A pod's default route would take the place of the host's.
      if (namespace.inode === this.#node.inode || namespace.inode === machineNamespace()) return false;
      // Opening a socket inside is the proof: any file can be opened, only a namespace can be entered.
      Rtnetlink.open(namespace).close();
      return true;
    } catch (error) {
      if (isNoNamespace(error)) return false;
      throw error;
    }
  }

  hostUse(address: IpAddress): HostUse | undefined {
    const type = this.#host.routeTo(address)?.type;
    if (type === RouteType.RTN_LOCAL || type === RouteType.RTN_BROADCAST) return "own";
    const family = IpAddress.family(address);
    const table = RouteTable.RT_TABLE_MAIN;
    // The kernel picks by protocol: a routing daemon's million routes are not read.
    const isGateway = administrators.some((protocol) =>
      this.#host
        .routes({ family, table, protocol })
        .some(({ nextHops }) => nextHops.some(({ gateway }) => gateway === address)),
    );
    return isGateway ? "gateway" : undefined;
  }

  createPair(pod: PodInterface): boolean {
    const { queueCount } = pod;
    const shape = { queueCount, ...(pod.mtu !== undefined && { mtu: pod.mtu }) };
    const podMac = pod.mac === undefined ? undefined : Mac.parse(pod.mac);
    try {
      this.#host.addVeth(
        { name: pod.hostName, mac: hostMac, ...shape },
        { name: pod.ifname, namespace: pod.netns, ...shape, ...(podMac !== undefined && { mac: podMac }) },
      );
      return true;
    } catch (error) {
      if (error instanceof KernelError && error.errno === "EEXIST") return false;
      throw error;
    }
  }

  preparePair(pod: PodInterface): void {
    withNamespace(this.#node, () => setHostSettings(pod));
    this.#host.setLink(pod.hostName, { up: true });
    using inside = Namespace.open(pod.netns);
    withNamespace(inside, () => setPodSettings(pod));
    using podSide = Rtnetlink.open(inside);
    podSide.setLink(pod.ifname, { up: true });
  }

  configurePair(pod: PodInterface): { readonly mac: string; readonly mtu: number } {
    using podSide = Rtnetlink.open(pod.netns);
    const link = podSide.link(pod.ifname);
    if (link?.mac === undefined) throw new KernelError("link.get", "ENODEV", `${pod.ifname} is gone`);
    for (const address of pod.addresses) {
      const prefixLength = IpAddress.isIpv4(address) ? 32 : 128;
      const flags = IpAddress.isIpv6(address) ? IfaFlag.IFA_F_NODAD : 0;
      podSide.addAddress({ interfaceIndex: link.index, address, prefixLength, flags }, "replace");
    }
    for (const route of podRoutes(pod, link.index)) podSide.addRoute(route, "replace");
    return { mac: Mac.format(link.mac), mtu: link.mtu };
  }

  addHostRoutes(pod: PodInterface): void {
    const host = this.#host.link(pod.hostName);
    const podLink = this.#podLink(pod.netns, pod.ifname);
    if (host === undefined || podLink?.mac === undefined) {
      throw new KernelError("route.add", "ENODEV", `${pod.hostName} or its other end is gone`);
    }
    for (const address of pod.addresses) {
      this.#addHostRoute(hostRoute(address, host.index), host.index);
      this.#host.setNeighbour({
        family: IpAddress.isIpv4(address) ? Af.AF_INET : Af.AF_INET6,
        interfaceIndex: host.index,
        state: NeighbourState.NUD_PERMANENT,
        flags: 0,
        address,
        mac: podLink.mac,
      });
    }
  }

  podEnd(hostName: string, netns: string): string | undefined {
    const host = this.#host.link(hostName);
    if (host?.linkedIndex === undefined) return undefined;
    const pod = this.#podLink(netns, host.linkedIndex);
    return pod?.kind === "veth" && pod.linkedIndex === host.index ? pod.name : undefined;
  }

  inspect(pod: PodInterface): PodInterfaceState | undefined {
    if (this.podEnd(pod.hostName, pod.netns) !== pod.ifname) return undefined;
    const host = this.#host.link(pod.hostName);
    using podSide = Rtnetlink.open(pod.netns);
    const link = podSide.link(pod.ifname);
    if (host === undefined || link?.mac === undefined) return undefined;
    const differences = [
      ...linkDifferences(host, pod.hostName),
      ...linkDifferences(link, pod.ifname),
      ...addressDifferences(podSide, pod, link.index),
      ...podRouteDifferences(podSide, podRoutes(pod, link.index)),
      ...this.#hostRouteDifferences(pod, host.index),
    ];
    if (pod.mtu !== undefined && link.mtu !== pod.mtu) {
      differences.push(`${pod.ifname} has MTU ${link.mtu}, not ${pod.mtu}`);
    }
    const mac = Mac.format(link.mac);
    if (pod.mac !== undefined && pod.mac !== mac)
      differences.push(`${pod.ifname} has MAC ${mac}, not ${pod.mac}`);
    return { mac, mtu: link.mtu, differences };
  }

  async removePair(hostName: string): Promise<void> {
    if (this.#host.link(hostName) !== undefined) await this.#remove(hostName);
  }

  close(): void {
    this.#host.close();
    this.#node.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Takes the place of a route learned from elsewhere, but not of another pod's. */
  #addHostRoute(route: Route, hostIndex: number): void {
    try {
      this.#host.addRoute(route, "add");
    } catch (error) {
      if (!(error instanceof KernelError) || error.errno !== "EEXIST") throw error;
      const holder = this.#host.routeTo(route.destination.address)?.nextHops[0]?.interfaceIndex;
      const name = holder === undefined || holder === hostIndex ? undefined : this.#host.link(holder)?.name;
      if (name !== undefined && this.#podPrefixes.some((prefix) => name.startsWith(prefix))) {
        const detail = `${Prefix.format(route.destination)} leads to ${name} already`;
        throw new KernelError("route.add", "EEXIST", detail, { cause: error });
      }
      this.#host.addRoute(route, "replace");
    }
  }

  /** By look-up: the host may hold a million routes, and the pods' are few. */
  #hostRouteDifferences(pod: PodInterface, hostIndex: number): readonly string[] {
    return pod.addresses
      .filter((address) => {
        const found = this.#host.routeTo(address);
        const isHostRoute = found?.destination.length === (IpAddress.isIpv4(address) ? 32 : 128);
        return !isHostRoute || found?.nextHops[0]?.interfaceIndex !== hostIndex;
      })
      .map((address) => `the host has no route to ${IpAddress.format(address)} through ${pod.hostName}`);
  }

  #podLink(netns: string, which: string | number): Link | undefined {
    try {
      using podSide = Rtnetlink.open(netns);
      return podSide.link(which);
    } catch (error) {
      if (isNoNamespace(error)) return undefined;
      throw error;
    }
  }
}

/** What opening or entering a path says when there is something else, or nothing. */
const pathErrors: ReadonlySet<string> = new Set(
  "ENOENT ENOTDIR EINVAL EACCES EISDIR ELOOP ENAMETOOLONG ENODEV ENXIO".split(" "),
);

/** The first process's namespace, where it may be seen: a daemon in another one (a lab's) is to do the machine no harm. */
function machineNamespace(): number | undefined {
  try {
    return statSync("/proc/1/ns/net").ino;
  } catch {
    return undefined;
  }
}

function isNoNamespace(error: unknown): boolean {
  return error instanceof KernelError && pathErrors.has(error.errno);
}

/** Proxy ARP and NDP without delay, forwarding, no router advertisements; addresses usable without waiting for DAD. */
function setHostSettings({ hostName: name, families }: PodInterface): void {
  if (families.has(4)) {
    writeSysctl(`net/ipv4/conf/${name}/route_localnet`, 1);
    writeSysctl(`net/ipv4/neigh/${name}/proxy_delay`, 0);
    writeSysctl(`net/ipv4/conf/${name}/proxy_arp`, 1);
    writeSysctl(`net/ipv4/conf/${name}/forwarding`, 1);
  }
  if (families.has(6)) {
    writeSysctl(`net/ipv6/conf/${name}/accept_dad`, 0);
    writeSysctl(`net/ipv6/conf/${name}/disable_ipv6`, 0);
    writeSysctl(`net/ipv6/conf/${name}/proxy_ndp`, 1);
    writeSysctl(`net/ipv6/conf/${name}/forwarding`, 1);
  }
  // A kernel without IPv6 has nothing to refuse.
  bestEffort(() => writeSysctl(`net/ipv6/conf/${name}/accept_ra`, 0));
}

function setPodSettings(pod: PodInterface): void {
  const { families } = pod;
  const forwarding = pod.forwarding ? 1 : 0;
  if (families.has(4)) writeSysctl("net/ipv4/ip_forward", forwarding);
  if (!families.has(6)) return;
  for (const name of ["all", "default", "lo"]) writeSysctl(`net/ipv6/conf/${name}/disable_ipv6`, 0);
  writeSysctl(`net/ipv6/conf/${pod.ifname}/accept_dad`, 0);
  writeSysctl("net/ipv6/conf/all/forwarding", forwarding);
}

/** `169.254.1.1 dev eth0 scope link` and each route through it; for IPv6 through the host end's link-local address. */
function podRoutes(pod: PodInterface, interfaceIndex: number): readonly Route[] {
  const has4 = pod.addresses.some(IpAddress.isIpv4);
  const has6 = pod.addresses.some(IpAddress.isIpv6);
  const toGateway = unicast(Prefix.of(gateway4, 32), RouteScope.RT_SCOPE_LINK, { interfaceIndex });
  const through = pod.routes
    .filter(({ family }) => (family === 4 ? has4 : has6))
    .map((destination) =>
      unicast(destination, RouteScope.RT_SCOPE_UNIVERSE, {
        interfaceIndex,
        gateway: destination.family === 4 ? gateway4 : gateway6,
      }),
    );
  return has4 ? [toGateway, ...through] : through;
}

/** `10.244.0.5 dev cali… scope link`. */
function hostRoute(address: IpAddress, interfaceIndex: number): Route {
  return IpAddress.isIpv4(address)
    ? unicast(Prefix.of(address, 32), RouteScope.RT_SCOPE_LINK, { interfaceIndex })
    : unicast(Prefix.of(address, 128), RouteScope.RT_SCOPE_UNIVERSE, { interfaceIndex });
}

function unicast(destination: Prefix, scope: number, hop: NextHop): Route {
  return {
    destination,
    type: RouteType.RTN_UNICAST,
    protocol: RouteProtocol.RTPROT_BOOT,
    scope,
    table: RouteTable.RT_TABLE_MAIN,
    // The kernel's own number for an IPv6 route without one, so that what is dumped equals what was asked.
    metric: destination.family === 4 ? 0 : 1024,
    nextHops: [hop],
  };
}

function linkDifferences(link: Link, name: string): readonly string[] {
  return (link.flags & Iff.IFF_UP) === 0 ? [`${name} is down`] : [];
}

function addressDifferences(podSide: Rtnetlink, pod: PodInterface, index: number): readonly string[] {
  const found = new Set(podSide.addresses(index).map(({ address }) => IpAddress.format(address)));
  return pod.addresses
    .map(IpAddress.format)
    .filter((address) => !found.has(address))
    .map((address) => `${pod.ifname} has no address ${address}`);
}

function podRouteDifferences(podSide: Rtnetlink, wanted: readonly Route[]): readonly string[] {
  const key = ({ destination, nextHops: [hop] }: Route): string =>
    `${Prefix.key(destination)} ${hop?.interfaceIndex} ${hop?.gateway}`;
  const found = new Set(podSide.routes({ table: RouteTable.RT_TABLE_MAIN }).map(key));
  return wanted
    .filter((route) => !found.has(key(route)))
    .map(({ destination }) => `the pod has no route to ${Prefix.format(destination)}`);
}

function bestEffort(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
  }
}

function never(): never {
  throw new Error("a constant of this file cannot be parsed");
}
