import { Prefix } from "@caracal/net";
import type { AllocationBlock } from "@caracal/resources";
import type { Pool, PoolRefusal } from "./pool.ts";
import type { Reservations } from "./reservation.ts";
import { reportUsage } from "./usage.ts";

/** Pools that one message names; how many more there are is a number. */
const maxNamed = 16;

/** What a person must know when pools were tried and gave nothing: of each pool of the family why, of the passed over too. */
export function explainShortage(
  tried: readonly Pool[],
  passedOver: readonly PoolRefusal[],
  blocks: readonly AllocationBlock[],
  reservations: Reservations,
): string {
  const usages = reportUsage(tried, blocks, reservations).pools;
  const reasons = usages.map(({ name, cidr, total, inUse, reserved, free }) => {
    const usage = `${inUse} of ${total} addresses in use, ${reserved} reserved`;
    // The node may not have another block, or others' blocks are not to be borrowed from.
    const rest = free === 0n ? "" : `, ${free} free outside this node's blocks`;
    return `${name} (${Prefix.format(cidr)}): ${usage}${rest}`;
  });
  const all = [...reasons, ...passedOver.map(({ pool, reason }) => `${pool}: ${reason}`)];
  const more = all.length > maxNamed ? [`${all.length - maxNamed} more pools`] : [];
  return `pools tried: ${[...all.slice(0, maxNamed), ...more].join("; ")}`;
}
