import { type AffinityOwner, keys } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import type { AllocationBlock } from "@caracal/resources";
import { affinityOwner, affinityText, releaseAffinity } from "./affinity.ts";
import { isEmptyBlock } from "./block.ts";
import type { IpamRecords } from "./ipam-records.ts";
import type { Stored } from "./record-shelf.ts";
import { Nanos } from "./timestamp.ts";

/** A block younger than this may be empty only because its owner has not assigned from it yet. */
export const reclaimAfterSeconds = 60;

/** Whether `owner`, finding no free block, may take this one away: another node's, empty, and not just claimed. */
export function isReclaimable(block: AllocationBlock, owner: AffinityOwner, now: Nanos): boolean {
  if (block.affinity === affinityText(owner) || !isEmptyBlock(block)) return false;
  if (block.affinity !== undefined && affinityOwner(block.affinity)?.kind !== "host") return false;
  const claimed = Nanos.parseRfc3339(block.affinity_claim_time ?? "");
  return claimed === undefined || now - claimed > Nanos.fromSeconds(reclaimAfterSeconds);
}

/** Takes an empty block from its owner, unless it has changed since it was read; says whether it is gone. */
export async function reclaimBlock(
  records: IpamRecords,
  block: Stored<AllocationBlock>,
  cooldownSeconds: number,
): Promise<boolean> {
  const { affinity, cidr: text, sequenceNumber } = block.record;
  const owner = affinityOwner(affinity);
  const cidr = Prefix.parse(text);
  if (owner === undefined || cidr === undefined) return (await records.blocks.delete(block)).kind === "ok";
  const outcome = await releaseAffinity(records, owner, cidr, {
    onlyEmpty: true,
    cooldownSeconds,
    accepts: (current) => current.sequenceNumber === sequenceNumber,
  });
  return outcome === "released" && (await records.blocks.get(keys.block(cidr))) === undefined;
}
