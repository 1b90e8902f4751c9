import { type Entry, keys, type Revision } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import type { AllocationBlock, IpamHandle } from "@caracal/resources";
import { countByHandle, written } from "./block.ts";
import { type IpamSnapshot, readSnapshot } from "./consistency.ts";
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

/** Every handle of a moment that counts too much, ordered as the snapshot is. */
export function surplusHandles(snapshot: IpamSnapshot): readonly SurplusHandle[] {
  const tally = new HeldTally();
  tally.add(snapshot);
  return tally.surplusOf(snapshot.handles);
}

/** Entries that are read at one go: others wait no longer than that takes. */
const entriesAtOnce = 128;

/** The same of entries, resting between parts of the work: a large cluster has millions of addresses. */
export async function findSurplus(
  blocks: readonly Entry[],
  handles: readonly Entry[],
  rest: () => Promise<void>,
): Promise<readonly StoredSurplus[]> {
  const tally = new HeldTally();
  for (const part of parts(blocks)) {
    tally.add(readSnapshot(part));
    await rest();
  }
  const found: StoredSurplus[] = [];
  for (const part of parts(handles)) {
    const revisions = new Map(part.map(({ key, revision }) => [key, revision]));
    for (const one of tally.surplusOf(readSnapshot(part).handles)) {
      const revision = revisions.get(keys.handle(one.id));
      if (revision !== undefined) found.push({ ...one, revision });
    }
    await rest();
  }
  return found;
}

function* parts(entries: readonly Entry[]): Generator<readonly Entry[]> {
  for (let first = 0; first < entries.length; first += entriesAtOnce) {
    yield entries.slice(first, first + entriesAtOnce);
  }
}

/** What blocks give to each handle. */
class HeldTally {
  readonly #inBlock = new Map<string, ReadonlyMap<string, number>>();
  readonly #byHandle = new Map<string, number>();
  readonly #unreadable = new Set<string>();

  add({ blocks, unreadable }: Pick<IpamSnapshot, "blocks" | "unreadable">): void {
    for (const { cidr, record } of blocks) {
      const counts = countByHandle(record);
      this.#inBlock.set(Prefix.format(cidr), counts);
      for (const [handle, count] of counts) {
        this.#byHandle.set(handle, (this.#byHandle.get(handle) ?? 0) + count);
      }
    }
    for (const key of unreadable) this.#unreadable.add(key);
  }

  /**
   * Not among them is a handle that counts a block which cannot be read, nor one of which a block holds something uncounted:
   * that must not be made to count even less.
   */
  surplusOf(handles: IpamSnapshot["handles"]): readonly SurplusHandle[] {
    return handles.flatMap(({ id, record }) => {
      const heldIn = (block: string): number => this.#inBlock.get(block)?.get(id) ?? 0;
      const counted = Object.keys(record.block);
      const held = counted.reduce((sum, block) => sum + heldIn(block), 0);
      const isUnsure = counted.some((block) => this.#unreadable.has(keyOf(block)));
      if (isUnsure || held !== (this.#byHandle.get(id) ?? 0)) return [];
      const surplus = surplusOf(record, heldIn);
      return surplus.length > 0 || held === 0 ? [{ id, held, surplus }] : [];
    });
  }
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
    if (held === 0) delete counts[text];
    if (held >= counted) continue;
    if (block !== undefined && (await blocks.update(block, written(block.record))).kind !== "ok") {
      return "kept";
    }
    isLowered = true;
    if (held > 0) counts[text] = held;
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
