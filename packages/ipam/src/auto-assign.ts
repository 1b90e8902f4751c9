import { type AffinityOwner, type Entry, keys } from "@caracal/datastore";
import { type IpAddress, type IpFamily, Prefix } from "@caracal/net";
import type { AllocationBlock, BlockAffinityRecord, Labels } from "@caracal/resources";
import { affinityText, claimBlock, claimTogether, releaseAffinity, secureBlock } from "./affinity.ts";
import { addressAt, assignFree, endCooldown, hasFreeAddress, newBlock, type Want, written } from "./block.ts";
import { BlockCatalogue } from "./block-catalogue.ts";
import { claimSingly } from "./claim-singly.ts";
import { explainShortage } from "./explain-shortage.ts";
import { contention } from "./ipam-error.ts";
import type { IpamRecords } from "./ipam-records.ts";
import { defaultMaxBlocks, type IpamSettings, isUnwantedBlock } from "./ipam-settings.ts";
import { type Pool, type PoolRefusal, type PoolSelection, type PoolUse, selectPools } from "./pool.ts";
import { trustSeenFor } from "./ipam-view.ts";
import { isReclaimable, reclaimBlock } from "./reclaim.ts";
import type { Stored } from "./record-shelf.ts";
import { Nanos } from "./timestamp.ts";
import {
  type AllocationPlan,
  countHandles,
  countingSteps,
  type FirstAllocation,
  type NewEntry,
  writeAllocation,
} from "./write-allocation.ts";

/** Where addresses may come from. */
export interface BlockRequest {
  readonly owner: AffinityOwner;
  readonly family: IpFamily;
  readonly use: PoolUse;
  /** Pools by name or CIDR; none leaves the choice to selectors. */
  readonly pools?: readonly string[] | undefined;
  readonly namespaceLabels?: Labels | undefined;
  /** Most blocks that the owner may have, where the request is stricter than the configuration. */
  readonly maxBlocks?: number | undefined;
  /** The block to look at first. */
  readonly hint?: BlockHint | undefined;
}

/** A block of the owner's that was of use, and where it is in the store: written out once, as every address asks for it. */
export interface BlockHint {
  readonly cidr: Prefix;
  readonly blockKey: string;
  readonly affinityKey: string;
}

/** What one owner wants, and what shall be written with it. */
export interface AutoWant extends Want {
  /**
   * An entry that is made together with the allocation of one address; the handle must be new too. When either is there
   * already, nothing is assigned. Only for stores with transactions.
   */
  readonly together?: ((address: IpAddress) => NewEntry) | undefined;
}

/** What several owners on one node want from the same pools. */
export interface AutoAssignRequest extends BlockRequest {
  readonly wants: readonly AutoWant[];
}

export type AutoAssignResult =
  | {
      readonly kind: "assigned";
      /** For each want, at most as many as it asked for. */
      readonly addresses: readonly (readonly IpAddress[])[];
      /** Wants whose handle or entry is there already. */
      readonly existing: ReadonlySet<number>;
      /** Blocks that became the owner's. */
      readonly claimed: readonly Prefix[];
      /** Why there were not more; empty when all wants are met. */
      readonly messages: readonly string[];
      /** The block that the last address came from. */
      readonly hint: BlockHint | undefined;
    }
  | Extract<PoolSelection, { kind: "refused" }>;

/**
 * Addresses for an owner: from its own blocks first, then from new ones, then from blocks that others left empty, and
 * at last, unless affinity is strict, borrowed from anyone's.
 */
export async function autoAssign(
  records: IpamRecords,
  settings: IpamSettings,
  request: AutoAssignRequest,
): Promise<AutoAssignResult> {
  const selection = select(settings, request);
  if (selection.kind === "refused") return selection;
  const assignment = new Assignment(records, settings, request, selection.pools);
  await assignment.fromHint();
  if (!assignment.isOpen()) return assignment.result();
  await assignment.fromOwnBlocks();
  await assignment.fromNewBlocks();
  await assignment.fromFullBlocks();
  await assignment.borrow();
  await assignment.explain(selection.refusals);
  return assignment.result();
}

/** Makes sure that an owner has a block with a free address; the result has no addresses, only what was claimed. */
export async function ensureBlock(
  records: IpamRecords,
  settings: IpamSettings,
  request: BlockRequest,
): Promise<AutoAssignResult> {
  const selection = select(settings, request);
  if (selection.kind === "refused") return selection;
  const assignment = new Assignment(records, settings, { ...request, wants: [] }, selection.pools);
  if (!(await assignment.hasOwnSpace())) await assignment.takeBlock();
  return assignment.result();
}

/** What is chosen for addresses of a family and use. */
interface Choice {
  readonly family: IpFamily;
  readonly use: PoolUse;
  readonly selection: PoolSelection;
}

/** Choices by settings and node, where nothing else decides but what addresses are for. */
const choices = new WeakMap<IpamSettings, Map<string, Choice[]>>();

function choicesOf(settings: IpamSettings, node: string): Choice[] {
  const byNode = choices.get(settings) ?? new Map<string, Choice[]>();
  choices.set(settings, byNode);
  const known = byNode.get(node) ?? [];
  byNode.set(node, known);
  return known;
}

function select(settings: IpamSettings, request: BlockRequest): PoolSelection {
  const { nodeLabels, pools } = settings;
  const { family, use } = request;
  const node = request.owner.name;
  const isNamed = request.pools !== undefined && request.pools.length > 0;
  if (isNamed || pools.some(({ namespaceSelector }) => namespaceSelector !== "")) {
    return selectPools({ ...request, node, nodeLabels }, pools);
  }
  const known = choicesOf(settings, node);
  const made = known.find((one) => one.family === family && one.use === use);
  if (made !== undefined) return made.selection;
  const selection = selectPools({ ...request, node, nodeLabels }, pools);
  known.push({ family, use, selection });
  return selection;
}

interface OwnBlock {
  readonly cidr: Prefix;
  readonly affinity: Stored<BlockAffinityRecord>;
}

interface FillPlan extends AllocationPlan {
  /** For each want. */
  readonly ordinals: readonly (readonly number[])[];
}

interface FoundBlock {
  readonly cidr: Prefix;
  readonly block: Stored<AllocationBlock>;
  /** It was made with what is wanted from it. */
  readonly isFilled?: boolean;
}

const none: readonly never[] = [];

/** One run of the algorithm: what is still wanted, and what is known of the blocks. */
class Assignment {
  readonly #records: IpamRecords;
  readonly #settings: IpamSettings;
  readonly #request: AutoAssignRequest;
  readonly #pools: readonly Pool[];
  #openedCatalogue: BlockCatalogue | undefined;
  readonly #addresses: IpAddress[][];
  readonly #claimed: Prefix[] = [];
  readonly #messages: string[] = [];
  readonly #written: { readonly cidr: Prefix; readonly block: AllocationBlock }[] = [];
  readonly #existing = new Set<number>();
  #own: readonly OwnBlock[] = [];
  /** Own blocks that were full a moment ago. */
  #full: readonly OwnBlock[] = [];
  /** Blocks that count against the owner's limit, also those outside the pools. */
  #ownCount = 0;
  /** Settings allow no block more, and then none of others' addresses either. */
  #mayTakeMore = true;
  #hint: BlockHint | undefined;

  constructor(
    records: IpamRecords,
    settings: IpamSettings,
    request: AutoAssignRequest,
    pools: readonly Pool[],
  ) {
    const { wants, hint } = request;
    this.#records = records;
    this.#settings = settings;
    this.#request = request;
    this.#pools = pools;
    this.#addresses = wants.map(() => []);
    this.#hint = hint;
  }

  /** Needed only where the hint is not enough. */
  get #catalogue(): BlockCatalogue {
    if (this.#openedCatalogue !== undefined) return this.#openedCatalogue;
    const { family, owner } = this.#request;
    const { reservations } = this.#settings;
    const search = { family, pools: this.#pools, reservations, node: owner.name };
    this.#openedCatalogue = new BlockCatalogue(this.#records, search);
    return this.#openedCatalogue;
  }

  /** Whether a want is not met yet. */
  isOpen(): boolean {
    return this.#request.wants.some(({ count }, index) => this.#lack(index, count) > 0);
  }

  result(): AutoAssignResult {
    return {
      kind: "assigned",
      addresses: this.#addresses,
      existing: this.#existing,
      claimed: this.#claimed,
      messages: this.isOpen() || this.#addresses.length === 0 ? this.#messages : [],
      hint: this.#hint,
    };
  }

  /**
   * From the block that was of use last, as it was then: if that is still so, nothing needs to be read. Only the affinity
   * is, beside the write of the handles: routes follow it, so a block that has lost it is of no use.
   */
  async fromHint(): Promise<void> {
    const { hint } = this.#request;
    if (hint === undefined || !this.#pools.some((pool) => Prefix.covers(pool.cidr, hint.cidr))) return;
    const { cidr, blockKey, affinityKey } = hint;
    const { blocks } = this.#records;
    const block = blocks.remembered(blockKey) ?? (await blocks.get(blockKey));
    if (block !== undefined) await this.#fill({ cidr, block }, true, affinityKey);
  }

  async fromOwnBlocks(): Promise<void> {
    this.#catalogue.probe();
    await this.#readOwn();
    // A block more will be needed, as far as is known: what there is is read beside the own blocks.
    if (!this.#own.some(({ cidr }) => this.#mayHaveSpace(cidr))) await this.#catalogue.prefetch();
    for (const one of this.#own) {
      const block = this.#knownToBeOwn(one);
      if (block === undefined) continue;
      const affinityKey = keys.affinity(this.#request.owner, one.cidr);
      await this.#fill({ cidr: one.cidr, block }, true, affinityKey);
      if (!this.isOpen()) return;
    }
    for (const found of await this.#secure(this.#own)) await this.#fill(found, true);
  }

  /** From those of the own blocks that were full a moment ago: others may have given something back. */
  async fromFullBlocks(): Promise<void> {
    if (!this.isOpen()) return;
    for (const found of await this.#secure(this.#full)) await this.#fill(found, true);
  }

  #mayHaveSpace(cidr: Prefix): boolean {
    const block = this.#records.blocks.remembered(keys.block(cidr));
    return block !== undefined && this.#hasSpace(cidr, block.record);
  }

  #hasSpace(cidr: Prefix, block: AllocationBlock): boolean {
    return hasFreeAddress(this.#rested(block), this.#settings.reservations.inBlock(cidr));
  }

  /** Whether an own block has a free address. */
  async hasOwnSpace(): Promise<boolean> {
    this.#catalogue.probe();
    await this.#readOwn();
    if (this.#own.some((one) => this.#knownToBeOwn(one) !== undefined)) return true;
    const doubtful = this.#catalogue.isKnown ? this.#own : [...this.#own, ...this.#full];
    return (await this.#secure(doubtful)).some(({ cidr, block }) => this.#hasSpace(cidr, block.record));
  }

  async fromNewBlocks(): Promise<void> {
    while (this.isOpen()) {
      const taken = await this.takeBlock();
      if (taken === undefined) return;
      if (!taken.isFilled) await this.#fill(taken, true);
    }
  }

  async borrow(): Promise<void> {
    if (!this.isOpen() || !this.#mayTakeMore) return;
    if (this.#settings.config.strict_affinity) {
      this.#messages.push("No more free affine blocks and strict affinity enabled");
      return;
    }
    for await (const found of this.#catalogue.existing()) {
      await this.#fill(found, false);
      if (!this.isOpen()) return;
    }
    const cidrs = this.#pools.map(({ cidr }) => Prefix.format(cidr)).join(" ");
    this.#messages.push(`No IPs available in pools: [${cidrs}]`);
  }

  /** Why there is no more, pool by pool. The blocks are asked for once more only where the search had no need of them. */
  async explain(passedOver: readonly PoolRefusal[]): Promise<void> {
    if (!this.isOpen()) return;
    const blocks = new Map<string, AllocationBlock>();
    for await (const { cidr, block } of this.#catalogue.existing())
      blocks.set(Prefix.key(cidr), block.record);
    // What was read may be of before this run's own writes.
    for (const { cidr, block } of this.#written) blocks.set(Prefix.key(cidr), block);
    const { reservations } = this.#settings;
    this.#messages.push(explainShortage(this.#pools, passedOver, [...blocks.values()], reservations));
  }

  /** One more block for the owner, if its limit allows: a new one, or one that another left empty. */
  async takeBlock(): Promise<FoundBlock | undefined> {
    const { owner, maxBlocks = 0 } = this.#request;
    const { config } = this.#settings;
    const configured = config.maxBlocksPerHost === 0 ? defaultMaxBlocks : config.maxBlocksPerHost;
    const limit = maxBlocks > 0 ? Math.min(maxBlocks, configured) : configured;
    if (this.#ownCount >= limit) await this.#countOwn();
    this.#mayTakeMore = this.#ownCount < limit && config.auto_allocate_blocks;
    if (this.#ownCount >= limit) {
      const reason = `limit of ${limit} blocks reached for this node`;
      this.#messages.push(`Need to allocate an IPAM block but could not - ${reason}`);
      return undefined;
    }
    if (!config.auto_allocate_blocks) {
      this.#messages.push("No more free affine blocks and automatic allocation of blocks disabled");
      return undefined;
    }
    for (let attempt = 0; attempt < this.#records.attempts; attempt += 1) {
      const cidr = await this.#nextCandidate();
      if (cidr === undefined) return this.#reclaim();
      const filled = await this.#claimFilled(cidr);
      if (filled !== undefined && filled !== "taken") return filled;
      const block = filled === "taken" ? undefined : await claimBlock(this.#records, owner, cidr);
      if (block !== undefined) return this.#take(cidr, block);
      this.#catalogue.missed();
    }
    throw contention();
  }

  /** A free block; failing that, one of the owner's whose affinity record was lost. */
  async #nextCandidate(): Promise<Prefix | undefined> {
    const free = await this.#catalogue.nextFree();
    if (free !== undefined) return free;
    const known = [...this.#own, ...this.#full].map(({ cidr }) => cidr).concat(this.#claimed);
    return this.#catalogue.nextOwned(affinityText(this.#request.owner), known);
  }

  /** A block that does not exist, made with all that is wanted from it; `undefined` when it is to be had by steps only. */
  async #claimFilled(cidr: Prefix): Promise<FoundBlock | "taken" | undefined> {
    const { owner } = this.#request;
    const fresh = newBlock(cidr, affinityText(owner), this.#records.now());
    const plan = this.#planner(cidr, true)(fresh);
    if (plan === undefined) return undefined;
    const content = written(plan.block);
    if (this.#records.transact === undefined) {
      const claimed = await claimSingly(this.#records, owner, content, plan.counts);
      if (claimed === undefined || claimed === "taken") return claimed;
      this.#note(cidr, plan);
      if (!claimed.isOwned) return { cidr, block: claimed.block, isFilled: true };
      return { ...this.#take(cidr, claimed.block), isFilled: true };
    }
    const others = countingSteps(this.#records, cidr, plan);
    const claimed = await claimTogether(this.#records, owner, content, others);
    if (claimed === undefined || claimed === "taken") return claimed;
    this.#note(cidr, plan);
    return { ...this.#take(cidr, claimed), isFilled: true };
  }

  async #reclaim(): Promise<FoundBlock | undefined> {
    const { owner } = this.#request;
    for await (const { cidr, block } of this.#catalogue.existing()) {
      if (this.#settings.reservations.covers(cidr)) continue;
      if (!isReclaimable(this.#rested(block.record), owner, this.#records.now())) continue;
      const { ipCooldownSeconds } = this.#settings.config;
      if (!(await reclaimBlock(this.#records, block, ipCooldownSeconds))) continue;
      const claimed = await claimBlock(this.#records, owner, cidr);
      if (claimed !== undefined) return this.#take(cidr, claimed);
    }
    return undefined;
  }

  #take(cidr: Prefix, block: Stored<AllocationBlock>): FoundBlock {
    this.#ownCount += 1;
    this.#claimed.push(cidr);
    this.#catalogue.took(cidr);
    return { cidr, block };
  }

  /** The owner's blocks inside the pools. Empty ones of pools that no longer want the node go. */
  async #readOwn(): Promise<void> {
    const { owner, family } = this.#request;
    const own: OwnBlock[] = [];
    for (const affinity of await this.#ownAffinities(keys.affinities(owner, family))) {
      const key = keys.parse(affinity.key);
      if (key?.kind !== "affinity") continue;
      if (this.#pools.some(({ cidr }) => Prefix.covers(cidr, key.cidr))) {
        own.push({ cidr: key.cidr, affinity });
      } else if (isUnwantedBlock(this.#settings, key.cidr)) {
        const cooldownSeconds = this.#settings.config.ipCooldownSeconds;
        const how = { onlyEmpty: true, cooldownSeconds };
        const outcome = await releaseAffinity(this.#records, owner, key.cidr, how);
        if (outcome === "released") this.#ownCount -= 1;
      }
    }
    await this.#catalogue.settle();
    this.#full = own.filter((one) => this.#isFull(one));
    this.#own = own.filter((one) => !this.#full.includes(one));
  }

  /** The owner's affinities that can be read; all are counted. */
  async #ownAffinities(prefix: string): Promise<readonly Stored<BlockAffinityRecord>[]> {
    const { affinities, view } = this.#records;
    const watched = view?.affinities?.values().filter(({ key }) => key.startsWith(prefix));
    const entries = watched?.toArray() ?? (await affinities.entries(prefix));
    const untold = watched === undefined ? [] : this.#claimedSince(prefix, entries);
    this.#ownCount = entries.length + untold.length;
    return [...entries.flatMap((entry) => affinities.parse(entry) ?? []), ...untold];
  }

  /** What this process has claimed since a watch last told: the node may be allowed no other blocks. */
  #claimedSince(prefix: string, told: readonly Entry[]): readonly Stored<BlockAffinityRecord>[] {
    const { affinities, now } = this.#records;
    const toldKeys = new Set(told.map(({ key }) => key));
    const recent = affinities.seenSince(prefix, Nanos.of(now() - trustSeenFor));
    return recent.flatMap((key) => (toldKeys.has(key) ? [] : (affinities.remembered(key) ?? [])));
  }

  /** By the store, where a watch may have been late to tell that the owner has lost one. */
  async #countOwn(): Promise<void> {
    const { affinities, view } = this.#records;
    if (view?.affinities === undefined) return;
    const { owner, family } = this.#request;
    this.#ownCount = (await affinities.entries(keys.affinities(owner, family))).length;
  }

  /** By what was seen of it here a moment ago, or else by what is known of all blocks. */
  #isFull({ cidr, affinity }: OwnBlock): boolean {
    const seen = this.#justSeen(cidr);
    if (seen === undefined && affinity.record.state !== "confirmed") return false;
    const block = (seen ?? this.#catalogue.known(cidr))?.record;
    if (block === undefined) return false;
    return block.affinity === affinityText(this.#request.owner) && !this.#hasSpace(cidr, block);
  }

  #justSeen(cidr: Prefix): Stored<AllocationBlock> | undefined {
    const { blocks, now } = this.#records;
    const key = keys.block(cidr);
    const seenAt = blocks.seenAt(key);
    return seenAt === undefined || now() - seenAt > trustSeenFor ? undefined : blocks.remembered(key);
  }

  /** A block that is the owner's and has a free address, as far as is known. */
  #knownToBeOwn({ cidr, affinity }: OwnBlock): Stored<AllocationBlock> | undefined {
    const known = this.#catalogue.known(cidr);
    const block = known === undefined ? undefined : (this.#justSeen(cidr) ?? known);
    if (block === undefined || affinity.record.state !== "confirmed") return undefined;
    const isOwn = block.record.affinity === affinityText(this.#request.owner);
    return isOwn && this.#hasSpace(cidr, block.record) ? block : undefined;
  }

  /** Those of the blocks that are really the owner's, their affinities repaired. */
  async #secure(own: readonly OwnBlock[]): Promise<readonly FoundBlock[]> {
    const found = await Promise.all(
      own.map(async ({ cidr, affinity }) => {
        const block = await secureBlock(this.#records, this.#request.owner, cidr, affinity);
        return block === undefined ? undefined : { cidr, block };
      }),
    );
    const secured = found.filter((one) => one !== undefined);
    this.#ownCount -= found.length - secured.length;
    return secured;
  }

  /** Takes what is wanted from one block, as far as it goes; with `affinityKey`, only while the affinity there is confirmed. */
  async #fill({ cidr, block }: FoundBlock, mustBeOwn: boolean, affinityKey?: string): Promise<void> {
    if (!this.isOpen()) return;
    const planner = this.#planner(cidr, mustBeOwn);
    const plan = await writeAllocation(this.#records, cidr, block, planner, affinityKey);
    if (plan !== undefined) this.#note(cidr, plan);
  }

  /** What is to be taken from a block by what it holds; nothing when it is of no use. */
  #planner(cidr: Prefix, mustBeOwn: boolean): (current: AllocationBlock) => FillPlan | undefined {
    const ours = affinityText(this.#request.owner);
    const isReserved = this.#settings.reservations.inBlock(cidr);
    return (current) => {
      if (mustBeOwn && current.affinity !== ours) return undefined;
      const wants = this.#openWants();
      const assigned = assignFree(this.#rested(current), wants, isReserved);
      if (assigned.ordinals.every((ordinals) => ordinals.length === 0)) return undefined;
      const counts = countHandles(wants, assigned.ordinals);
      return { ...assigned, counts, firsts: this.#firsts(cidr, assigned.ordinals) };
    };
  }

  #firsts(cidr: Prefix, ordinals: readonly (readonly number[])[]): readonly FirstAllocation[] {
    const { wants } = this.#request;
    if (wants.every(({ together }) => together === undefined)) return none;
    return wants.flatMap(({ handle, together }, index) => {
      const [ordinal] = ordinals[index] ?? [];
      if (together === undefined || handle === undefined || ordinal === undefined) return [];
      const exists = (): void => void this.#existing.add(index);
      return [{ handle, entry: together(addressAt(cidr, ordinal)), exists }];
    });
  }

  #note(cidr: Prefix, plan: FillPlan): void {
    this.#written.push({ cidr, block: plan.block });
    if (this.#hint?.cidr !== cidr) {
      const affinityKey = keys.affinity(this.#request.owner, cidr);
      this.#hint = { cidr, blockKey: keys.block(cidr), affinityKey };
    }
    for (const [index, ordinals] of plan.ordinals.entries()) {
      this.#addresses[index]?.push(...ordinals.map((ordinal) => addressAt(cidr, ordinal)));
    }
  }

  /** What each want still lacks; met ones stay with 0, so that places do not move. */
  #openWants(): readonly Want[] {
    return this.#request.wants.map((want, index) => {
      const count = this.#lack(index, want.count);
      return count === want.count ? want : { ...want, count };
    });
  }

  #lack(index: number, count: number): number {
    return this.#existing.has(index) ? 0 : count - (this.#addresses[index]?.length ?? 0);
  }

  #rested(block: AllocationBlock): AllocationBlock {
    return endCooldown(block, this.#settings.config.ipCooldownSeconds, this.#records.now());
  }
}
