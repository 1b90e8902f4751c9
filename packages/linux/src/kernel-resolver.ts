import type { NextHopResolver, Resolution } from "@caracal/bgp";
import type { IpAddress } from "@caracal/net";
import { RouteType } from "@caracal/netlink";
import type { Rtnetlink } from "./rtnetlink.ts";

/** The way to a next hop, as the kernel's own tables give it. */
export interface KernelPath {
  readonly interfaceName: string;
  /** Absent when the next hop is on the link itself. */
  readonly gateway: IpAddress | undefined;
}

/**
 * Resolves BGP next hops by asking the kernel which route a packet would take (BIRD's "gateway recursive"). Routes that BGP
 * itself installed do not count: a next hop must not depend on what it carries.
 */
export class KernelResolver implements NextHopResolver {
  readonly #kernel: Rtnetlink;
  readonly #protocol: () => number;
  readonly #paths = new Map<IpAddress, KernelPath | undefined>();
  #names: ReadonlyMap<number, string> | undefined;
  #gateways: ReadonlyMap<IpAddress, IpAddress> = new Map();

  /** `protocol` is that of the routes which BGP itself installs now. */
  constructor(kernel: Rtnetlink, protocol: () => number) {
    this.#kernel = kernel;
    this.#protocol = protocol;
  }

  resolve(nextHop: IpAddress): Resolution {
    const path = this.path(nextHop);
    if (path === undefined) return { reachable: false };
    return { reachable: true, metric: 0, connected: path.gateway === undefined, link: path.interfaceName };
  }

  /** Peers that are reached through gateways by routes of our own, which do not count otherwise. */
  setGateways(gateways: ReadonlyMap<IpAddress, IpAddress>): void {
    this.#gateways = gateways;
    this.forget();
  }

  /** Remembered until `forget`. */
  path(nextHop: IpAddress): KernelPath | undefined {
    if (!this.#paths.has(nextHop)) this.#paths.set(nextHop, this.#ask(nextHop));
    return this.#paths.get(nextHop);
  }

  /** Links, addresses or routes changed: ask again. */
  forget(): void {
    this.#paths.clear();
    this.#names = undefined;
  }

  #ask(nextHop: IpAddress): KernelPath | undefined {
    const gateway = this.#gateways.get(nextHop);
    if (gateway === undefined) return this.#askKernel(nextHop);
    const path = this.#askKernel(gateway);
    // A gateway is on the link itself; one behind another is none.
    return path?.gateway === undefined && path !== undefined
      ? { interfaceName: path.interfaceName, gateway }
      : undefined;
  }

  #askKernel(nextHop: IpAddress): KernelPath | undefined {
    const route = this.#kernel.routeTo(nextHop);
    const [hop] = route?.nextHops ?? [];
    if (route === undefined || hop?.interfaceIndex === undefined) return undefined;
    if (route.type !== RouteType.RTN_UNICAST || route.protocol === this.#protocol()) return undefined;
    const interfaceName = this.#linkName(hop.interfaceIndex);
    return interfaceName === undefined ? undefined : { interfaceName, gateway: hop.gateway };
  }

  #linkName(index: number): string | undefined {
    this.#names ??= new Map(this.#kernel.links().map((link) => [link.index, link.name]));
    return this.#names.get(index);
  }
}
