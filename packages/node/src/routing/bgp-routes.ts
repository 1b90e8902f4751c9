import type { BestRouteChange } from "@caracal/bgp";
import type { DesiredNextHop, DesiredRoute } from "@caracal/dataplane";
import { decideProgramming, type ProgrammingPolicy } from "@caracal/intent";
import { type IpAddress, Prefix } from "@caracal/net";
import { RouteProtocol } from "@caracal/netlink";
import type { KernelPath } from "@caracal/linux";

type Reach = Extract<BestRouteChange, { readonly kind: "reach" }>;

/** How next hops are reached. */
export type PathLookup = (nextHop: IpAddress) => KernelPath | undefined;

/** Who takes packets to a destination out of an IPIP tunnel, where its route has this next hop. */
export type TunnelEndLookup = (destination: Prefix, nextHop: IpAddress) => IpAddress;

/** What a batch of best routes means for the kernel. */
export interface RouteUpdate {
  readonly set: readonly DesiredRoute[];
  readonly remove: readonly DesiredRoute[];
}

/**
 * The best BGP routes, and the kernel routes they become under the node's programming policy. Kept whole, because a pool that
 * changes its mode decides anew about routes that were learned long ago.
 */
export class BgpRoutes {
  readonly #best = new Map<string, Reach>();
  readonly #path: PathLookup;
  readonly #tunnelEnd: TunnelEndLookup;
  #policy: ProgrammingPolicy | undefined;

  constructor(path: PathLookup, tunnelEnd: TunnelEndLookup) {
    this.#path = path;
    this.#tunnelEnd = tunnelEnd;
  }

  /** Prefixes with a best route learned from a peer. */
  get size(): number {
    return this.#best.size;
  }

  clear(): void {
    this.#best.clear();
  }

  /** Takes changes in and says what they change for the kernel. */
  apply(changes: readonly BestRouteChange[]): RouteUpdate {
    const set: DesiredRoute[] = [];
    const remove: DesiredRoute[] = [];
    for (const change of changes) {
      const key = Prefix.key(change.prefix);
      // A local origin is what the node has anyway: its blackhole and its pods.
      const reach = change.kind === "reach" && change.source.kind === "peer" ? change : undefined;
      if (reach === undefined) this.#best.delete(key);
      else this.#best.set(key, reach);
      const route = reach === undefined ? undefined : this.#programmed(reach);
      if (route === undefined)
        remove.push({ destination: change.prefix, protocol: RouteProtocol.RTPROT_BIRD });
      else set.push(route);
    }
    return { set, remove };
  }

  /** Every kernel route there should be, under a policy that holds from now on. */
  under(policy: ProgrammingPolicy): readonly DesiredRoute[] {
    this.#policy = policy;
    return [...this.#best.values()].flatMap((reach) => this.#programmed(reach) ?? []);
  }

  #programmed(reach: Reach): DesiredRoute | undefined {
    const [first] = reach.nextHops;
    if (this.#policy === undefined || first === undefined) return undefined;
    const verdict = decideProgramming(this.#policy, reach.prefix, first.address);
    const destination = reach.prefix;
    const protocol = RouteProtocol.RTPROT_BIRD;
    switch (verdict.kind) {
      case "skip":
        return undefined;
      case "tunnel": {
        const gateway = this.#tunnelEnd(destination, first.address);
        const hop = { interfaceName: verdict.device, gateway, onlink: true };
        return { destination, protocol, nextHops: [hop] };
      }
      case "direct": {
        const nextHops = reach.nextHops.flatMap(({ address }) => this.#hop(address) ?? []);
        return nextHops.length === 0 ? undefined : { destination, protocol, nextHops };
      }
    }
  }

  #hop(nextHop: IpAddress): DesiredNextHop | undefined {
    const path = this.#path(nextHop);
    return path === undefined
      ? undefined
      : { interfaceName: path.interfaceName, gateway: path.gateway ?? nextHop };
  }
}
