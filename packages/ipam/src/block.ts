import { type IpAddress, Prefix } from "@caracal/net";
import { type AllocationAttribute, type AllocationBlock, writeJson } from "@caracal/resources";
import { Nanos } from "./timestamp.ts";

/**
 * The block model: pure functions from block to block. An ordinal is an address's place in its block. `unallocated` is
 * a queue: assignment takes from its front, release appends to its end, so a freed address is used again last.
 * Whoever writes a block passes it through `written`, which counts the write.
 */

/** Who gets an address: kept in the block with it. */
export interface Owner {
  readonly handle: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

/** An owner and how many addresses it wants. */
export interface Want extends Owner {
  readonly count: number;
}

/** Windows nodes take some addresses of each block for themselves: they do not keep a block from being empty. */
export const windowsReservedHandle = "windows-reserved-ipam-handle";

/** Whether an address is Windows' own. Early releases wrote the handle with capitals. */
export function isWindowsReserved({ handle_id: handle }: AllocationAttribute): boolean {
  return handle?.toLowerCase() === windowsReservedHandle;
}

/** A block without allocations. `affinity` is `host:<node>` or `virtual:<name>`. */
export function newBlock(cidr: Prefix, affinity: string, now: Nanos): AllocationBlock {
  const size = Number(Prefix.size(cidr));
  return {
    cidr: Prefix.format(cidr),
    affinity,
    affinity_claim_time: Nanos.formatRfc3339(now),
    allocations: Array<null>(size).fill(null),
    unallocated: Array.from({ length: size }, (_, ordinal) => ordinal),
    attributes: [],
    deleted: false,
    sequenceNumber: now,
    sequenceNumberForAllocation: {},
  };
}

/** The block as it goes to the store: every write has a sequence number of its own. */
export function written(block: AllocationBlock): AllocationBlock {
  return { ...block, sequenceNumber: block.sequenceNumber + 1n };
}

/** The block without its owner: its addresses stay valid, as borrowed ones. */
export function withoutAffinity(block: AllocationBlock): AllocationBlock {
  const { affinity: _affinity, affinity_claim_time: _claimTime, ...rest } = block;
  return rest;
}

/** Whether nothing is allocated but what Windows reserves. */
export function isEmptyBlock(block: AllocationBlock): boolean {
  return block.allocations.every((slot) => slot === null || isWindowsReserved(block.attributes[slot] ?? {}));
}

/** Whether a free address is left that is not reserved. */
export function hasFreeAddress(block: AllocationBlock, isReserved: (ordinal: number) => boolean): boolean {
  return block.unallocated.some((ordinal) => isFree(block, ordinal) && !isReserved(ordinal));
}

/** The slot decides: a queue that names a taken address must not give it away twice. */
function isFree(block: AllocationBlock, ordinal: number): boolean {
  return block.allocations[ordinal] === null;
}

/** What is known of an ordinal's owner, or `undefined` for a free one. */
export function attributeOf(block: AllocationBlock, ordinal: number): AllocationAttribute | undefined {
  const slot = block.allocations[ordinal];
  if (slot === undefined || slot === null) return undefined;
  return block.attributes[slot] ?? {};
}

/** Ordinals that a handle holds. */
export function ordinalsOf(block: AllocationBlock, handle: string): readonly number[] {
  return [...block.allocations.keys()].filter((ordinal) => attributeOf(block, ordinal)?.handle_id === handle);
}

/** How many addresses each handle holds. */
export function countByHandle(block: AllocationBlock): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const slot of block.allocations) {
    const handle = slot === null ? undefined : block.attributes[slot]?.handle_id;
    if (handle !== undefined) counts.set(handle, (counts.get(handle) ?? 0) + 1);
  }
  return counts;
}

/** The address at an ordinal of a block. */
export function addressAt(cidr: Prefix, ordinal: number): IpAddress {
  const address = Prefix.at(cidr, ordinal);
  if (address === undefined) throw new RangeError(`${Prefix.format(cidr)} has no ordinal ${ordinal}`);
  return address;
}

/** Free addresses for several owners at once, as far as they go, first come first served; ordinals in the order of `wants`. */
export function assignFree(
  block: AllocationBlock,
  wants: readonly Want[],
  isReserved: (ordinal: number) => boolean,
): { readonly block: AllocationBlock; readonly ordinals: readonly (readonly number[])[] } {
  const wanted = wants.reduce((sum, { count }) => sum + count, 0);
  // A set: releases of early Calicos could queue an address twice.
  const found = new Set<number>();
  for (const ordinal of block.unallocated) {
    if (found.size >= wanted) break;
    if (isFree(block, ordinal) && !isReserved(ordinal)) found.add(ordinal);
  }
  const usable = [...found];
  const ordinals: (readonly number[])[] = [];
  let next = 0;
  for (const { count } of wants) {
    ordinals.push(usable.slice(next, next + count));
    next = Math.min(usable.length, next + count);
  }
  return { block: allocate(block, wants, ordinals), ordinals };
}

/** One certain free address for an owner; reservations do not matter to whoever names an address. */
export function assignOrdinal(block: AllocationBlock, ordinal: number, owner: Owner): AllocationBlock {
  return allocate(block, [owner], [[ordinal]]);
}

function allocate(
  block: AllocationBlock,
  owners: readonly Owner[],
  ordinals: readonly (readonly number[])[],
): AllocationBlock {
  const about = aboutOwners(block.attributes);
  const added: AllocationAttribute[] = [];
  const allocations = [...block.allocations];
  const taken = new Set<number>();
  for (const [position, owner] of owners.entries()) {
    const mine = ordinals[position] ?? [];
    if (mine.length === 0) continue;
    const attribute = toAttribute(owner);
    const known = indexOf(attribute, about, block.attributes, added);
    const index = known ?? block.attributes.length + added.push(attribute) - 1;
    about.handles.add(attribute.handle_id);
    for (const ordinal of mine) {
      allocations[ordinal] = index;
      taken.add(ordinal);
    }
  }
  const attributes = added.length === 0 ? block.attributes : [...block.attributes, ...added];
  aboutKnown.set(attributes, about);
  // Wherever they are queued: not everyone looks at the slot before giving away the next of the queue.
  const [only] = taken;
  const isLeft = taken.size === 1 ? (one: number) => one !== only : (one: number) => !taken.has(one);
  const unallocated = block.unallocated.filter(isLeft);
  const sequences = withSequence(block, taken);
  return { ...block, allocations, attributes, unallocated, sequenceNumberForAllocation: sequences };
}

/** The entry that an allocation may share: Calico has one for the same handle and attributes. */
function indexOf(
  attribute: AllocationAttribute,
  { handles }: AboutOwners,
  ...parts: readonly (readonly AllocationAttribute[])[]
): number | undefined {
  if (!handles.has(attribute.handle_id)) return undefined;
  const key = attributeKey(attribute);
  const index = parts
    .flat()
    .findIndex((one) => one.handle_id === attribute.handle_id && attributeKey(one) === key);
  return index < 0 ? undefined : index;
}

/**
 * What is known of a block's owners without a look at each: they are strewn over the memory, and every assignment asks.
 * Those that became others by assignments share it.
 */
interface AboutOwners {
  /** Handles that may be among them. */
  readonly handles: Set<string | undefined>;
  /** Whether some were released a while ago. */
  readonly isCooling: boolean;
}

const aboutKnown = new WeakMap<readonly AllocationAttribute[], AboutOwners>();

function aboutOwners(attributes: readonly AllocationAttribute[]): AboutOwners {
  const known = aboutKnown.get(attributes);
  if (known !== undefined) return known;
  const about = {
    handles: new Set(attributes.map(({ handle_id: handle }) => handle)),
    isCooling: attributes.some(({ releasedAt }) => releasedAt !== undefined),
  };
  aboutKnown.set(attributes, about);
  return about;
}

function withSequence(
  { sequenceNumber, sequenceNumberForAllocation }: AllocationBlock,
  ordinals: Iterable<number>,
): AllocationBlock["sequenceNumberForAllocation"] {
  const sequences = { ...sequenceNumberForAllocation };
  for (const ordinal of ordinals) sequences[ordinal] = sequenceNumber;
  return sequences;
}

/**
 * Frees ordinals. With a cool-down they are not free at once: their slots name only the time of release until
 * `endCooldown` finds it long enough ago.
 */
export function releaseOrdinals(
  block: AllocationBlock,
  ordinals: readonly number[],
  cooldown?: { readonly now: Nanos },
): AllocationBlock {
  const allocations = [...block.allocations];
  const attributes = [...block.attributes];
  let slot: number | null = null;
  if (cooldown !== undefined) {
    slot = attributes.push({ releasedAt: Nanos.formatRfc3339(cooldown.now) }) - 1;
  }
  for (const ordinal of ordinals) allocations[ordinal] = slot;
  const sequences = withSequence(block, ordinals);
  const unallocated = slot === null ? [...block.unallocated, ...ordinals] : block.unallocated;
  return withoutUnused({
    ...block,
    allocations,
    attributes,
    unallocated,
    sequenceNumberForAllocation: sequences,
  });
}

/** Frees what was released at least `cooldownSeconds` ago; the same block when there is nothing to free. */
export function endCooldown(block: AllocationBlock, cooldownSeconds: number, now: Nanos): AllocationBlock {
  if (!aboutOwners(block.attributes).isCooling) return block;
  const isOver = block.attributes.map(({ releasedAt }) => {
    if (releasedAt === undefined) return false;
    const time = Nanos.parseRfc3339(releasedAt);
    // A time that cannot be read would keep the address for ever.
    return time === undefined || now - time >= Nanos.fromSeconds(cooldownSeconds);
  });
  if (!isOver.includes(true)) return block;
  const freed = [...block.allocations.keys()].filter((ordinal) => {
    const slot = block.allocations[ordinal];
    return slot !== undefined && slot !== null && isOver[slot] === true;
  });
  return releaseOrdinals(block, freed);
}

/** Drops attributes that no slot names, and renumbers the others in their order. */
function withoutUnused(block: AllocationBlock): AllocationBlock {
  const used = new Set(block.allocations.filter((slot) => slot !== null));
  if (used.size === block.attributes.length) return block;
  const kept = [...block.attributes.keys()].filter((index) => used.has(index));
  const renumbered = new Map(kept.map((index, position) => [index, position]));
  return {
    ...block,
    attributes: kept.flatMap((index) => block.attributes[index] ?? []),
    allocations: block.allocations.map((slot) => (slot === null ? null : (renumbered.get(slot) ?? slot))),
  };
}

function toAttribute(owner: Owner): AllocationAttribute {
  return owner.handle === undefined
    ? { secondary: owner.attributes }
    : { handle_id: owner.handle, secondary: owner.attributes };
}

const attributeKeys = new WeakMap<AllocationAttribute, string>();

/** Equal for attributes that may share an entry. */
function attributeKey(attribute: AllocationAttribute): string {
  const known = attributeKeys.get(attribute);
  if (known !== undefined) return known;
  const sorted = Object.entries(attribute.secondary ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  // With whatever a newer Calico may have put there: what differs in that is not the same owner.
  const { handle_id: handle, secondary: _sorted, ...others } = attribute;
  const key = writeJson([handle ?? null, sorted, others]);
  attributeKeys.set(attribute, key);
  return key;
}
