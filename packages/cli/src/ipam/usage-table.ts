import type { Usage, UsageReport } from "@caracal/ipam";
import { Prefix } from "@caracal/net";
import { boxTable } from "../output/box-table.ts";
import { formatRounded, formatShort } from "../output/go-number.ts";

/** `ipam show`, with `--show-blocks` every block below its pool; blocks whose pool is gone stand last, under none. */
export function usageTable({ pools, orphans }: UsageReport, showsBlocks: boolean): string {
  const rows = pools.flatMap((pool) => [
    row("IP Pool", pool),
    ...(showsBlocks ? pool.blocks.map((block) => row("Block", block)) : []),
  ]);
  const rest = showsBlocks ? orphans.map((block) => row("Block", block)) : [];
  return boxTable(["GROUPING", "CIDR", "IPS TOTAL", "IPS IN USE", "IPS FREE"], [...rows, ...rest]);
}

function row(grouping: string, usage: Usage): readonly string[] {
  const total = Number(usage.total);
  const inUse = Number(usage.inUse);
  return [
    grouping,
    Prefix.format(usage.cidr),
    formatShort(total),
    share(inUse, total),
    share(total - inUse, total),
  ];
}

/** `5 (8%)`. */
function share(count: number, total: number): string {
  return `${formatShort(count)} (${formatRounded((100 * count) / total)}%)`;
}
