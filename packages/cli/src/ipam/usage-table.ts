import type { Usage, UsageReport } from "@caracal/ipam";
import { Prefix } from "@caracal/net";
import { boxTable } from "../output/box-table.ts";
import { formatRounded, formatShort } from "../output/go-number.ts";

/**
 * `ipam show`, with `--show-blocks` every block below its pool; blocks whose pool is gone stand last, under none. What
 * reservations keep back has a column where there are any.
 */
export function usageTable({ pools, orphans }: UsageReport, showsBlocks: boolean): string {
  const hasReserved = [...pools, ...orphans].some(({ reserved }) => reserved > 0n);
  const rowOf = (grouping: string, usage: Usage): readonly string[] => row(grouping, usage, hasReserved);
  const rows = pools.flatMap((pool) => [
    rowOf("IP Pool", pool),
    ...(showsBlocks ? pool.blocks.map((block) => rowOf("Block", block)) : []),
  ]);
  const rest = showsBlocks ? orphans.map((block) => rowOf("Block", block)) : [];
  const reserved = hasReserved ? ["IPS RESERVED"] : [];
  return boxTable(
    ["GROUPING", "CIDR", "IPS TOTAL", "IPS IN USE", ...reserved, "IPS FREE"],
    [...rows, ...rest],
  );
}

function row(grouping: string, usage: Usage, hasReserved: boolean): readonly string[] {
  const total = Number(usage.total);
  const reserved = hasReserved ? [share(Number(usage.reserved), total)] : [];
  return [
    grouping,
    Prefix.format(usage.cidr),
    formatShort(total),
    share(Number(usage.inUse), total),
    ...reserved,
    share(Number(usage.free), total),
  ];
}

/** `5 (8%)`. */
function share(count: number, total: number): string {
  return `${formatShort(count)} (${formatRounded((100 * count) / total)}%)`;
}
