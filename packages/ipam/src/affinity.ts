import { type AffinityOwner, keys } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import type { AllocationBlock, BlockAffinityRecord } from "@caracal/resources";
import { endCooldown, isEmptyBlock, newBlock, withoutAffinity, written } from "./block.ts";
import { contention } from "./ipam-error.ts";
import { fitsTransaction, type IpamRecords } from "./ipam-records.ts";
import type { ShelfStep, Stored } from "./record-shelf.ts";

/*
 * A node owns a block by an affinity record beside the block. Taking and giving up go through a state that is not
 * `confirmed`, so that a crash between the two writes shows:
 *
 *   take     affinity pending → block created, or touched when it was there → affinity confirmed
 *   give up  block read → affinity pendingDeletion → block deleted, or its owner cleared → affinity deleted
 *
 * Where the store has transactions, an affinity is born confirmed, together with its block.
 *
 * Every write is made at the revision that the step before left. Touching the block makes a giving-up that read it
 * earlier fail, and marking the affinity makes a taking that began earlier fail: a confirmed affinity has its block.
 */

/** The owner as the block names it. */
export function affinityText(owner: AffinityOwner): string {
  return `${owner.kind}:${owner.name}`;
}

/** The owner that a block names. */
export function affinityOwner(text: string | undefined): AffinityOwner | undefined {
  const match = /^(host|virtual):(.+)$/s.exec(text ?? "");
  const [, kind, name] = match ?? [];
  return (kind === "host" || kind === "virtual") && name !== undefined ? { kind, name } : undefined;
}

/** Takes a block for `owner` and gives it, or `undefined` when it is another's. */
export async function claimBlock(
  records: IpamRecords,
  owner: AffinityOwner,
  cidr: Prefix,
): Promise<Stored<AllocationBlock> | undefined> {
  const together = await claimTogether(
    records,
    owner,
    newBlock(cidr, affinityText(owner), records.now()),
    [],
  );
  if (together !== undefined) return together === "taken" ? undefined : together;
  const created = await records.affinities.create(keys.affinity(owner, cidr), pendingAffinity);
  return secureBlock(records, owner, cidr, created.kind === "ok" ? created.stored : created.current);
}

/**
 * Takes a block that does not exist with all that shall be in it, and the steps that go with that, at once. "taken" when
 * it is another's by now; `undefined` when only single steps will tell, or the store has no others.
 */
export async function claimTogether(
  records: IpamRecords,
  owner: AffinityOwner,
  content: AllocationBlock,
  others: readonly ShelfStep[],
): Promise<Stored<AllocationBlock> | "taken" | undefined> {
  const { affinities, blocks, transact } = records;
  const cidr = Prefix.parse(content.cidr);
  if (transact === undefined || cidr === undefined) return undefined;
  const key = keys.block(cidr);
  const affinityKey = keys.affinity(owner, cidr);
  const steps = [
    affinities.creating(affinityKey, confirmedAffinity),
    blocks.creating(key, content),
    ...others,
  ];
  if (!fitsTransaction(steps)) return undefined;
  if (await transact(steps)) return blocks.remembered(key);
  const holder = blocks.remembered(key)?.record.affinity;
  const isAnothers = blocks.remembered(key) !== undefined && holder !== affinityText(owner);
  return isAnothers && affinities.remembered(affinityKey) === undefined ? "taken" : undefined;
}

export const pendingAffinity: BlockAffinityRecord = { state: "pending", deleted: false };
export const confirmedAffinity: BlockAffinityRecord = { state: "confirmed", deleted: false };
const pendingDeletion: BlockAffinityRecord = { state: "pendingDeletion", deleted: false };

/**
 * Brings an affinity and its block in accord, whatever state they were left in: the block, or `undefined` when it is
 * another's, and then the affinity is gone.
 */
export async function secureBlock(
  records: IpamRecords,
  owner: AffinityOwner,
  cidr: Prefix,
  known: Stored<BlockAffinityRecord> | undefined,
): Promise<Stored<AllocationBlock> | undefined> {
  const { affinities, blocks } = records;
  const ours = affinityText(owner);
  let affinity = known;
  let block: Stored<AllocationBlock> | undefined;
  for (let attempt = 0; attempt < records.attempts; attempt += 1) {
    if (affinity === undefined) {
      const created = await affinities.create(keys.affinity(owner, cidr), pendingAffinity);
      affinity = created.kind === "ok" ? created.stored : created.current;
      continue;
    }
    if (affinity.record.state !== "pending") {
      if (affinity.record.state === "confirmed") {
        const found = await blocks.get(keys.block(cidr));
        if (found?.record.affinity === ours) return found;
        // Only a write tells for certain who has it: the creation below.
        block = undefined;
      }
      const marked = await affinities.update(affinity, pendingAffinity);
      affinity = marked.kind === "ok" ? marked.stored : marked.current;
      continue;
    }
    const held =
      block === undefined
        ? await blocks.create(keys.block(cidr), newBlock(cidr, ours, records.now()))
        : await blocks.update(block, written(block.record));
    if (held.kind === "stale") {
      block = held.current;
      if (block === undefined || block.record.affinity === ours) continue;
      await affinities.delete(affinity);
      return undefined;
    }
    const sealed = await affinities.update(affinity, confirmedAffinity);
    if (sealed.kind === "ok") return held.stored;
    affinity = sealed.current;
    block = held.stored;
  }
  throw contention();
}

/** What became of a release: "kept" when the block is in use and only an empty one was to go. */
export type AffinityRelease = "released" | "kept";

/**
 * Gives up an owner's block. An empty one is deleted; one in use loses its owner, and its addresses stay valid. Anyone
 * may do it, also for an owner that is gone.
 */
export async function releaseAffinity(
  records: IpamRecords,
  owner: AffinityOwner,
  cidr: Prefix,
  options: {
    readonly onlyEmpty?: boolean;
    /** What was released so long ago does not keep a block from being empty; all does that rests, unless told. */
    readonly cooldownSeconds?: number;
    /** Says no when the block is not what the caller thought it to be. */
    readonly accepts?: (block: AllocationBlock) => boolean;
  } = {},
): Promise<AffinityRelease> {
  const { affinities, blocks } = records;
  const ours = affinityText(owner);
  for (let attempt = 0; attempt < records.attempts; attempt += 1) {
    const found = await blocks.get(keys.block(cidr));
    const block = found === undefined ? undefined : rested(records, found, options.cooldownSeconds);
    const isOurs = block?.record.affinity === ours;
    if (isOurs && options.onlyEmpty === true && !isEmptyBlock(block.record)) return "kept";
    if (isOurs && options.accepts?.(block.record) === false) return "kept";
    const affinity = await affinities.get(keys.affinity(owner, cidr));
    if (affinity === undefined && !isOurs) return "released";
    // Marked even when it is marked already: only a mark newer than the reading of the block proves that the owner
    // has not taken it again since.
    const marked = affinity === undefined ? undefined : await affinities.update(affinity, pendingDeletion);
    if (marked?.kind === "stale") continue;
    if (isOurs) {
      if ((await disown(records, block)) === "stale") continue;
    } else if (block === undefined && (await blocks.get(keys.block(cidr))) !== undefined) continue;
    // Losing this means that the owner has begun to take the block again, which is its right.
    if (marked !== undefined) await affinities.delete(marked.stored);
    return "released";
  }
  throw contention();
}

/** The block with what has rested long enough free again. */
function rested(
  { now }: IpamRecords,
  block: Stored<AllocationBlock>,
  cooldownSeconds: number | undefined,
): Stored<AllocationBlock> {
  if (cooldownSeconds === undefined) return block;
  return { ...block, record: endCooldown(block.record, cooldownSeconds, now()) };
}

/** The owned blocks of a range, by the affinities and by what the blocks say themselves. */
export async function blocksWithin(
  { affinities, blocks }: IpamRecords,
  range: Prefix,
): Promise<readonly { readonly owner: AffinityOwner; readonly block: Prefix }[]> {
  const [hosts, virtuals, entries] = await Promise.all([
    affinities.entries(keys.affinities("host")),
    affinities.entries(keys.affinities("virtual")),
    blocks.entries(keys.blocks(range.family)),
  ]);
  const claims = [...hosts, ...virtuals].flatMap(({ key }) => {
    const named = keys.parse(key);
    return named?.kind === "affinity" ? [{ owner: named.owner, block: named.cidr }] : [];
  });
  const claimed = entries.flatMap((entry) => {
    const named = keys.parse(entry.key);
    const owner = affinityOwner(blocks.parse(entry)?.record.affinity);
    return named?.kind === "block" && owner !== undefined ? [{ owner, block: named.cidr }] : [];
  });
  const within = [...claims, ...claimed].filter(({ block }) => Prefix.covers(range, block));
  return [...new Map(within.map((one) => [keys.affinity(one.owner, one.block), one])).values()];
}

async function disown(records: IpamRecords, block: Stored<AllocationBlock>): Promise<"ok" | "stale"> {
  const { blocks } = records;
  const outcome = isEmptyBlock(block.record)
    ? await blocks.delete(block)
    : await blocks.update(block, written(withoutAffinity(block.record)));
  return outcome.kind;
}
