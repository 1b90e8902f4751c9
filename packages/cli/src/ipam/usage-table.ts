import { Prefix } from "@caracal/net";
import { boxTable } from "../output/box-table.ts";
import { formatRounded, formatShort } from "../output/go-number.ts";
import type { PoolUsage, RangeUsage } from "./usage.ts";

/** `ipam show`, with `--show-blocks` every block below its pool. */
export function usageTable(usages: readonly PoolUsage[], showsBlocks: boolean): string {
  const rows = usages.flatMap(({ pool, blocks }) => [
    ...(pool === undefined ? [] : [row("IP Pool", pool)]),
    ...(showsBlocks ? blocks.map((block) => row("Block", block)) : []),
  ]);
  return boxTable(["GROUPING", "CIDR", "IPS TOTAL", "IPS IN USE", "IPS FREE"], rows);
}

function row(grouping: string, { cidr, capacity, inUse }: RangeUsage): readonly string[] {
  return [
    grouping,
    Prefix.format(cidr),
    formatShort(capacity),
    share(inUse, capacity),
    share(capacity - inUse, capacity),
  ];
}

/** `5 (8%)`. */
function share(count: number, total: number): string {
  return `${formatShort(count)} (${formatRounded((100 * count) / total)}%)`;
}
