import type { NodeRecord } from "./lab-record.ts";

/** A node's addresses, for people. */
export function addressText({ address, address6 }: Pick<NodeRecord, "address" | "address6">): string {
  return address6 === undefined ? address : `${address} ${address6}`;
}
