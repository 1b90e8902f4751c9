import { type AffinityOwner, keys } from "@caracal/datastore";
import { IpAddress, Prefix } from "@caracal/net";
import type { AllocationAttribute } from "@caracal/resources";
import { affinityText, claimBlock } from "./affinity.ts";
import { assignOrdinal, attributeOf, endCooldown, type Owner } from "./block.ts";
import { contention } from "./ipam-error.ts";
import type { IpamRecords } from "./ipam-records.ts";
import type { IpamSettings } from "./ipam-settings.ts";
import { blockOf, type PoolUse } from "./pool.ts";
import { writeAllocation } from "./write-allocation.ts";

/** One certain address for one owner. */
export interface AddressRequest extends Owner {
  readonly owner: AffinityOwner;
  readonly address: IpAddress;
  readonly use: PoolUse;
}

export type AddressResult =
  /** `claimed` is the block when it became the owner's by this. */
  | { readonly kind: "assigned"; readonly claimed: Prefix | undefined }
  | {
      readonly kind: "refused";
      readonly code: "notInPool" | "use" | "notAffine" | "taken";
      readonly message: string;
      /** Who has the address. */
      readonly holder?: AllocationAttribute;
    };

/** Assigns the address asked for, reserved or not; its block becomes the owner's if it does not exist yet. */
export async function assignAddress(
  records: IpamRecords,
  settings: IpamSettings,
  request: AddressRequest,
): Promise<AddressResult> {
  const { address, owner, use } = request;
  const text = IpAddress.format(address);
  const pool = settings.pools.find((one) => one.isEnabled && Prefix.contains(one.cidr, address));
  if (pool === undefined) {
    return refuse("notInPool", `The provided IP address is not in a configured pool: ${text}`);
  }
  if (!pool.uses.includes(use)) {
    return refuse("use", `The provided IP address ${text} is in pool ${pool.name}, which is not for ${use}`);
  }
  const cidr = blockOf(pool, address);
  const ordinal = Number(Prefix.indexOf(cidr, address) ?? 0n);
  let claimed: Prefix | undefined;
  for (let attempt = 0; attempt < records.attempts; attempt += 1) {
    let block = await records.blocks.get(keys.block(cidr));
    if (block === undefined) {
      const other = await blockInTheWay(records, cidr);
      if (other !== undefined) {
        const way = `the block ${Prefix.format(cidr)} of ${text} cannot be made: ${Prefix.format(other)} is there`;
        return refuse("taken", way);
      }
      block = await claimBlock(records, owner, cidr);
      if (block === undefined) continue;
      claimed = cidr;
    }
    let refused: AddressResult | undefined;
    const plan = await writeAllocation(records, cidr, block, (current) => {
      const rested = endCooldown(current, settings.config.ipCooldownSeconds, records.now());
      if (settings.config.strict_affinity && rested.affinity !== affinityText(owner)) {
        refused = refuse("notAffine", `block ${rested.cidr} of ${text} is not affine to ${owner.name}`);
        return undefined;
      }
      const holder = attributeOf(rested, ordinal);
      if (holder !== undefined) {
        refused = { ...refuse("taken", alreadyAssigned(text)), holder };
        return undefined;
      }
      const counts = new Map(request.handle === undefined ? [] : [[request.handle, 1]]);
      return { block: assignOrdinal(rested, ordinal, request), counts };
    });
    if (plan !== undefined) return { kind: "assigned", claimed };
    if (refused !== undefined) return refused;
  }
  throw contention();
}

/** A block of another size than its pool has now, left from an earlier one: none may overlap it. */
async function blockInTheWay({ blocks }: IpamRecords, cidr: Prefix): Promise<Prefix | undefined> {
  const entries = await blocks.entries(keys.blocks(cidr.family));
  return entries
    .flatMap((entry) => {
      const key = keys.parse(entry.key);
      return key?.kind === "block" ? [key.cidr] : [];
    })
    .find((one) => one.length !== cidr.length && Prefix.overlaps(one, cidr));
}

function alreadyAssigned(address: string): string {
  return `resource already exists: ${address} with error: Address already assigned in block`;
}

function refuse(
  code: Extract<AddressResult, { kind: "refused" }>["code"],
  message: string,
): Extract<AddressResult, { kind: "refused" }> {
  return { kind: "refused", code, message };
}
