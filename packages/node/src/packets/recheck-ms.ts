import type { FelixSettings } from "@caracal/intent";
import { parseDurationSeconds } from "@caracal/resources";

const presetSeconds = 180;
/** More often would be work without end. */
const leastSeconds = 1;

/** How often tables of nftables are compared (`nftablesRefreshInterval`); zero leaves it to what the kernel tells. */
export function recheckMsOf({ nftablesRefreshInterval }: FelixSettings): number {
  const seconds =
    nftablesRefreshInterval === undefined ? undefined : parseDurationSeconds(nftablesRefreshInterval);
  if (seconds === 0) return Infinity;
  return Math.max(leastSeconds, seconds ?? presetSeconds) * 1000;
}
