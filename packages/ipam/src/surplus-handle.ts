import { keys, type Revision } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import type { AllocationBlock, IpamHandle } from "@caracal/resources";
import { countByHandle, written } from "./block.ts";
import type { IpamSnapshot } from "./consistency.ts";
import type { IpamRecords } from "./ipam-records.ts";

/** A handle that counts more addresses than blocks give it: what an assignment or a release leaves that ended halfway. */
export interface SurplusHandle {
  readonly id: string;
  /** Addresses that blocks give it; none for an idle handle, which may go. */
  readonly held: number;
  /** Where it counts too much; nothing for a handle that counts nothing at all. */
  readonly surplus: readonly BlockSurplus[];
}

/** How much a handle counts of one block, and how much that gives it. */
export interface BlockSurplus {
  /** As the handle names the block. */
  readonly block: string;
  readonly counted: number;
  readonly held: number;
}

/** A handle of some revision that counts too much. */
export interface StoredSurplus extends SurplusHandle {
  readonly revision: Revision;
}

/** - `kept`: it is another one by now, or counts what it has. */
export type HandleCorrection = "deleted" | "lowered" | "kept";

/**
 * Every handle of a moment that counts too much, ordered as the snapshot is. Not among them is one that counts a block which
 * cannot be read, nor one of which a block holds something uncounted: that must not be made to count even less.
 */
export function surplusHandles({ blocks, handles, unreadable }: IpamSnapshot): readonly SurplusHandle[] {
  const heldIn = new Map<string, ReadonlyMap<string, number>>();
  const heldBy = new Map<string, number>();
  for (const { cidr, record } of blocks) {
    const counts = countByHandle(record);
    heldIn.set(Prefix.format(cidr), counts);
    for (const [handle, count] of counts) heldBy.set(handle, (heldBy.get(handle) ?? 0) + count);
  }
  const closed = new Set(unreadable);
  return handles.flatMap(({ id, record }) => {
    const counted = Object.keys(record.block);
    const held = counted.reduce((sum, block) => sum + (heldIn.get(block)?.get(id) ?? 0), 0);
    if (held !== (heldBy.get(id) ?? 0) || counted.some((block) => closed.has(keyOf(block)))) return [];
    const surplus = surplusOf(record, (block) => heldIn.get(block)?.get(id) ?? 0);
    return surplus.length > 0 || held === 0 ? [{ id, held, surplus }] : [];
  });
}

function keyOf(block: string): string {
  const cidr = Prefix.parse(block);
  return cidr === undefined ? "" : keys.block(cidr);
}

function surplusOf(handle: IpamHandle, heldIn: (block: string) => number): readonly BlockSurplus[] {
  return Object.entries(handle.block).flatMap(([block, counted]) => {
    const held = heldIn(block);
    return counted > held ? [{ block, counted, held }] : [];
  });
}

/** The same of one handle, by the blocks that it counts: what blocks give it that it does not count is not seen. */
export async function readSurplus(records: IpamRecords, id: string): Promise<StoredSurplus | undefined> {
  const handle = await records.handles.get(keys.handle(id));
  if (handle === undefined) return undefined;
  const counts = await Promise.all(
    Object.keys(handle.record.block).map(
      async (block) => [block, heldBy(id, (await readBlock(records, block))?.record)] as const,
    ),
  );
  const byBlock = new Map(counts);
  const surplus = surplusOf(handle.record, (block) => byBlock.get(block) ?? 0);
  const held = counts.reduce((sum, [, count]) => sum + count, 0);
  if (surplus.length === 0 && held > 0) return undefined;
  return { id, held, surplus, revision: handle.revision };
}

/**
 * Makes a handle count what it has, if it is still the one of `revision`; one that has nothing goes. Each block that is counted
 * too high is written first, as handle-count.ts demands: an assignment that was counted and not written must not succeed
 * uncounted. One that makes its block cannot be made to fail, so the revision must be a minute old, or nobody may assign.
 */
export async function correctHandle(
  records: IpamRecords,
  id: string,
  revision: Revision,
): Promise<HandleCorrection> {
  const { blocks, handles } = records;
  const handle = await handles.get(keys.handle(id));
  if (handle === undefined || handle.revision !== revision) return "kept";
  const counts = { ...handle.record.block };
  let isLowered = false;
  for (const [text, counted] of Object.entries(handle.record.block)) {
    const block = await readBlock(records, text);
    const held = heldBy(id, block?.record);
    if (held >= counted) continue;
    if (block !== undefined && (await blocks.update(block, written(block.record))).kind !== "ok") {
      return "kept";
    }
    isLowered = true;
    if (held === 0) delete counts[text];
    else counts[text] = held;
  }
  if (Object.keys(counts).length === 0)
    return (await handles.delete(handle)).kind === "ok" ? "deleted" : "kept";
  if (!isLowered) return "kept";
  const outcome = await handles.update(handle, { ...handle.record, block: counts });
  return outcome.kind === "ok" ? "lowered" : "kept";
}

function heldBy(handle: string, block: AllocationBlock | undefined): number {
  return block === undefined ? 0 : (countByHandle(block).get(handle) ?? 0);
}

async function readBlock(
  { blocks }: IpamRecords,
  text: string,
): Promise<Awaited<ReturnType<IpamRecords["blocks"]["get"]>>> {
  const cidr = Prefix.parse(text);
  return cidr === undefined ? undefined : blocks.get(keys.block(cidr));
}
