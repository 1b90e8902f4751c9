import { type AffinityOwner, keys } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import type { AllocationBlock } from "@caracal/resources";
import { affinityText, confirmedAffinity, pendingAffinity, secureBlock } from "./affinity.ts";
import { HandleCounts } from "./handle-count.ts";
import type { IpamRecords } from "./ipam-records.ts";
import type { Stored } from "./record-shelf.ts";
import { countHoldsFor } from "./unbacked-counts.ts";

/** A block that was made with what is wanted from it. */
export interface FilledClaim {
  readonly block: Stored<AllocationBlock>;
  /** The owner has it for good; otherwise only the addresses are had, as borrowed ones. */
  readonly isOwned: boolean;
}

/**
 * Takes a block that does not exist, filled, in three round trips: the affinity is `pending` and the handles are counted,
 * then the block is made, then the affinity is `confirmed`. "taken" when the block is another's by now; `undefined` when
 * only the steps of `claimBlock` will tell. Then nothing is left counted.
 */
export async function claimSingly(
  records: IpamRecords,
  owner: AffinityOwner,
  content: AllocationBlock,
  counts: ReadonlyMap<string, number>,
): Promise<FilledClaim | "taken" | undefined> {
  const { affinities, blocks, now } = records;
  const cidr = Prefix.parse(content.cidr);
  if (cidr === undefined) return undefined;
  const begun = now();
  const counted = new HandleCounts(records, cidr);
  const [created] = await Promise.all([
    affinities.create(keys.affinity(owner, cidr), pendingAffinity),
    counted.set(counts),
  ]);
  const affinity = created.kind === "ok" ? created.stored : created.current;
  const isInTime = now() - begun <= countHoldsFor;
  if (affinity?.record.state !== "pending" || !isInTime) {
    await counted.drop();
    return undefined;
  }
  const made = await blocks.create(keys.block(cidr), content);
  if (made.kind === "stale") {
    const holder = made.current?.record.affinity;
    const isAnothers = made.current !== undefined && holder !== affinityText(owner);
    await Promise.all([counted.drop(), isAnothers ? affinities.delete(affinity) : undefined]);
    return isAnothers ? "taken" : undefined;
  }
  // From here on the addresses are had, whatever becomes of the claim.
  const sealed = await affinities.update(affinity, confirmedAffinity);
  if (sealed.kind === "ok") return { block: made.stored, isOwned: true };
  const secured = await secureBlock(records, owner, cidr, sealed.current);
  return { block: secured ?? made.stored, isOwned: secured !== undefined };
}
