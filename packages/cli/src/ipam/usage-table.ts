import type { Usage, UsageReport } from "@caracal/ipam";
import { Prefix } from "@caracal/net";
import { boxTable } from "../output/box-table.ts";
import { formatRounded, formatShort } from "../output/go-number.ts";

/**
 * `ipam show`, with `--show-blocks` every block below its pool; blocks whose pool is gone stand last, under none. What
 * reservations keep back has a column where there are any, and so has what rests after its release.
 */
export function usageTable({ pools, orphans }: UsageReport, showsBlocks: boolean): string {
  const shown: Shown = {
    reserved: [...pools, ...orphans].some(({ reserved }) => reserved > 0n),
    cooling: [...pools, ...orphans].some(({ cooling }) => cooling > 0n),
  };
  const rowOf = (grouping: string, usage: Usage): readonly string[] => row(grouping, usage, shown);
  const rows = pools.flatMap((pool) => [
    rowOf("IP Pool", pool),
    ...(showsBlocks ? pool.blocks.map((block) => rowOf("Block", block)) : []),
  ]);
  const rest = showsBlocks ? orphans.map((block) => rowOf("Block", block)) : [];
  const reserved = shown.reserved ? ["IPS RESERVED"] : [];
  const cooling = shown.cooling ? ["IPS COOLING"] : [];
  return boxTable(
    ["GROUPING", "CIDR", "IPS TOTAL", "IPS IN USE", ...reserved, "IPS FREE", ...cooling],
    [...rows, ...rest],
  );
}

/** Columns that not every table has. */
interface Shown {
  readonly reserved: boolean;
  readonly cooling: boolean;
}

function row(grouping: string, usage: Usage, shown: Shown): readonly string[] {
  const total = Number(usage.total);
  return [
    grouping,
    Prefix.format(usage.cidr),
    formatShort(total),
    share(Number(usage.inUse), total),
    ...(shown.reserved ? [share(Number(usage.reserved), total)] : []),
    share(Number(usage.free), total),
    ...(shown.cooling ? [share(Number(usage.cooling), total)] : []),
  ];
}

/** `5 (8%)`. */
function share(count: number, total: number): string {
  return `${formatShort(count)} (${formatRounded((100 * count) / total)}%)`;
}
