import { IpAddress, Prefix } from "@caracal/net";
import type { AllocationAttribute, AllocationBlock } from "@caracal/resources";
import { boxTable } from "../output/box-table.ts";

/** `ipam show --show-borrowed`: addresses in use on another node than the one whose block they are of. */
export function borrowedTable(blocks: readonly AllocationBlock[]): string {
  const rows = blocks.flatMap((block) => {
    const cidr = Prefix.parse(block.cidr);
    const owner = /^host:(.*)$/.exec(block.affinity ?? "")?.[1] ?? "";
    if (cidr === undefined) return [];
    return block.allocations.flatMap((slot, ordinal) => {
      const attribute = slot === null ? undefined : block.attributes[slot];
      const address = Prefix.at(cidr, BigInt(ordinal));
      const node = attribute?.secondary?.node;
      if (attribute === undefined || address === undefined || node === undefined || node === owner) return [];
      const { type, allocatedTo } = holder(attribute);
      return [[IpAddress.format(address), node, block.cidr, owner, type, allocatedTo]];
    });
  });
  return boxTable(["IP", "BORROWING-NODE", "BLOCK", "BLOCK OWNER", "TYPE", "ALLOCATED-TO"], rows);
}

function holder({ secondary = {} }: AllocationAttribute): {
  readonly type: string;
  readonly allocatedTo: string;
} {
  if (secondary.pod !== undefined) {
    return { type: "pod", allocatedTo: `${secondary.namespace ?? ""}/${secondary.pod}` };
  }
  return { type: secondary.type ?? "", allocatedTo: secondary.node ?? "" };
}
