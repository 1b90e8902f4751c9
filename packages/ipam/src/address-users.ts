import { type IpAddress, Prefix } from "@caracal/net";
import type { AllocationBlock } from "@caracal/resources";
import { addressAt, attributeOf, isWindowsReserved } from "./block.ts";

/** An address that IPAM has given to somebody. */
export interface AddressUser {
  readonly address: IpAddress;
  readonly handle: string | undefined;
  /** Kept with the allocation: pod, namespace and node, say. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** What nodes themselves hold is called so in the attribute `type`; they move such an address by themselves. */
const nodeAddressType = /TunnelAddress$/;

/** Who has addresses of a range, besides the nodes themselves. */
export function addressUsers(blocks: readonly AllocationBlock[], range: Prefix): readonly AddressUser[] {
  return blocks.flatMap((block) => {
    const cidr = Prefix.parse(block.cidr);
    if (cidr === undefined || !Prefix.overlaps(range, cidr)) return [];
    return [...block.allocations.keys()].flatMap((ordinal) => {
      const attribute = attributeOf(block, ordinal);
      if (attribute === undefined || attribute.releasedAt !== undefined) return [];
      const address = addressAt(cidr, ordinal);
      const { handle_id: handle, secondary: attributes = {} } = attribute;
      const isNodes = isWindowsReserved(attribute) || nodeAddressType.test(attributes["type"] ?? "");
      return isNodes || !Prefix.contains(range, address) ? [] : [{ address, handle, attributes }];
    });
  });
}
