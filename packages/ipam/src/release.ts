import { type AffinityOwner, type Entry, keys, type Revision } from "@caracal/datastore";
import { IpAddress, Prefix } from "@caracal/net";
import type { AllocationBlock, IpamHandle } from "@caracal/resources";
import { affinityText, releaseAffinity } from "./affinity.ts";
import {
  addressAt,
  attributeOf,
  countByHandle,
  endCooldown,
  isEmptyBlock,
  ordinalsOf,
  releaseOrdinals,
  written,
} from "./block.ts";
import { adjusted, cleanHandle, takeBack, writeHandle } from "./handle-count.ts";
import { contention } from "./ipam-error.ts";
import { fitsTransaction, type IpamRecords } from "./ipam-records.ts";
import { type IpamSettings, isUnwantedBlock } from "./ipam-settings.ts";
import { blockOf } from "./pool.ts";
import type { ShelfStep, Stored } from "./record-shelf.ts";

/**
 * How often a release begins anew when its handle has changed meanwhile. What was assigned after that many times came after
 * the release.
 */
const maxReleaseRounds = 3;

/** An address to give back, if it is still what the caller knew. */
export interface AddressRelease {
  readonly address: IpAddress;
  /** The handle that must hold it. */
  readonly handle?: string;
  /** The sequence number that its assignment had: another one means that it was given to someone else since. */
  readonly sequenceNumber?: bigint;
}

export type AddressReleaseResult =
  | { readonly kind: "released" }
  | { readonly kind: "unallocated" }
  /** It is another's by now. */
  | { readonly kind: "conflict"; readonly message: string };

/** What a release works with. */
export interface ReleaseContext {
  readonly records: IpamRecords;
  readonly settings: IpamSettings;
  /** The node that the settings are for. */
  readonly owner: AffinityOwner;
}

/** Gives back addresses one by one; results in the order of `releases`. */
export async function releaseAddresses(
  context: ReleaseContext,
  releases: readonly AddressRelease[],
): Promise<readonly AddressReleaseResult[]> {
  const results = new Map<AddressRelease, AddressReleaseResult>();
  const located = await locate(context, releases);
  await releaseLocated(context, releases, located, results);
  // A block of another size than its pool has now, left from an earlier one.
  const open = releases.filter((release) => {
    const cidr = located.get(release);
    return cidr !== undefined && context.records.blocks.remembered(keys.block(cidr)) === undefined;
  });
  if (open.length > 0) {
    const elsewhere = await locate(context, open, { byPools: false });
    await releaseLocated(context, open, elsewhere, results);
  }
  return releases.map((release) => results.get(release) ?? { kind: "unallocated" });
}

async function releaseLocated(
  context: ReleaseContext,
  releases: readonly AddressRelease[],
  blocks: ReadonlyMap<AddressRelease, Prefix>,
  results: Map<AddressRelease, AddressReleaseResult>,
): Promise<void> {
  const byBlock = new Map<string, { readonly cidr: Prefix; readonly releases: AddressRelease[] }>();
  for (const release of releases) {
    const cidr = blocks.get(release);
    if (cidr === undefined) continue;
    const key = Prefix.key(cidr);
    const group = byBlock.get(key) ?? { cidr, releases: [] };
    group.releases.push(release);
    byBlock.set(key, group);
  }
  await Promise.all(
    [...byBlock.values()].map((group) => releaseInBlock(context, group.cidr, group.releases, results)),
  );
}

/** Blocks of addresses: by the pools, or for addresses without a pool by all blocks that exist. */
async function locate(
  { records, settings: { pools } }: ReleaseContext,
  releases: readonly AddressRelease[],
  { byPools = true }: { readonly byPools?: boolean } = {},
): Promise<ReadonlyMap<AddressRelease, Prefix>> {
  const found = new Map<AddressRelease, Prefix>();
  let existing: readonly Prefix[] | undefined;
  for (const release of releases) {
    const pool = byPools ? pools.find(({ cidr }) => Prefix.contains(cidr, release.address)) : undefined;
    if (pool !== undefined) {
      found.set(release, blockOf(pool, release.address));
      continue;
    }
    existing ??= (await records.blocks.entries(keys.blocks())).flatMap((entry) => {
      const key = keys.parse(entry.key);
      return key?.kind === "block" ? [key.cidr] : [];
    });
    const cidr = existing.find((one) => Prefix.contains(one, release.address));
    if (cidr !== undefined) found.set(release, cidr);
  }
  return found;
}

async function releaseInBlock(
  context: ReleaseContext,
  cidr: Prefix,
  releases: readonly AddressRelease[],
  results: Map<AddressRelease, AddressReleaseResult>,
): Promise<void> {
  const { records } = context;
  for (let attempt = 0; attempt < records.attempts; attempt += 1) {
    const stored = await records.blocks.get(keys.block(cidr));
    const going = new Set<number>();
    for (const release of releases) {
      const result =
        stored === undefined ? ({ kind: "unallocated" } as const) : judge(stored.record, cidr, release);
      results.set(release, result);
      if (result.kind === "released") going.add(ordinalIn(cidr, release.address));
    }
    if (stored === undefined || going.size === 0) return;
    const handleIds = new Set(
      [...going].flatMap((ordinal) => attributeOf(stored.record, ordinal)?.handle_id ?? []),
    );
    // Before the block is written, as handle-count.ts demands.
    const handles = await readHandles(records, handleIds);
    const left = freed(context, stored.record, [...going]);
    if (!(await writeFreed(context, cidr, stored, left))) continue;
    const before = countByHandle(stored.record);
    const after = countByHandle(left);
    const since = records.now();
    await Promise.all(
      [...handles].map(async ([handle, counted]) => {
        const count = (before.get(handle) ?? 0) - (after.get(handle) ?? 0);
        const outcome = await writeHandle(records.handles, counted, adjusted(counted.record, cidr, -count));
        if (outcome.kind === "stale") await takeBack(records, outcome.current, { cidr, count, since });
      }),
    );
    return;
  }
  throw contention();
}

function judge(block: AllocationBlock, cidr: Prefix, release: AddressRelease): AddressReleaseResult {
  const ordinal = ordinalIn(cidr, release.address);
  const attribute = attributeOf(block, ordinal);
  if (attribute === undefined || attribute.releasedAt !== undefined) return { kind: "unallocated" };
  const text = IpAddress.format(release.address);
  if (release.handle !== undefined && attribute.handle_id !== cleanHandle(release.handle)) {
    const message = `${text} is held by handle ${attribute.handle_id ?? "(none)"}, not ${release.handle}`;
    return { kind: "conflict", message };
  }
  // An assignment that was made before Calico kept these counts as 0.
  const sequence = block.sequenceNumberForAllocation[String(ordinal)] ?? 0n;
  if (release.sequenceNumber !== undefined && sequence !== release.sequenceNumber) {
    return { kind: "conflict", message: `${text} has been assigned again since` };
  }
  return { kind: "released" };
}

function ordinalIn(cidr: Prefix, address: IpAddress): number {
  return Number(Prefix.indexOf(cidr, address) ?? -1n);
}

async function readHandles(
  records: IpamRecords,
  ids: Iterable<string>,
  mayRecall = false,
): Promise<ReadonlyMap<string, Stored<IpamHandle>>> {
  const { handles } = records;
  const read = await Promise.all(
    [...ids].map(async (id) => {
      const key = keys.handle(id);
      return [id, await (mayRecall ? handles.recall(key) : handles.get(key))] as const;
    }),
  );
  return new Map(read.flatMap(([handle, stored]) => (stored === undefined ? [] : [[handle, stored]])));
}

function freed(
  { records: { now }, settings: { config } }: ReleaseContext,
  block: AllocationBlock,
  ordinals: readonly number[],
): AllocationBlock {
  const time = now();
  const rested = endCooldown(block, config.ipCooldownSeconds, time);
  if (ordinals.length === 0) return rested;
  return releaseOrdinals(rested, ordinals, config.ipCooldownSeconds > 0 ? { now: time } : undefined);
}

/**
 * An empty block that nobody owns goes, and so does one whose pool no longer selects the node; any other is written.
 * Says whether that came in time.
 */
async function writeFreed(
  context: ReleaseContext,
  cidr: Prefix,
  stored: Stored<AllocationBlock>,
  left: AllocationBlock,
): Promise<boolean> {
  const { records, settings, owner } = context;
  const { blocks } = records;
  const isForNobody = left.affinity === undefined && isEmptyBlock(left);
  const outcome = isForNobody ? await blocks.delete(stored) : await blocks.update(stored, written(left));
  if (outcome.kind !== "ok") return false;
  await dropIfUnwanted(records, settings, owner, cidr, left);
  return true;
}

/** All that a handle holds. */
export interface HandleRelease {
  readonly handle: string;
  readonly entry?: OldEntry;
}

/** An entry of the caller's that is deleted in the same transaction, at this revision. */
export interface OldEntry {
  readonly key: string;
  readonly revision: Revision;
}

/**
 * Gives back all that the handles hold, and the handles with it, whatever an earlier attempt has left of them. The
 * addresses that were released, by handle; a handle that is unknown has none. A handle is missing that goes with an entry,
 * and the entry has changed, or the store cannot do both at once: nothing is done about it.
 */
export async function releaseHandles(
  context: ReleaseContext,
  requests: readonly HandleRelease[],
): Promise<ReadonlyMap<string, readonly IpAddress[]>> {
  const { records } = context;
  const cleaned = requests.map((one) => ({ ...one, handle: cleanHandle(one.handle) }));
  const together = await releaseTogether(context, cleaned);
  if (together !== undefined) return together;
  const wanted = new Set(cleaned.flatMap(({ handle, entry }) => (entry === undefined ? handle : [])));
  const released = new Map<string, IpAddress[]>([...wanted].map((handle) => [handle, []]));
  let open: ReadonlySet<string> = wanted;
  for (let round = 0; round < maxReleaseRounds; round += 1) {
    const handles = await readHandles(records, open, round === 0);
    if (handles.size === 0) return released;
    await Promise.all(
      [...holdersByBlock(handles)].map(([cidr, holders]) => releaseHolders(context, cidr, holders, released)),
    );
    const outcomes = await Promise.all(
      [...handles].map(async ([handle, stored]) => {
        const left = records.unbacked.left(stored, countByBlock(stored.record, released.get(handle) ?? []));
        // What was only remembered is not what there is.
        if (left === undefined) return { handle, hasChanged: round === 0 };
        const outcome = await writeHandle(records.handles, stored, left);
        return { handle, hasChanged: outcome.kind === "stale" };
      }),
    );
    // A handle that has changed meanwhile may hold more by now. When that goes on, the assignments came after this.
    open = new Set(outcomes.flatMap(({ handle, hasChanged }) => (hasChanged ? handle : [])));
    if (open.size === 0) return released;
  }
  return released;
}

/** The blocks that handles count, with the handles that do. */
function holdersByBlock(
  handles: ReadonlyMap<string, Stored<IpamHandle>>,
): ReadonlyMap<string, readonly string[]> {
  const byBlock = new Map<string, string[]>();
  for (const [handle, { record }] of handles) {
    for (const cidr of Object.keys(record.block)) byBlock.set(cidr, [...(byBlock.get(cidr) ?? []), handle]);
  }
  return byBlock;
}

/**
 * The same in one transaction: blocks and handles as they were last seen here, and as they are when that is refused.
 * `undefined` when the store has none, when it would be too large, or when others are always quicker.
 */
async function releaseTogether(
  context: ReleaseContext,
  requests: readonly HandleRelease[],
): Promise<ReadonlyMap<string, readonly IpAddress[]> | undefined> {
  const { records, owner, settings } = context;
  const { transact } = records;
  if (transact === undefined) return undefined;
  const changed = new Set<HandleRelease>();
  for (let attempt = 0; attempt < maxReleaseRounds; attempt += 1) {
    const open = requests.filter((one) => !changed.has(one));
    const wanted = new Set(open.map(({ handle }) => handle));
    const handles = await readHandles(records, wanted, attempt === 0);
    const plans = await Promise.all(
      [...holdersByBlock(handles)].map(([cidr, holders]) => planRelease(context, cidr, holders)),
    );
    const released = new Map<string, IpAddress[]>([...wanted].map((handle) => [handle, []]));
    for (const { freed: found } of plans) {
      for (const [handle, addresses] of found) released.get(handle)?.push(...addresses);
    }
    const steps = [
      ...plans.flatMap(({ step }) => step ?? []),
      ...[...handles].map(([handle, stored]) => writingHandle(records, stored, released.get(handle) ?? [])),
      ...open.flatMap((one) =>
        one.entry === undefined ? [] : deletingEntry(one.entry, () => changed.add(one)),
      ),
    ];
    if (!fitsTransaction(steps)) return undefined;
    if (steps.length > 0 && !(await transact(steps))) continue;
    for (const { cidr, left } of plans) await dropIfUnwanted(records, settings, owner, cidr, left);
    return released;
  }
  return undefined;
}

function deletingEntry({ key, revision }: OldEntry, hasChanged: () => void): ShelfStep {
  return {
    step: { kind: "delete", key, revision },
    accept: () => undefined,
    refuse: (current: Entry | undefined) => {
      if (current?.revision !== revision) hasChanged();
    },
  };
}

/** The handle without what it held. */
function writingHandle(
  { handles, unbacked }: IpamRecords,
  stored: Stored<IpamHandle>,
  released: readonly IpAddress[],
): ShelfStep {
  const left = unbacked.left(stored, countByBlock(stored.record, released));
  if (left === undefined) return handles.expecting(stored);
  return Object.keys(left.block).length === 0 ? handles.deleting(stored) : handles.updating(stored, left);
}

/** Addresses by those of the handle's blocks that they are in. */
function countByBlock({ block }: IpamHandle, addresses: readonly IpAddress[]): ReadonlyMap<string, number> {
  const counts = Object.keys(block).map((text) => {
    const cidr = Prefix.parse(text);
    const inside = addresses.filter((address) => cidr !== undefined && Prefix.contains(cidr, address));
    return [text, inside.length] as const;
  });
  return new Map(counts.filter(([, count]) => count > 0));
}

interface ReleasePlan {
  readonly cidr: Prefix | undefined;
  /** Absent when the block is not there. */
  readonly step: ShelfStep | undefined;
  readonly left: AllocationBlock | undefined;
  readonly freed: ReadonlyMap<string, readonly IpAddress[]>;
}

/** What is to be written to one block. It is written even when nothing is held: see `releaseHolders`. */
async function planRelease(
  context: ReleaseContext,
  cidrText: string,
  holders: readonly string[],
): Promise<ReleasePlan> {
  const { blocks } = context.records;
  const cidr = Prefix.parse(cidrText);
  const stored = cidr === undefined ? undefined : await blocks.recall(keys.block(cidr));
  if (cidr === undefined || stored === undefined) {
    return { cidr, step: undefined, left: undefined, freed: new Map() };
  }
  const held = holders.map((handle) => [handle, ordinalsOf(stored.record, handle)] as const);
  const left = freed(
    context,
    stored.record,
    held.flatMap(([, ordinals]) => ordinals),
  );
  const isForNobody = left.affinity === undefined && isEmptyBlock(left);
  return {
    cidr,
    step: isForNobody ? blocks.deleting(stored) : blocks.updating(stored, written(left)),
    left,
    freed: new Map(
      held.map(([handle, ordinals]) => [handle, ordinals.map((ordinal) => addressAt(cidr, ordinal))]),
    ),
  };
}

async function dropIfUnwanted(
  records: IpamRecords,
  settings: IpamSettings,
  owner: AffinityOwner,
  cidr: Prefix | undefined,
  left: AllocationBlock | undefined,
): Promise<void> {
  if (cidr === undefined || left?.affinity !== affinityText(owner)) return;
  if (isEmptyBlock(left) && isUnwantedBlock(settings, cidr)) {
    await releaseAffinity(records, owner, cidr, { onlyEmpty: true });
  }
}

async function releaseHolders(
  context: ReleaseContext,
  cidrText: string,
  holders: readonly string[],
  released: Map<string, IpAddress[]>,
): Promise<void> {
  const { records } = context;
  const cidr = Prefix.parse(cidrText);
  if (cidr === undefined) return;
  for (let attempt = 0; attempt < records.attempts; attempt += 1) {
    const key = keys.block(cidr);
    const stored = await (attempt === 0 ? records.blocks.recall(key) : records.blocks.get(key));
    if (stored === undefined) return;
    const held = holders.map((handle) => ordinalsOf(stored.record, handle));
    // Written even when nothing is held: an assignment that is under way must not succeed uncounted.
    const left = freed(context, stored.record, held.flat());
    if (!(await writeFreed(context, cidr, stored, left))) continue;
    for (const [index, ordinals] of held.entries()) {
      const handle = holders[index];
      if (handle === undefined) continue;
      released.get(handle)?.push(...ordinals.map((ordinal) => addressAt(cidr, ordinal)));
    }
    return;
  }
  throw contention();
}
