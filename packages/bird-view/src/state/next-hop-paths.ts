import { type IpAddress, type Ipv6, PrefixTable } from "@caracal/net";
import type { BirdRoute, BirdVia } from "../bird-snapshot.ts";
import type { ConnectedSubnet } from "./kernel-view.ts";

/** Where routes with a certain next hop lead, and BIRD's interior cost of it. */
export interface NextHopPath {
  readonly via: BirdVia;
  readonly igpMetric: number | "unknown" | "unresolvable";
}

/** Resolves BGP next hops as BIRD's recursive gateways do: by the longest match among routes that BGP did not bring. */
export class NextHopPaths {
  readonly #table = new PrefixTable<BirdRoute>();
  /** By interface: IPv6 next hops of IPv4 routes (RFC 8950) are on a link, or nowhere in a table of IPv4. */
  readonly #links = new PrefixTable<string>();
  readonly #ownAddresses: ReadonlyMap<IpAddress, string>;
  readonly #known = new Map<IpAddress, NextHopPath>();

  /** `routes` as `localRoutes` gives them; `subnets`, of both families, tell the node's own addresses. */
  constructor(routes: readonly BirdRoute[], subnets: readonly ConnectedSubnet[]) {
    this.#ownAddresses = new Map(subnets.map((subnet) => [subnet.address, subnet.interface]));
    for (const subnet of subnets) this.#links.set(subnet.prefix, subnet.interface);
    for (const route of routes) {
      const rival = this.#table.get(route.prefix);
      if (rival === undefined || route.preference > rival.preference) this.#table.set(route.prefix, route);
    }
  }

  /** A link-local next hop that came along is the gateway on a shared link (RFC 2545 §3). */
  resolve(nextHop: IpAddress, linkLocal?: Ipv6): NextHopPath {
    let path = this.#known.get(nextHop);
    if (path === undefined) {
      path = this.#lookUp(nextHop);
      this.#known.set(nextHop, path);
    }
    const { via } = path;
    const isOnLink = via.kind === "gateway" && via.gateway === nextHop;
    return linkLocal === undefined || !isOnLink ? path : { ...path, via: { ...via, gateway: linkLocal } };
  }

  #lookUp(nextHop: IpAddress): NextHopPath {
    const link = this.#links.match(nextHop);
    const via =
      this.#table.match(nextHop)?.via ??
      (link === undefined ? undefined : { kind: "device" as const, interface: link });
    switch (via?.kind) {
      case undefined:
        return unresolvable;
      case "device":
        // A route that leads to this node itself leads nowhere.
        return this.#ownAddresses.get(nextHop) === via.interface
          ? unresolvable
          : { via: { kind: "gateway", gateway: nextHop, interface: via.interface }, igpMetric: 0 };
      case "gateway":
      case "multipath":
        // Neither the kernel nor a static route tells a cost.
        return { via, igpMetric: "unknown" };
      case "blackhole":
      case "unreachable":
      case "prohibited":
        return { via, igpMetric: "unresolvable" };
    }
  }
}

/** The path of a route whose next hop nothing leads to. */
export const unresolvable: NextHopPath = { via: { kind: "unreachable" }, igpMetric: "unresolvable" };
