import { keys } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import { blocksWithin, releaseAffinity } from "./affinity.ts";
import { endCooldown, isEmptyBlock } from "./block.ts";
import type { IpamRecords } from "./ipam-records.ts";

/** Shorter than any rest, also by clocks that are far apart. */
const noCooldownSeconds = -1_000_000_000;

/**
 * Gives up all blocks of a range, as its pool goes: those without addresses are deleted, whoever has them, also nobody; the
 * others have no owner from then on. What rests rests no more: nobody gets an address of a pool that is gone, and nobody
 * would come later to delete its block, which then is in the way of a pool with other blocks. The blocks that were owned.
 */
export async function releaseRange(records: IpamRecords, range: Prefix): Promise<readonly Prefix[]> {
  const owned = await blocksWithin(records, range);
  const how = { cooldownSeconds: noCooldownSeconds };
  for (const { owner, block } of owned) await releaseAffinity(records, owner, block, how);
  await deleteUnowned(records, range);
  return owned.map(({ block }) => block);
}

async function deleteUnowned({ blocks, now }: IpamRecords, range: Prefix): Promise<void> {
  for (const entry of await blocks.entries(keys.blocks(range.family))) {
    const key = keys.parse(entry.key);
    const stored = blocks.parse(entry);
    if (key?.kind !== "block" || !Prefix.covers(range, key.cidr) || stored === undefined) continue;
    if (stored.record.affinity !== undefined) continue;
    // Losing this means that somebody has taken an address of it since.
    if (isEmptyBlock(endCooldown(stored.record, noCooldownSeconds, now()))) await blocks.delete(stored);
  }
}
