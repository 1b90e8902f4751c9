import { Prefix } from "@caracal/net";
import type { ClusterFacts, PoolFacts } from "./cluster.ts";
import type { PrefixAdvertisement } from "./communities.ts";
import type { ServiceRanges } from "./service-ranges.ts";

/** What a node tells its peers, after each peer's own filters: the first rule that holds decides. */
export interface ExportPolicy {
  /** Pools with disableBGPExport: nothing in them is told. */
  readonly hiddenPools: readonly PoolFacts[];
  /** What told routes are marked with: every range that holds a route adds its communities. */
  readonly advertisements: readonly PrefixAdvertisement[];
  /** Our own blocks are told whole: what is inside them is not told on its own. */
  readonly ownBlocks: readonly Prefix[];
  /** Service addresses that we announce, ranges in place of what is inside them: that is told as well. */
  readonly services: readonly Prefix[];
  /** Ranges of single service addresses that a route reflector passes on. */
  readonly reflectedServices: readonly Prefix[];
  /**
   * Other routes in them are told, such as borrowed addresses and what a reflector passes on. A disabled pool is among them:
   * it gives no new addresses, but its pods are still to be reached.
   */
  readonly pools: readonly PoolFacts[];
}

/** Whether a route is told, and the rule that says so. */
export interface ExportVerdict {
  readonly isAccepted: boolean;
  readonly rule: "pool-hidden" | "own-block" | "inside-own-block" | "service" | "pool" | "outside-pools";
  /** The pool or block of the rule. */
  readonly by?: string;
}

/** The export policy of a node. */
export function exportPolicy(
  cluster: ClusterFacts,
  ownBlocks: readonly Prefix[],
  services: ServiceRanges,
  advertisements: readonly PrefixAdvertisement[],
): ExportPolicy {
  return {
    hiddenPools: cluster.pools.filter((pool) => !pool.isExported),
    advertisements,
    ownBlocks,
    services: outermost(services.announced),
    reflectedServices: services.reflected,
    pools: cluster.pools,
  };
}

/** Of prefixes in order those that are inside no other: a range decides for the single addresses in it. */
function outermost(prefixes: readonly Prefix[]): readonly Prefix[] {
  const found: Prefix[] = [];
  for (const prefix of prefixes) {
    const last = found.at(-1);
    if (last === undefined || !Prefix.covers(last, prefix)) found.push(prefix);
  }
  return found;
}

/** The verdict on one route; the same for every peer of a family. */
export function decideExport(policy: ExportPolicy, route: Prefix): ExportVerdict {
  const hidden = policy.hiddenPools.find((pool) => Prefix.covers(pool.prefix, route));
  if (hidden !== undefined) return { isAccepted: false, rule: "pool-hidden", by: hidden.name };
  const block = policy.ownBlocks.find((own) => Prefix.covers(own, route));
  if (block !== undefined) {
    const isWhole = Prefix.equals(block, route);
    return {
      isAccepted: isWhole,
      rule: isWhole ? "own-block" : "inside-own-block",
      by: Prefix.format(block),
    };
  }
  const service = [...policy.services, ...policy.reflectedServices].find((range) =>
    Prefix.covers(range, route),
  );
  if (service !== undefined) return { isAccepted: true, rule: "service", by: Prefix.format(service) };
  const pool = policy.pools.find(({ prefix }) => Prefix.covers(prefix, route));
  if (pool !== undefined) return { isAccepted: true, rule: "pool", by: pool.name };
  return { isAccepted: false, rule: "outside-pools" };
}
