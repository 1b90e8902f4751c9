import { type Clock, type DesiredRoute, type RouteKey, routeKey } from "@caracal/dataplane";
import type { PoolFacts } from "@caracal/intent";
import { Prefix } from "@caracal/net";

/** How long a route waits for the other end before it is given up for its successor, there or not. */
export const holdMs = 30_000;

export interface PoolMovesOptions {
  readonly clock: Clock;
  /** Whether the other end of a route takes what is sent by it. */
  readonly isReady: (successor: DesiredRoute) => boolean;
  /** Somebody has waited long enough. */
  readonly onExpired: () => void;
}

/**
 * Routes of pools whose encapsulation changes while they carry traffic. Nodes hear of a change at different moments, so a
 * route stays as it was until its successor is there and the other end can take what comes by it; no longer than `holdMs`.
 */
export class PoolMoves {
  readonly #options: PoolMovesOptions;
  #modes: ReadonlyMap<string, string> | undefined;
  readonly #held = new Map<RouteKey, { readonly route: DesiredRoute; readonly until: number }>();
  #callOff: (() => void) | undefined;

  constructor(options: PoolMovesOptions) {
    this.#options = options;
  }

  /** Pools that are otherwise encapsulated than last time; none the first time, as nothing is known of before. */
  changed(pools: readonly PoolFacts[]): readonly Prefix[] {
    const modes = new Map(
      pools.map((pool) => [Prefix.key(pool.prefix), `${pool.ipipMode} ${pool.vxlanMode}`]),
    );
    const before = this.#modes;
    this.#modes = modes;
    if (before === undefined) return [];
    return pools
      .map(({ prefix }) => prefix)
      .filter((prefix) => {
        const former = before.get(Prefix.key(prefix));
        return former !== undefined && former !== modes.get(Prefix.key(prefix));
      });
  }

  /** Holds what leads to other nodes in these pools, beside what is held already. */
  hold(routes: Iterable<DesiredRoute>, pools: readonly Prefix[]): void {
    const { clock, onExpired } = this.#options;
    const until = clock.now() + holdMs;
    for (const route of routes) {
      const { destination, nextHops = [] } = route;
      const isRemote = nextHops.some(({ gateway }) => gateway !== undefined);
      if (isRemote && pools.some((pool) => Prefix.covers(pool, destination)))
        this.#held.set(routeKey(route), { route, until });
    }
    this.#callOff?.();
    this.#callOff = clock.after(holdMs, onExpired);
  }

  get isHolding(): boolean {
    return this.#held.size > 0;
  }

  /** Those that stay for now, given what would be in their place without them. */
  staying(successorOf: (route: DesiredRoute) => DesiredRoute | undefined): readonly DesiredRoute[] {
    const { clock, isReady } = this.#options;
    const now = clock.now();
    for (const [key, { route, until }] of this.#held) {
      const successor = successorOf(route);
      if (now >= until || (successor !== undefined && isReady(successor))) this.#held.delete(key);
    }
    return [...this.#held.values()].map(({ route }) => route);
  }

  stop(): void {
    this.#callOff?.();
  }
}
