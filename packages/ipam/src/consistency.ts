import { type AffinityOwner, type Entry, keys } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import {
  type AllocationBlock,
  AllocationBlockCodec,
  BlockAffinityCodec,
  type BlockAffinityRecord,
  type IpamHandle,
  IpamHandleCodec,
} from "@caracal/resources";
import { affinityText } from "./affinity.ts";
import { countByHandle } from "./block.ts";

/**
 * - `unsafe`: addresses may be given twice, or lost for their owner. It never comes from a crash, only from a fault.
 * - `leftover`: what a crash leaves behind: it costs addresses or blocks until someone releases or claims them again.
 */
export type Severity = "unsafe" | "leftover";

export interface IpamProblem {
  readonly severity: Severity;
  readonly code:
    | "unreadable"
    | "overlap"
    | "slots"
    | "twoAffinities"
    | "affinityWithoutBlock"
    | "blockWithoutAffinity"
    | "unfinishedAffinity"
    | "uncounted"
    | "overcounted"
    | "handleWithoutBlock";
  readonly key: string;
  readonly message: string;
}

/** The IPAM records of one moment. */
export interface IpamSnapshot {
  readonly blocks: readonly { readonly cidr: Prefix; readonly record: AllocationBlock }[];
  readonly affinities: readonly {
    readonly owner: AffinityOwner;
    readonly cidr: Prefix;
    readonly record: BlockAffinityRecord;
  }[];
  readonly handles: readonly { readonly id: string; readonly record: IpamHandle }[];
  readonly unreadable: readonly string[];
}

/** Sorts store entries into records; those that are no IPAM records are passed over. */
export function readSnapshot(entries: readonly Entry[]): IpamSnapshot {
  const blocks: IpamSnapshot["blocks"][number][] = [];
  const affinities: IpamSnapshot["affinities"][number][] = [];
  const handles: IpamSnapshot["handles"][number][] = [];
  const unreadable: string[] = [];
  for (const { key: text, value } of entries) {
    const key = keys.parse(text);
    if (key?.kind === "block") {
      const reading = AllocationBlockCodec.parse(value);
      if (reading.kind === "ok") blocks.push({ cidr: key.cidr, record: reading.value });
      else unreadable.push(text);
    } else if (key?.kind === "affinity") {
      const reading = BlockAffinityCodec.parse(value);
      if (reading.kind === "ok") affinities.push({ owner: key.owner, cidr: key.cidr, record: reading.value });
      else unreadable.push(text);
    } else if (key?.kind === "handle") {
      const reading = IpamHandleCodec.parse(value);
      if (reading.kind === "ok") handles.push({ id: key.id, record: reading.value });
      else unreadable.push(text);
    }
  }
  return { blocks, affinities, handles, unreadable };
}

/** Every way in which the records contradict each other. */
export function checkConsistency(snapshot: IpamSnapshot): readonly IpamProblem[] {
  const problems: IpamProblem[] = snapshot.unreadable.map((key) => ({
    severity: "unsafe",
    code: "unreadable",
    key,
    message: "cannot be read",
  }));
  checkBlocks(snapshot, problems);
  checkAffinities(snapshot, problems);
  checkHandles(snapshot, problems);
  return problems;
}

function checkBlocks({ blocks }: IpamSnapshot, problems: IpamProblem[]): void {
  const sorted = blocks.toSorted((a, b) => Prefix.compare(a.cidr, b.cidr));
  for (const [index, { cidr, record }] of sorted.entries()) {
    const key = keys.block(cidr);
    const next = sorted[index + 1];
    if (next !== undefined && Prefix.overlaps(cidr, next.cidr)) {
      const message = `overlaps ${Prefix.format(next.cidr)}`;
      problems.push({ severity: "unsafe", code: "overlap", key, message });
    }
    const fault = slotFault(cidr, record);
    if (fault !== undefined) problems.push({ severity: "unsafe", code: "slots", key, message: fault });
  }
}

/** What is wrong between a block's slots, its queue of free ordinals and its attributes. */
function slotFault(cidr: Prefix, block: AllocationBlock): string | undefined {
  if (block.cidr !== Prefix.format(cidr)) return `calls itself ${block.cidr}`;
  const size = Number(Prefix.size(cidr));
  if (block.allocations.length !== size) return `has ${block.allocations.length} slots for ${size} addresses`;
  const free = new Set(block.unallocated);
  if (free.size !== block.unallocated.length) return "queues a free address twice";
  for (const [ordinal, slot] of block.allocations.entries()) {
    if (slot === null && !free.has(ordinal)) return `has lost the free address ${ordinal}`;
    if (slot === null) continue;
    if (free.has(ordinal)) return `queues the taken address ${ordinal}`;
    if (block.attributes[slot] === undefined)
      return `address ${ordinal} names attribute ${slot}, which is not there`;
  }
  return undefined;
}

function checkAffinities({ blocks, affinities }: IpamSnapshot, problems: IpamProblem[]): void {
  const owners = new Map(blocks.map(({ cidr, record }) => [Prefix.key(cidr), record.affinity]));
  const confirmed = new Set<string>();
  const known = new Set<string>();
  for (const { owner, cidr, record } of affinities) {
    const key = keys.affinity(owner, cidr);
    const block = Prefix.key(cidr);
    known.add(`${affinityText(owner)} ${block}`);
    if (record.state !== "confirmed") {
      problems.push({ severity: "leftover", code: "unfinishedAffinity", key, message: `is ${record.state}` });
      continue;
    }
    if (confirmed.has(block)) {
      problems.push({
        severity: "unsafe",
        code: "twoAffinities",
        key,
        message: "is confirmed for another too",
      });
    }
    confirmed.add(block);
    if (owners.get(block) !== affinityText(owner)) {
      const message = owners.has(block)
        ? `its block names ${owners.get(block) ?? "nobody"}`
        : "its block is not there";
      problems.push({ severity: "unsafe", code: "affinityWithoutBlock", key, message });
    }
  }
  for (const { cidr, record } of blocks) {
    if (record.affinity === undefined || known.has(`${record.affinity} ${Prefix.key(cidr)}`)) continue;
    const message = `${record.affinity} has no affinity record for it`;
    problems.push({ severity: "leftover", code: "blockWithoutAffinity", key: keys.block(cidr), message });
  }
}

function checkHandles({ blocks, handles }: IpamSnapshot, problems: IpamProblem[]): void {
  const counted = new Map(handles.map(({ id, record }) => [id, record.block]));
  const held = new Map(blocks.map(({ cidr, record }) => [Prefix.format(cidr), countByHandle(record)]));
  for (const [cidr, counts] of held) {
    for (const [handle, count] of counts) {
      const claimed = counted.get(handle)?.[cidr] ?? 0;
      if (claimed >= count) continue;
      const message = `holds ${count} addresses of ${cidr} and counts ${claimed}`;
      problems.push({ severity: "unsafe", code: "uncounted", key: keys.handle(handle), message });
    }
  }
  for (const { id, record } of handles) {
    const key = keys.handle(id);
    for (const [cidr, claimed] of Object.entries(record.block)) {
      const block = held.get(cidr);
      if (block === undefined) {
        const message = `counts ${claimed} addresses of ${cidr}, which is not there`;
        problems.push({ severity: "leftover", code: "handleWithoutBlock", key, message });
      } else if (claimed > (block.get(id) ?? 0)) {
        const message = `counts ${claimed} addresses of ${cidr} and holds ${block.get(id) ?? 0}`;
        problems.push({ severity: "leftover", code: "overcounted", key, message });
      }
    }
  }
}
