import { type Entry, keys, type Revision } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import type { AllocationBlock } from "@caracal/resources";
import { type Want, written } from "./block.ts";
import { adjusted, emptyHandle, HandleCounts } from "./handle-count.ts";
import { contention } from "./ipam-error.ts";
import { fitsTransaction, type IpamRecords } from "./ipam-records.ts";
import type { ShelfStep, Stored } from "./record-shelf.ts";

/** A block with more allocations than before, and how many of them each handle has. */
export interface AllocationPlan {
  readonly block: AllocationBlock;
  readonly counts: ReadonlyMap<string, number>;
  /** Allocations that are made only with an entry of the caller's, and for a handle that is not there yet. */
  readonly firsts?: readonly FirstAllocation[];
}

/** An entry of the caller's that is made in the same transaction as an allocation. */
export interface NewEntry {
  readonly key: string;
  readonly value: string;
  /** Told of the revision when it is written. */
  readonly wrote: (revision: Revision) => void;
}

export interface FirstAllocation {
  readonly handle: string;
  readonly entry: NewEntry;
  /** The handle or the entry is there already: this allocation shall not be planned again. */
  readonly exists: () => void;
}

/**
 * Writes allocations to one block. `plan` is asked again whenever another was quicker, and says `undefined` when this
 * block is of no use any more; then nothing is left counted. With `affinityKey` the block counts only while the affinity
 * there is confirmed. Everything is written at once where the store can do that; otherwise the handles go first.
 */
export async function writeAllocation<P extends AllocationPlan>(
  records: IpamRecords,
  cidr: Prefix,
  found: Stored<AllocationBlock>,
  plan: (block: AllocationBlock) => P | undefined,
  affinityKey?: string,
): Promise<P | undefined> {
  const { transact } = records;
  if (transact === undefined) return writeSingly(records, cidr, found, plan, affinityKey);
  if (affinityKey !== undefined && records.affinities.remembered(affinityKey) === undefined) {
    await records.affinities.get(affinityKey);
  }
  let stored: Stored<AllocationBlock> | undefined = found;
  for (let attempt = 0; attempt < records.attempts && stored !== undefined; attempt += 1) {
    const expected = affinityKey === undefined ? [] : expectConfirmed(records, affinityKey);
    const planned = expected === undefined ? undefined : plan(stored.record);
    if (expected === undefined || planned === undefined) return undefined;
    const block = records.blocks.updating(stored, written(planned.block));
    const steps = [block, ...expected, ...countingSteps(records, cidr, planned)];
    if (!fitsTransaction(steps)) return writeSingly(records, cidr, stored, plan, affinityKey);
    if (await transact(steps)) return planned;
    stored = records.blocks.remembered(stored.key);
  }
  if (stored === undefined) return undefined;
  throw contention();
}

/** The affinity that must stay as it is, or `undefined` when it is not confirmed. */
function expectConfirmed({ affinities }: IpamRecords, key: string): readonly ShelfStep[] | undefined {
  const affinity = affinities.remembered(key);
  return affinity?.record.state === "confirmed" ? [affinities.expecting(affinity)] : undefined;
}

/** The handles that a plan counts, and the entries that go with it. */
export function countingSteps(
  { handles }: IpamRecords,
  cidr: Prefix,
  { counts, firsts = [] }: AllocationPlan,
): readonly ShelfStep[] {
  const block = Prefix.format(cidr);
  const steps: ShelfStep[] = [];
  for (const [handle, count] of counts) {
    const key = keys.handle(handle);
    const first = firsts.find((one) => one.handle === handle);
    const known = first === undefined ? handles.remembered(key) : undefined;
    if (known !== undefined) {
      steps.push(handles.updating(known, adjusted(known.record, cidr, count)));
      continue;
    }
    const creating = handles.creating(key, { ...emptyHandle, block: { [block]: count } });
    steps.push(first === undefined ? creating : refusing(creating, first.exists));
  }
  for (const { entry, exists } of firsts) {
    const { key, value, wrote } = entry;
    steps.push(
      refusing({ step: { kind: "create", key, value }, accept: wrote, refuse: () => undefined }, exists),
    );
  }
  return steps;
}

/** The step, with `exists` told when its key is taken. */
function refusing(step: ShelfStep, exists: () => void): ShelfStep {
  const refuse = (current: Entry | undefined): void => {
    step.refuse(current);
    if (current !== undefined) exists();
  };
  return { ...step, refuse };
}

/** One write after the other, handles first; the affinity is read beside the handles, so that it costs no round trip. */
async function writeSingly<P extends AllocationPlan>(
  records: IpamRecords,
  cidr: Prefix,
  found: Stored<AllocationBlock>,
  plan: (block: AllocationBlock) => P | undefined,
  affinityKey: string | undefined,
): Promise<P | undefined> {
  const counts = new HandleCounts(records, cidr);
  let stored: Stored<AllocationBlock> | undefined = found;
  for (let attempt = 0; attempt < records.attempts && stored !== undefined; attempt += 1) {
    const planned = plan(stored.record);
    if (planned === undefined) {
      await counts.drop();
      return undefined;
    }
    const [isConfirmed] = await Promise.all([hasConfirmed(records, affinityKey), counts.set(planned.counts)]);
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

async function hasConfirmed({ affinities }: IpamRecords, key: string | undefined): Promise<boolean> {
  if (key === undefined) return true;
  const affinity = await affinities.get(key);
  return affinity?.record.state === "confirmed";
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
