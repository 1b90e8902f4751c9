import type { NextHopResolver, Resolution } from "@caracal/bgp";
import type { Rtnetlink } from "@caracal/linux";
import type { IpAddress } from "@caracal/net";
import { RouteType } from "@caracal/netlink";

/** The way to a next hop, as the kernel's own tables give it. */
export interface KernelPath {
  readonly interfaceName: string;
  /** Absent when the next hop is on the link itself. */
  readonly gateway: IpAddress | undefined;
}

/**
 * Resolves BGP next hops by asking the kernel which route a packet would take. Routes of our own protocol do not count: a
 * next hop must not depend on what it carries.
 */
export class KernelResolver implements NextHopResolver {
  readonly #kernel: Rtnetlink;
  readonly #protocol: () => number;
  readonly #paths = new Map<IpAddress, KernelPath | undefined>();
  #names: ReadonlyMap<number, string> | undefined;

  constructor(kernel: Rtnetlink, protocol: () => number) {
    this.#kernel = kernel;
    this.#protocol = protocol;
  }

  resolve(nextHop: IpAddress): Resolution {
    const path = this.path(nextHop);
    if (path === undefined) return { reachable: false };
    return { reachable: true, metric: 0, connected: path.gateway === undefined, link: path.interfaceName };
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
    const route = this.#kernel.routeTo(nextHop);
    const [hop] = route?.nextHops ?? [];
    if (route === undefined || hop?.interfaceIndex === undefined) return undefined;
    if (route.type !== RouteType.RTN_UNICAST || route.protocol === this.#protocol()) return undefined;
    this.#names ??= new Map(this.#kernel.links().map((link) => [link.index, link.name]));
    const interfaceName = this.#names.get(hop.interfaceIndex);
    return interfaceName === undefined ? undefined : { interfaceName, gateway: hop.gateway };
  }
}
