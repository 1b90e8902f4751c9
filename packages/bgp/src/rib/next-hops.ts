import { type IpAddress } from "@caracal/net";

/** How a next hop is reached: what the IGP, the kernel's table or a lab's wiring says. */
export type Resolution =
  | { readonly reachable: false }
  | {
      readonly reachable: true;
      /** Interior cost (RFC 4271 §9.1.2.2 e); 0 for a connected next hop. */
      readonly metric: number;
      /** On a link of ours, without a gateway in between. */
      readonly connected: boolean;
      /** The link that leads there, where one is known. */
      readonly link?: string;
    };

/** The port that the speaker asks about next hops. Pure between two "resolution" events. */
export interface NextHopResolver {
  resolve(nextHop: IpAddress): Resolution;
}

/** Takes every next hop as connected: for speakers that only relay. */
export const everythingReachable: NextHopResolver = {
  resolve: () => ({ reachable: true, metric: 0, connected: true }),
};

/** More next hops than this are not remembered at once. */
const maxRemembered = 65_536;

/** Remembers the resolver's answers, so that a decision sees one answer until the network is said to have changed. */
export class NextHops {
  readonly #resolver: NextHopResolver;
  #known = new Map<IpAddress, Resolution>();
  #recent: IpAddress | undefined;
  #recentMetric = 0;

  constructor(resolver: NextHopResolver) {
    this.#resolver = resolver;
  }

  resolve(nextHop: IpAddress): Resolution {
    const known = this.#known.get(nextHop);
    if (known !== undefined) return known;
    if (this.#known.size >= maxRemembered) this.#known.clear();
    const resolution = this.#resolver.resolve(nextHop);
    this.#known.set(nextHop, resolution);
    return resolution;
  }

  /** Interior cost, or `Infinity` when there is no way. Quick when asked the same again, as for a run of prefixes. */
  metric(nextHop: IpAddress): number {
    if (nextHop !== this.#recent) {
      const resolution = this.resolve(nextHop);
      this.#recentMetric = resolution.reachable ? resolution.metric : Infinity;
      this.#recent = nextHop;
    }
    return this.#recentMetric;
  }

  /** Forgets all answers and returns a test for next hops whose answer is now another (or was not remembered). */
  refresh(): (nextHop: IpAddress) => boolean {
    const before = this.#known;
    this.#known = new Map();
    this.#recent = undefined;
    return (nextHop) => {
      const old = before.get(nextHop);
      return old === undefined || !equal(old, this.resolve(nextHop));
    };
  }
}

function equal(a: Resolution, b: Resolution): boolean {
  if (!a.reachable || !b.reachable) return a.reachable === b.reachable;
  return a.metric === b.metric && a.connected === b.connected && a.link === b.link;
}
