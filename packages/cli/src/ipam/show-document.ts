import type { AddressState, BlockUsage, BorrowedAddress, PoolUsage, Usage, UsageReport } from "@caracal/ipam";
import { IpAddress, Prefix } from "@caracal/net";

/** `ipam show -o json|yaml`: how full pools and blocks are. Blocks whose pool is gone are listed beside the pools. */
export function usageDocument({ pools, orphans }: UsageReport): object {
  return { pools: pools.map(poolOf), blocksWithoutPool: orphans.map(blockOf) };
}

function poolOf(usage: PoolUsage): object {
  return { name: usage.name, ...countsOf(usage), blocks: usage.blocks.map(blockOf) };
}

function blockOf(usage: BlockUsage): object {
  return { ...countsOf(usage), affinity: usage.affinity ?? null };
}

function countsOf({ cidr, total, inUse, reserved, free, borrowed, cooling }: Usage): object {
  return { cidr: Prefix.format(cidr), total, inUse, reserved, free, borrowed, cooling };
}

/** The same of one address. */
export function addressDocument(address: IpAddress, state: AddressState): object {
  const ip = IpAddress.format(address);
  if (state.kind === "free") return { ip, state: state.kind };
  if (state.kind === "coolingDown") return { ip, state: state.kind, releasedAt: state.releasedAt };
  return {
    ip,
    state: state.kind,
    handle: state.handle ?? null,
    attributes: state.attributes,
    ...(state.alternateOwner === undefined ? {} : { alternateOwnerAttributes: state.alternateOwner }),
    block: Prefix.format(state.block),
    affinity: state.affinity ?? null,
    sequenceNumber: state.sequenceNumber ?? null,
  };
}

/** The same of addresses that nodes have of each other's blocks. */
export function borrowedDocument(borrowed: readonly BorrowedAddress[]): object {
  return borrowed.map(({ address, borrower, block, blockOwner, attributes }) => ({
    ip: IpAddress.format(address),
    borrowingNode: borrower,
    block: Prefix.format(block),
    blockOwner: blockOwner ?? null,
    attributes,
  }));
}
