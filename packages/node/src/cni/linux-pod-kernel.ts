import { statSync } from "node:fs";
import { IpAddress, Prefix } from "@caracal/net";
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
  changeLink,
  decodeChange,
  getLink,
  IfaFlag,
  Iff,
  type Link,
  Mac,
  NeighbourState,
  newAddress,
  newNeighbour,
  newRoute,
  type Route,
  RouteProtocol,
  RouteTable,
  RouteType,
  setProxyDelay,
} from "@caracal/netlink";
import { carryOut, type NamedRequest, refusals } from "./carry-out.ts";
import type { LinkRemover } from "./link-remover.ts";
import { isNoNamespace, podEndOf } from "./pod-end.ts";
import { hostRoute, podRoutes } from "./pod-routes.ts";
import type {
  HostUse,
  PairRemoval,
  PodInterface,
  PodInterfaceState,
  PodKernel,
  PreparedPair,
} from "./ports.ts";

/** Every host end has it, so the address that pods resolve their gateway to is known in advance. */
const hostMac = Mac.parse("ee:ee:ee:ee:ee:ee") ?? never();

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
  /** The node's namespace is that of the calling thread. */
  readonly #isOwn: boolean;
  /** Of the machine's own namespace. */
  readonly #machineInode: number | undefined = machineNamespace();
  readonly #remover: LinkRemover;
  readonly #podPrefixes: readonly string[];

  /**
   * Works on the namespace of the calling thread, or on `namespace`, and so does `remover`, which is the caller's to close.
   * `podPrefixes` are what host ends of pods are called by.
   */
  constructor(remover: LinkRemover, namespace?: NamespaceTarget, podPrefixes: readonly string[] = ["cali"]) {
    this.#node =
      typeof namespace === "string" ? Namespace.open(namespace) : (namespace ?? Namespace.current());
    using own = Namespace.current();
    this.#isOwn = own.inode === this.#node.inode;
    this.#host = Rtnetlink.open(this.#node);
    this.#remover = remover;
    this.#podPrefixes = podPrefixes;
  }

  hasNamespace(netns: string): boolean {
    try {
      using namespace = Namespace.open(netns);
      // A pod's default route would take the place of the host's.
      const { inode, isNetwork } = namespace;
      return isNetwork && inode !== this.#node.inode && inode !== this.#machineInode;
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

  preparePair(pod: PodInterface): PreparedPair {
    using podSide = this.#prepared(pod);
    return podSide.pair;
  }

  configurePair(pod: PodInterface, prepared?: PreparedPair): PreparedPair {
    if (prepared !== undefined) {
      using podSide = Rtnetlink.open(pod.netns);
      configure(podSide, pod, prepared);
      return prepared;
    }
    using podSide = this.#prepared(pod);
    configure(podSide.rtnetlink, pod, podSide.pair);
    return podSide.pair;
  }

  addHostRoutes(pod: PodInterface, { hostIndex, mac }: PreparedPair): void {
    const podMac = Mac.parse(mac);
    const routes = pod.addresses.map((address) => hostRoute(address, hostIndex));
    const adding = routes.map((route) => ({ op: "route.add", request: newRoute(route, "add") }));
    const neighbours = pod.addresses.map((address) => ({
      op: "neighbour.set",
      request: newNeighbour({
        family: IpAddress.isIpv4(address) ? Af.AF_INET : Af.AF_INET6,
        interfaceIndex: hostIndex,
        state: NeighbourState.NUD_PERMANENT,
        flags: 0,
        address,
        ...(podMac !== undefined && { mac: podMac }),
      }),
    }));
    for (const { index, error } of refusals(this.#host.socket, [...adding, ...neighbours])) {
      const route = routes[index];
      if (route === undefined || error.errno !== "EEXIST") throw error;
      this.#replaceHostRoute(route, hostIndex, error);
    }
  }

  podEnd(hostName: string, netns: string): string | undefined {
    const host = this.#host.link(hostName);
    return host === undefined ? undefined : podEndOf(host, netns);
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

  removePair(hostName: string): Promise<void> {
    return this.#remover.remove(hostName);
  }

  removeOwnPair(hostName: string, netns: string, ifname: string): Promise<PairRemoval> {
    return this.#remover.removePair(hostName, netns, ifname);
  }

  close(): void {
    this.#host.close();
    this.#node.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Settings and link state of both ends, and the way into the pod, which is open until it is disposed of. */
  #prepared(pod: PodInterface): PodSide {
    this.#inNode(() => setHostSettings(pod));
    using inside = Namespace.open(pod.netns);
    const rtnetlink = withNamespace(inside, () => {
      setPodSettings(pod);
      return Rtnetlink.open();
    });
    try {
      const pair = bringUp(rtnetlink, pod);
      carryOut(this.#host.socket, hostSettings(pod, pair.hostIndex));
      return { rtnetlink, pair, [Symbol.dispose]: () => rtnetlink.close() };
    } catch (error) {
      rtnetlink.close();
      throw error;
    }
  }

  #inNode(work: () => void): void {
    if (this.#isOwn) work();
    else withNamespace(this.#node, work);
  }

  /** Takes the place of a route learned from elsewhere, but not of another pod's. */
  #replaceHostRoute(route: Route, hostIndex: number, refusal: KernelError): void {
    const holder = this.#host.routeTo(route.destination.address)?.nextHops[0]?.interfaceIndex;
    const name = holder === undefined || holder === hostIndex ? undefined : this.#host.link(holder)?.name;
    if (name !== undefined && this.#podPrefixes.some((prefix) => name.startsWith(prefix))) {
      const detail = `${Prefix.format(route.destination)} leads to ${name} already`;
      throw new KernelError("route.add", "EEXIST", detail, { cause: refusal });
    }
    this.#host.addRoute(route, "replace");
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
}

/** The first process's namespace, where it may be seen: a daemon in another one (a lab's) is to do the machine no harm. */
function machineNamespace(): number | undefined {
  try {
    return statSync("/proc/1/ns/net").ino;
  } catch {
    return undefined;
  }
}

/** A pod's end that is up, and its namespace's netlink. */
interface PodSide extends Disposable {
  readonly rtnetlink: Rtnetlink;
  readonly pair: PreparedPair;
}

function bringUp(podSide: Rtnetlink, { ifname, netns }: PodInterface): PreparedPair {
  let link: Link | undefined;
  const steps = [
    { op: "link.set", request: changeLink(0, { name: ifname, up: true }) },
    { op: "link.get", request: getLink({ name: ifname }) },
  ];
  carryOut(podSide.socket, steps, (answer) => {
    const change = decodeChange(answer);
    if (change?.kind === "link") ({ link } = change);
  });
  if (link?.mac === undefined || link.linkedIndex === undefined) {
    throw new KernelError("link.get", "ENODEV", `${ifname} of ${netns} or its other end is gone`);
  }
  return { podIndex: link.index, hostIndex: link.linkedIndex, mac: Mac.format(link.mac), mtu: link.mtu };
}

/** Addresses and routes of the pod's end. */
function configure(podSide: Rtnetlink, pod: PodInterface, { podIndex }: PreparedPair): void {
  const addresses = pod.addresses.map((address) => {
    const prefixLength = IpAddress.isIpv4(address) ? 32 : 128;
    const flags = IpAddress.isIpv6(address) ? IfaFlag.IFA_F_NODAD : 0;
    const wanted = { interfaceIndex: podIndex, address, prefixLength, flags };
    return { op: "address.add", request: newAddress(wanted, "replace") };
  });
  const routes = podRoutes(pod, podIndex).map((route) => ({
    op: "route.replace",
    request: newRoute(route, "replace"),
  }));
  carryOut(podSide.socket, [...addresses, ...routes]);
}

/** The host end's link state, and proxy ARP without delay where the pod has IPv4. */
function hostSettings({ families }: PodInterface, hostIndex: number): readonly NamedRequest[] {
  if (!families.has(4)) return [{ op: "link.set", request: changeLink(hostIndex, { up: true }) }];
  const ipv4 = { forwarding: true, proxyArp: true, routeLocalnet: true };
  return [
    { op: "link.set", request: changeLink(hostIndex, { up: true, ipv4 }) },
    { op: "neighbour.delay", request: setProxyDelay(hostIndex, 0) },
  ];
}

/** What netlink cannot say: proxy NDP, forwarding, no router advertisements; addresses usable without waiting for DAD. */
function setHostSettings({ hostName: name, families }: PodInterface): void {
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
