import { Prefix } from "@caracal/net";
import type { AllocationBlock, IpPool } from "@caracal/resources";

/** How full a range is, in addresses; a pool may be larger than a number counts exactly. */
export interface RangeUsage {
  readonly cidr: Prefix;
  readonly capacity: number;
  readonly inUse: number;
}

/** A pool and its blocks; blocks outside every pool stand under no pool. */
export interface PoolUsage {
  readonly pool: RangeUsage | undefined;
  readonly blocks: readonly RangeUsage[];
}

/** The use of every pool, in the pools' order, each with its blocks in the order of their addresses. */
export function poolUsages(
  pools: readonly IpPool[],
  blocks: readonly AllocationBlock[],
): readonly PoolUsage[] {
  const left = new Set(
    blocks.flatMap((block) => blockUsage(block) ?? []).toSorted((a, b) => Prefix.compare(a.cidr, b.cidr)),
  );
  const usages: PoolUsage[] = [];
  for (const pool of pools) {
    const cidr = Prefix.parse(pool.spec.cidr);
    if (cidr === undefined) continue;
    const own = [...left].filter((block) => Prefix.covers(cidr, block.cidr));
    for (const block of own) left.delete(block);
    const inUse = own.reduce((sum, block) => sum + block.inUse, 0);
    usages.push({ pool: { cidr, capacity: Number(Prefix.size(cidr)), inUse }, blocks: own });
  }
  if (left.size > 0) usages.push({ pool: undefined, blocks: [...left] });
  return usages;
}

function blockUsage(block: AllocationBlock): RangeUsage | undefined {
  const cidr = Prefix.parse(block.cidr);
  if (cidr === undefined) return undefined;
  const capacity = block.allocations.length;
  return { cidr, capacity, inUse: capacity - block.unallocated.length };
}
