import type { BorrowedAddress } from "@caracal/ipam";
import { IpAddress, Prefix } from "@caracal/net";
import { boxTable } from "../output/box-table.ts";

/** `ipam show --show-borrowed`: addresses in use on another node than the one whose block they are of. */
export function borrowedTable(borrowed: readonly BorrowedAddress[]): string {
  const rows = borrowed.map(({ address, borrower, block, blockOwner = "", attributes }) => {
    const { pod, namespace = "", type = "", node = "", "vmi-name": machine } = attributes;
    const kind = machine === undefined ? "pod" : "vmi";
    const name = machine ?? pod;
    const holder = name === undefined ? [type, node] : [kind, `${namespace}/${name}`];
    return [IpAddress.format(address), borrower, Prefix.format(block), blockOwner, ...holder];
  });
  return boxTable(["IP", "BORROWING-NODE", "BLOCK", "BLOCK OWNER", "TYPE", "ALLOCATED-TO"], rows);
}
