import type { Prefix } from "@caracal/net";
import type { AllocationBlock } from "@caracal/resources";
import { type Want, written } from "./block.ts";
import { HandleCounts } from "./handle-count.ts";
import { contention } from "./ipam-error.ts";
import type { IpamRecords } from "./ipam-records.ts";
import type { Stored } from "./record-shelf.ts";

/** A block with more allocations than before, and how many of them each handle has. */
export interface AllocationPlan {
  readonly block: AllocationBlock;
  readonly counts: ReadonlyMap<string, number>;
}

/**
 * Writes allocations to one block, handles first. `plan` is asked again whenever another was quicker, and says
 * `undefined` when this block is of no use any more; then nothing is left counted. `confirm` may refuse the block too: it
 * is asked while the handles are written, so that it costs no round trip.
 */
export async function writeAllocation<P extends AllocationPlan>(
  records: IpamRecords,
  cidr: Prefix,
  found: Stored<AllocationBlock>,
  plan: (block: AllocationBlock) => P | undefined,
  confirm: () => Promise<boolean> = () => Promise.resolve(true),
): Promise<P | undefined> {
  const counts = new HandleCounts(records, cidr);
  let stored: Stored<AllocationBlock> | undefined = found;
  for (let attempt = 0; attempt < records.attempts && stored !== undefined; attempt += 1) {
    const planned = plan(stored.record);
    if (planned === undefined) {
      await counts.drop();
      return undefined;
    }
    const [isConfirmed] = await Promise.all([confirm(), counts.set(planned.counts)]);
    if (!isConfirmed) {
      await counts.drop();
      return undefined;
    }
    const outcome = await records.blocks.update(stored, written(planned.block));
    if (outcome.kind === "ok") return planned;
    stored = outcome.current;
  }
  await counts.drop();
  if (stored === undefined) return undefined;
  throw contention();
}

/** Addresses by handle. */
export function countHandles(
  wants: readonly Want[],
  ordinals: readonly (readonly number[])[],
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [index, { handle }] of wants.entries()) {
    const count = ordinals[index]?.length ?? 0;
    if (handle !== undefined && count > 0) counts.set(handle, (counts.get(handle) ?? 0) + count);
  }
  return counts;
}
