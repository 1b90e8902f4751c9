import { IpAddress, Ipv4, Ipv6, Prefix } from "@caracal/net";
import type { AllocationBlock } from "@caracal/resources";

/** A block as routes see it. */
export interface RoutedBlock {
  readonly prefix: Prefix;
  /** The node it belongs to; absent for a block that is nobody's. */
  readonly node?: string;
  /** Addresses in it that another node holds. */
  readonly borrowed: readonly BorrowedAddress[];
}

export interface BorrowedAddress {
  readonly address: IpAddress;
  readonly node: string;
}

const hostPrefix = "host:";

/** What IPAM's record of a block says about routes, or `undefined` where its CIDR makes no sense. */
export function routedBlockOf(record: AllocationBlock): RoutedBlock | undefined {
  const prefix = Prefix.parse(record.cidr);
  if (prefix === undefined || record.deleted) return undefined;
  const { affinity = "", allocations, attributes } = record;
  const node = affinity.startsWith(hostPrefix) ? affinity.slice(hostPrefix.length) : undefined;
  const borrowed: BorrowedAddress[] = [];
  for (const [ordinal, at] of allocations.entries()) {
    const owner = at === null ? undefined : attributes[at];
    const holder = owner?.secondary?.["node"];
    if (holder === undefined || holder === node || owner?.releasedAt !== undefined) continue;
    borrowed.push({ address: plus(prefix.address, ordinal), node: holder });
  }
  return { prefix, ...(node === undefined ? {} : { node }), borrowed };
}

/** Whether routes are the same for both: most changes of a block are of addresses that its own node takes. */
export function isSameRoutedBlock(a: RoutedBlock, b: RoutedBlock): boolean {
  return (
    a.node === b.node &&
    a.borrowed.length === b.borrowed.length &&
    a.borrowed.every(({ address, node }, at) => {
      const other = b.borrowed[at];
      return other?.address === address && other.node === node;
    })
  );
}

function plus(address: IpAddress, ordinal: number): IpAddress {
  return IpAddress.isIpv4(address) ? Ipv4.of(address + ordinal) : Ipv6.of(address + BigInt(ordinal));
}
