import { IpAddress, Prefix } from "@caracal/net";
import type { AllocationAttribute, AllocationBlock } from "@caracal/resources";
import { affinityOwner } from "./affinity.ts";
import { addressAt, attributeOf, isWindowsReserved } from "./block.ts";
import { checkConsistency, type IpamProblem, type IpamSnapshot } from "./consistency.ts";
import type { Pool } from "./pool.ts";
import { type SurplusHandle, surplusHandles } from "./surplus-handle.ts";

/** An address that something has, whatever IPAM knows of it. */
export interface AddressUse {
  readonly address: IpAddress;
  /** For people: `Workload(default/nginx)`, `Node(n1)`. */
  readonly owner: string;
}

/** Every allocation of a block, without owners: who has an address is not asked. */
export function allocationsIn(cidr: Prefix, block: AllocationBlock): readonly AuditedAllocation[] {
  return allocationsOf(cidr, block, () => []);
}

/** An address that a block gives to someone, and whether that one is there. */
export interface AuditedAllocation {
  readonly address: IpAddress;
  readonly block: Prefix;
  readonly attribute: AllocationAttribute;
  readonly handle: string | undefined;
  readonly sequenceNumber: bigint | undefined;
  /** Of the attributes, else the block's; empty when neither tells. */
  readonly node: string;
  readonly isBorrowed: boolean;
  /** Released, and kept back for a while. */
  readonly isCoolingDown: boolean;
  /** Empty for an address that nobody has. */
  readonly owners: readonly string[];
}

/** An address in use and all that use it. */
export interface UsedAddress {
  readonly address: IpAddress;
  readonly owners: readonly string[];
}

/** Where IPAM's records, and what is really in use, differ. */
export interface Audit {
  readonly allocations: readonly AuditedAllocation[];
  /** Every address in use, once. */
  readonly used: readonly UsedAddress[];
  /** Allocated, though nobody has it. */
  readonly leaked: readonly AuditedAllocation[];
  /** In use outside every pool. */
  readonly outside: readonly UsedAddress[];
  /** In use inside a pool, though IPAM may give it to another. */
  readonly unallocated: readonly UsedAddress[];
  /** Handles that no block names. */
  readonly idleHandles: readonly string[];
  readonly activeHandles: readonly string[];
  /** Those of the active ones that count more addresses than blocks give them. */
  readonly surplusHandles: readonly SurplusHandle[];
  /** Handles that blocks name and that are not there. */
  readonly missingHandles: readonly string[];
  /** Records that contradict themselves. */
  readonly invalidBlocks: readonly IpamProblem[];
}

/** What an audit compares, all of one moment. */
export interface AuditInput {
  readonly snapshot: IpamSnapshot;
  /** Those that count as active. */
  readonly pools: readonly Pick<Pool, "cidr">[];
  readonly uses: readonly AddressUse[];
}

/** Compares what is allocated with what is in use; everything ordered by address or name. */
export function auditAllocations({ snapshot, pools, uses }: AuditInput): Audit {
  const owners = new Map<string, { readonly address: IpAddress; readonly owners: string[] }>();
  for (const { address, owner } of uses) {
    const key = IpAddress.format(address);
    const known = owners.get(key) ?? { address, owners: [] };
    known.owners.push(owner);
    owners.set(key, known);
  }
  const allocations = snapshot.blocks.flatMap(({ cidr, record }) =>
    allocationsOf(cidr, record, (address) => owners.get(IpAddress.format(address))?.owners ?? []),
  );
  const used = [...owners.values()].toSorted((a, b) => IpAddress.compare(a.address, b.address));
  const allocated = new Set(allocations.map(({ address }) => IpAddress.format(address)));
  const strays = used.filter(({ address }) => !allocated.has(IpAddress.format(address)));
  const isPooled = ({ address }: UsedAddress): boolean =>
    pools.some(({ cidr }) => Prefix.contains(cidr, address));
  const named = new Set(allocations.flatMap(({ handle }) => handle ?? []));
  const handles = new Set(snapshot.handles.map(({ id }) => id));
  return {
    allocations,
    used,
    leaked: allocations.filter((one) => one.owners.length === 0 && !one.isCoolingDown),
    outside: strays.filter((one) => !isPooled(one)),
    unallocated: strays.filter(isPooled),
    idleHandles: [...handles.difference(named)],
    activeHandles: [...handles.intersection(named)],
    surplusHandles: surplusHandles(snapshot).filter(({ held }) => held > 0),
    missingHandles: [...named.difference(handles)].toSorted(),
    invalidBlocks: checkConsistency(snapshot).filter(({ code }) =>
      ["unreadable", "overlap", "slots"].includes(code),
    ),
  };
}

function allocationsOf(
  cidr: Prefix,
  block: AllocationBlock,
  ownersOf: (address: IpAddress) => readonly string[],
): readonly AuditedAllocation[] {
  const affine = affinityOwner(block.affinity);
  const blockNode = affine?.kind === "host" ? affine.name : "";
  // A block with more slots than addresses is told of as invalid.
  const slots = block.allocations.slice(0, Number(Prefix.size(cidr)));
  return [...slots.keys()].flatMap((ordinal) => {
    const attribute = attributeOf(block, ordinal);
    if (attribute === undefined) return [];
    const address = addressAt(cidr, ordinal);
    const node = attribute.secondary?.node || blockNode;
    const isReserved = isWindowsReserved(attribute);
    return [
      {
        address,
        block: cidr,
        attribute,
        handle: isReserved ? undefined : attribute.handle_id,
        sequenceNumber: block.sequenceNumberForAllocation[String(ordinal)],
        node,
        isBorrowed: node !== blockNode,
        isCoolingDown: attribute.releasedAt !== undefined,
        owners: [...(isReserved ? ["Reserved for Windows"] : []), ...ownersOf(address)],
      },
    ];
  });
}
