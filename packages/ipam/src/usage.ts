import { type IpAddress, Prefix } from "@caracal/net";
import type { AllocationBlock } from "@caracal/resources";
import { affinityOwner } from "./affinity.ts";
import { addressAt, attributeOf } from "./block.ts";
import type { Pool } from "./pool.ts";
import type { Reservations } from "./reservation.ts";

/** Numbers of addresses. `reserved` ones are not in use; total = in use + reserved + free. */
export interface Usage {
  readonly cidr: Prefix;
  readonly total: bigint;
  readonly inUse: bigint;
  readonly reserved: bigint;
  readonly free: bigint;
  /** Of those in use, how many are on another node than the block's. */
  readonly borrowed: bigint;
  /** Of those in use, how many were released and rest until they may be given out again. */
  readonly cooling: bigint;
}

export interface BlockUsage extends Usage {
  /** `host:<node>`, or `undefined` for a block without owner. */
  readonly affinity: string | undefined;
}

export interface PoolUsage extends Usage {
  readonly name: string;
  readonly blocks: readonly BlockUsage[];
}

export interface UsageReport {
  readonly pools: readonly PoolUsage[];
  /** Blocks whose pool is gone. */
  readonly orphans: readonly BlockUsage[];
}

/** An address that is used on another node than the one that its block belongs to. */
export interface BorrowedAddress {
  readonly address: IpAddress;
  readonly borrower: string;
  readonly block: Prefix;
  readonly blockOwner: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

/** How full pools and blocks are. */
export function reportUsage(
  pools: readonly Pool[],
  blocks: readonly AllocationBlock[],
  reservations: Reservations,
): UsageReport {
  const usages = blocks.flatMap((block) => blockUsage(block, reservations) ?? []);
  const sorted = usages.toSorted((a, b) => Prefix.compare(a.cidr, b.cidr));
  const byPool = Map.groupBy(sorted, (usage) => pools.find(({ cidr }) => Prefix.covers(cidr, usage.cidr)));
  return {
    pools: pools.map((pool) => poolUsage(pool, byPool.get(pool) ?? [], reservations)),
    orphans: byPool.get(undefined) ?? [],
  };
}

function blockUsage(block: AllocationBlock, reservations: Reservations): BlockUsage | undefined {
  const cidr = Prefix.parse(block.cidr);
  if (cidr === undefined) return undefined;
  const isReserved = reservations.inBlock(cidr);
  const free = [...block.allocations.keys()].filter((ordinal) => block.allocations[ordinal] === null);
  const reserved = free.filter(isReserved).length;
  const taken = block.allocations.flatMap((slot) => (slot === null ? [] : [block.attributes[slot]]));
  return {
    cidr,
    affinity: block.affinity,
    total: Prefix.size(cidr),
    inUse: BigInt(block.allocations.length - free.length),
    reserved: BigInt(reserved),
    free: BigInt(free.length - reserved),
    borrowed: BigInt(borrowedAddresses(block).length),
    cooling: BigInt(taken.filter((attribute) => attribute?.releasedAt !== undefined).length),
  };
}

function poolUsage(pool: Pool, blocks: readonly BlockUsage[], reservations: Reservations): PoolUsage {
  const total = Prefix.size(pool.cidr);
  const sum = (pick: (usage: BlockUsage) => bigint): bigint =>
    blocks.reduce((all, usage) => all + pick(usage), 0n);
  const inUse = sum((usage) => usage.inUse);
  const reservedSize = (range: Prefix): bigint =>
    reservations.within(range).reduce((all, part) => all + Prefix.size(part), 0n);
  // Outside the blocks every reserved address counts; inside, those that are not in use all the same.
  const outside = reservedSize(pool.cidr) - blocks.reduce((all, { cidr }) => all + reservedSize(cidr), 0n);
  const reserved = outside + sum((usage) => usage.reserved);
  const borrowed = sum((usage) => usage.borrowed);
  const cooling = sum((usage) => usage.cooling);
  const free = total - inUse - reserved;
  return { name: pool.name, cidr: pool.cidr, total, inUse, reserved, free, borrowed, cooling, blocks };
}

/** Addresses of a block that are used on another node than the block's. */
export function borrowedAddresses(block: AllocationBlock): readonly BorrowedAddress[] {
  const cidr = Prefix.parse(block.cidr);
  if (cidr === undefined) return [];
  const owner = affinityOwner(block.affinity)?.name;
  return [...block.allocations.keys()].flatMap((ordinal) => {
    const attributes = attributeOf(block, ordinal)?.secondary ?? {};
    const borrower = attributes.node;
    if (borrower === undefined || borrower === owner) return [];
    return [{ address: addressAt(cidr, ordinal), borrower, block: cidr, blockOwner: owner, attributes }];
  });
}

/** What a block knows of one address. */
export type AddressState =
  | { readonly kind: "free" }
  /** Released, and not to be given away again yet. */
  | { readonly kind: "coolingDown"; readonly releasedAt: string }
  | {
      readonly kind: "allocated";
      readonly handle: string | undefined;
      readonly attributes: Readonly<Record<string, string>>;
      readonly alternateOwner: Readonly<Record<string, string>> | undefined;
      readonly affinity: string | undefined;
      readonly block: Prefix;
      /** A guard for releasing exactly this assignment. */
      readonly sequenceNumber: bigint | undefined;
    };

/** Who has an address, by the block that holds it. */
export function addressState(block: AllocationBlock | undefined, address: IpAddress): AddressState {
  const cidr = block === undefined ? undefined : Prefix.parse(block.cidr);
  const index = cidr === undefined ? undefined : Prefix.indexOf(cidr, address);
  if (block === undefined || cidr === undefined || index === undefined) return { kind: "free" };
  const attribute = attributeOf(block, Number(index));
  if (attribute === undefined) return { kind: "free" };
  if (attribute.releasedAt !== undefined) return { kind: "coolingDown", releasedAt: attribute.releasedAt };
  return {
    kind: "allocated",
    handle: attribute.handle_id,
    attributes: attribute.secondary ?? {},
    alternateOwner: attribute.alternateOwnerAttrs,
    affinity: block.affinity,
    block: cidr,
    sequenceNumber: block.sequenceNumberForAllocation[String(index)],
  };
}
