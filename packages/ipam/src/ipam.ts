import { type AffinityOwner, keys, type Revision, type Store } from "@caracal/datastore";
import { IpAddress, type IpFamily, Prefix } from "@caracal/net";
import type { Labels } from "@caracal/resources";
import { type AddressUser, addressUsers } from "./address-users.ts";
import { type AffinityRelease, affinityText, releaseAffinity } from "./affinity.ts";
import { type AddressResult, assignAddress } from "./assign-address.ts";
import { autoAssign, type BlockHint, type BlockRequest, ensureBlock } from "./auto-assign.ts";
import { type BatchKind, BatchLane } from "./batch-lane.ts";
import { addressAt, endCooldown, ordinalsOf } from "./block.ts";
import { checkConsistency, type IpamProblem, readSnapshot } from "./consistency.ts";
import { cleanHandle } from "./handle-count.ts";
import { type IpamRecords, openRecords } from "./ipam-records.ts";
import type { IpamView } from "./ipam-view.ts";
import { type IpamSettings, readSettings } from "./ipam-settings.ts";
import { blockOf, type Pool, type PoolUse } from "./pool.ts";
import {
  type AddressRelease,
  type AddressReleaseResult,
  type HandleRelease,
  type OldEntry,
  releaseAddresses,
  type ReleaseContext,
  releaseHandles,
} from "./release.ts";
import {
  correctHandle,
  findSurplus,
  type HandleCorrection,
  readSurplus,
  type StoredSurplus,
} from "./surplus-handle.ts";
import { releaseRange } from "./release-range.ts";
import type { Nanos } from "./timestamp.ts";
import type { NewEntry } from "./write-allocation.ts";
import {
  type AddressState,
  addressState,
  type BorrowedAddress,
  borrowedAddresses,
  reportUsage,
  type UsageReport,
} from "./usage.ts";

export interface IpamOptions {
  readonly store: Store;
  /** The node that addresses are for. */
  readonly node: string;
  readonly now: () => Nanos;
  /** Pools, reservations, configuration and node labels; read from the store for every job unless given. */
  readonly settings?: () => Promise<IpamSettings>;
  /** How often a compare-and-swap is tried before giving up: 100 unless told. */
  readonly attempts?: number;
  /** Blocks and the node's affinities as watches tell of them; read from the store where they are needed unless given. */
  readonly view?: IpamView;
}

/** Addresses of one family for one owner. */
export interface AssignRequest {
  readonly family: IpFamily;
  /** 1 unless told. */
  readonly count?: number;
  readonly handle: string | undefined;
  /** Kept with the allocation: whose it is. */
  readonly attributes: Readonly<Record<string, string>>;
  /** "Workload" unless told. */
  readonly use?: PoolUse;
  /** Pools by name or CIDR; none leaves the choice to selectors. */
  readonly pools?: readonly string[];
  readonly namespaceLabels?: Labels;
  readonly maxBlocks?: number;
}

/** One address for an owner that has none, written together with an entry of the caller's. */
export interface AssignFirstRequest extends Omit<AssignRequest, "count"> {
  readonly handle: string;
  /** By the address; no two requests may name one key. Asked again when another address must be taken. */
  readonly together: (address: IpAddress) => NewEntry;
}

/** The owner or the entry is there already, or the store cannot write both at once: nothing is assigned. */
export interface NotFirst {
  readonly kind: "exists";
}

export type LastRelease =
  | { readonly kind: "released"; readonly addresses: readonly IpAddress[] }
  /** The entry is not as it was, or the store cannot write both at once: nothing is released. */
  | { readonly kind: "changed" };

export type AssignResult =
  /** All that was asked for. `claimed`: blocks that are the node's since this job, to be announced. */
  | {
      readonly kind: "assigned";
      readonly addresses: readonly IpAddress[];
      readonly claimed: readonly Prefix[];
    }
  /** Fewer than asked for, maybe none; those that there are stay assigned. */
  | {
      readonly kind: "short";
      readonly addresses: readonly IpAddress[];
      readonly claimed: readonly Prefix[];
      readonly message: string;
    }
  /** No pool is for this request. */
  | { readonly kind: "refused"; readonly code: "noPools" | "unknownPool" | "use"; readonly message: string };

/** A static assignment. */
export interface AssignAddressRequest {
  readonly address: IpAddress;
  readonly handle: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  readonly use?: PoolUse;
}

/**
 * Addresses for the workloads and tunnels of one node. Any number of these, in any number of processes, may work on one
 * store: each write is a compare-and-swap. The store's reads may lag behind other processes, but not behind what this one
 * has seen. Requests made at the same time share reads and block writes.
 */
export class Ipam {
  readonly #store: Store;
  readonly #node: AffinityOwner;
  readonly #records: IpamRecords;
  readonly #settings: () => Promise<IpamSettings>;
  readonly #hints = new Map<string, BlockHint>();
  readonly #assigning: BatchKind<AnyAssignRequest, AssignResult | NotFirst>;
  readonly #assigningOne: BatchKind<AssignAddressRequest, AddressResult>;
  readonly #releasing: BatchKind<AddressRelease, AddressReleaseResult>;
  readonly #releasingHandles: BatchKind<HandleRelease, LastRelease>;
  readonly #lane = new BatchLane();

  constructor(options: IpamOptions) {
    this.#store = options.store;
    this.#node = { kind: "host", name: options.node };
    this.#records = openRecords(options.store, options.now, options.attempts, options.view);
    this.#settings = options.settings ?? (() => readSettings(options.store, options.node));
    this.#assigning = this.#lane.kind((requests) => this.#assignAll(requests));
    this.#assigningOne = this.#lane.kind((requests) => this.#assignAddresses(requests));
    this.#releasing = this.#lane.kind(async (releases) =>
      releaseAddresses(await this.#releaseContext(), releases),
    );
    this.#releasingHandles = this.#lane.kind((requests) => this.#releaseHandles(requests));
  }

  /** Addresses chosen by IPAM. */
  async assign(request: AssignRequest): Promise<AssignResult> {
    const result = await this.#assigning.submit(request, groupOf(request));
    if (result.kind === "exists") throw new Error("an assignment that needs to be first was not asked for");
    return result;
  }

  /**
   * As `assign`, for an owner that should have nothing yet: allocation, handle and an entry of the caller's are one write,
   * so that there are all of them or none. What finds that owner or entry there already changes nothing.
   */
  async assignFirst(request: AssignFirstRequest): Promise<AssignResult | NotFirst> {
    if (this.#records.transact === undefined) return { kind: "exists" };
    return this.#assigning.submit(request, groupOf(request));
  }

  /** The address asked for and no other. */
  async assignAddress(request: AssignAddressRequest): Promise<AddressResult> {
    return this.#assigningOne.submit(request);
  }

  /** Gives back one address. */
  async release(release: AddressRelease): Promise<AddressReleaseResult> {
    return this.#releasing.submit(release);
  }

  /** Gives back all that a handle holds, and says what that was; a handle that is unknown holds nothing. */
  async releaseHandle(handle: string): Promise<readonly IpAddress[]> {
    const result = await this.#releasingHandles.submit({ handle });
    return result.kind === "released" ? result.addresses : [];
  }

  /** Whether what an owner has is released together with an entry of the caller's. */
  get releasesTogether(): boolean {
    return this.#records.transact !== undefined;
  }

  /** As `releaseHandle`, and an entry is deleted in the same write: both or neither. No two requests may name one entry. */
  async releaseLast(handle: string, entry: OldEntry): Promise<LastRelease> {
    return this.#releasingHandles.submit({ handle, entry });
  }

  /**
   * Every handle that counts more than blocks give it. Handles are read first: an assignment that ends meanwhile is seen. `rest` lets
   * others work between parts of the reckoning.
   */
  async surplusHandles(rest: () => Promise<void> = async () => undefined): Promise<readonly StoredSurplus[]> {
    const handles = await this.#store.list(keys.handles);
    const blocks = await this.#store.list(keys.blocks());
    return findSurplus(blocks.entries, handles.entries, rest);
  }

  /** The same of one handle, as far as the blocks go that it counts. */
  async surplusOf(handle: string): Promise<StoredSurplus | undefined> {
    return readSurplus(this.#records, handle);
  }

  /** Makes a handle of that revision count what it has; one that has nothing is deleted. */
  async correctHandle(handle: string, revision: Revision): Promise<HandleCorrection> {
    return this.#lane.run(() => correctHandle(this.#records, handle, revision));
  }

  /** Makes sure that the node has a block with a free address, and gives the blocks that it took for that. */
  async ensureBlock(request: Omit<BlockRequest, "owner" | "hint">): Promise<AssignResult> {
    return this.#lane.run(async () => {
      const result = await ensureBlock(this.#records, await this.#settings(), {
        ...request,
        owner: this.#node,
      });
      if (result.kind === "refused") return refused(result);
      const { claimed, messages } = result;
      return messages.length === 0
        ? { kind: "assigned", addresses: [], claimed }
        : { kind: "short", addresses: [], claimed, message: messages.join("; ") };
    });
  }

  /** Gives up a node's blocks: the empty ones are deleted, the others keep their addresses without an owner. */
  async releaseNode(
    node: string = this.#node.name,
    options: { readonly onlyEmpty?: boolean } = {},
  ): Promise<readonly { readonly block: Prefix; readonly outcome: AffinityRelease }[]> {
    return this.#lane.run(async () => {
      const owner: AffinityOwner = { kind: "host", name: node };
      const outcomes: { block: Prefix; outcome: AffinityRelease }[] = [];
      const cooldownSeconds = await this.#cooldownSeconds();
      for (const block of await this.#blocksNaming(owner)) {
        const how = { ...options, cooldownSeconds };
        outcomes.push({ block, outcome: await releaseAffinity(this.#records, owner, block, how) });
      }
      return outcomes;
    });
  }

  /** Gives up all blocks of a range, as its pool goes, and gives those that had an owner. */
  async releaseRange(range: Prefix): Promise<readonly Prefix[]> {
    return this.#lane.run(() => releaseRange(this.#records, range));
  }

  /** The blocks that are the node's. */
  async blocks(): Promise<readonly Prefix[]> {
    return this.#blocksOf(this.#node);
  }

  /** What a handle holds. */
  async addressesOf(handle: string): Promise<readonly IpAddress[]> {
    const id = cleanHandle(handle);
    const stored = await this.#records.handles.get(keys.handle(id));
    const cidrs = Object.keys(stored?.record.block ?? {}).flatMap((text) => Prefix.parse(text) ?? []);
    const found = await Promise.all(
      cidrs.map(async (cidr) => {
        const block = await this.#records.blocks.get(keys.block(cidr));
        return block === undefined
          ? []
          : ordinalsOf(block.record, id).map((ordinal) => addressAt(cidr, ordinal));
      }),
    );
    return found.flat().toSorted(IpAddress.compare);
  }

  /** Handles that begin with `prefix` and count at least one address. */
  async handlesOf(prefix: string): Promise<readonly string[]> {
    const entries = await this.#records.handles.entries(keys.handle(prefix));
    return entries.flatMap((entry) => {
      const key = keys.parse(entry.key);
      const counts = Object.values(this.#records.handles.parse(entry)?.record.block ?? {});
      return key?.kind === "handle" && counts.some((count) => count > 0) ? [key.id] : [];
    });
  }

  /** The enabled pool from which an address may be assigned without being asked for; none when it is reserved. */
  async openPoolOf(address: IpAddress): Promise<Pool | undefined> {
    const { pools, reservations } = await this.#settings();
    if (reservations.has(address)) return undefined;
    return pools.find((pool) => pool.isEnabled && Prefix.contains(pool.cidr, address));
  }

  /** Who has an address. */
  async lookup(address: IpAddress): Promise<AddressState> {
    const { pools } = await this.#settings();
    const pool = pools.find(({ cidr }) => Prefix.contains(cidr, address));
    const ofPool =
      pool === undefined ? undefined : await this.#records.blocks.get(keys.block(blockOf(pool, address)));
    if (ofPool !== undefined) return addressState(ofPool.record, address);
    // Of a pool that is gone, or of another size than its pool has now.
    const entries = await this.#records.blocks.entries(keys.blocks(IpAddress.family(address)));
    const entry = entries.find(({ key: text }) => {
      const key = keys.parse(text);
      return key?.kind === "block" && Prefix.contains(key.cidr, address);
    });
    return addressState(entry === undefined ? undefined : this.#records.blocks.parse(entry)?.record, address);
  }

  /** How full pools and blocks are. */
  async usage(): Promise<UsageReport> {
    const [{ pools, reservations, config }, entries] = await Promise.all([
      this.#settings(),
      this.#records.blocks.entries(keys.blocks()),
    ]);
    const now = this.#records.now();
    const blocks = entries.flatMap((entry) => {
      const block = this.#records.blocks.parse(entry)?.record;
      // What has rested long enough is free to the next who comes.
      return block === undefined ? [] : [endCooldown(block, config.ipCooldownSeconds, now)];
    });
    return reportUsage(pools, blocks, reservations);
  }

  /** Addresses that are used on another node than their block's. */
  async borrowed(): Promise<readonly BorrowedAddress[]> {
    const entries = await this.#records.blocks.entries(keys.blocks());
    return entries.flatMap((entry) => {
      const block = this.#records.blocks.parse(entry)?.record;
      return block === undefined ? [] : borrowedAddresses(block);
    });
  }

  /** Who has addresses of a range, besides the nodes themselves: whom the end of a pool would hit. */
  async usersWithin(range: Prefix): Promise<readonly AddressUser[]> {
    const entries = await this.#records.blocks.entries(keys.blocks(range.family));
    return addressUsers(
      entries.flatMap((entry) => this.#records.blocks.parse(entry)?.record ?? []),
      range,
    );
  }

  /** Contradictions between the records, of one moment. */
  async check(): Promise<readonly IpamProblem[]> {
    const { entries } = await this.#store.list(ipamRoot);
    return checkConsistency(readSnapshot(entries));
  }

  /** Namespaces part the requests only where a pool asks for them. */
  async #assignAll(requests: readonly AnyAssignRequest[]): Promise<readonly (AssignResult | NotFirst)[]> {
    const settings = await this.#settings();
    if (settings.pools.every(({ namespaceSelector }) => namespaceSelector === "")) {
      return await this.#assignAlike(settings, requests, "");
    }
    const results = new Map<AnyAssignRequest, AssignResult | NotFirst>();
    for (const [labels, alike] of Map.groupBy(requests, labelsText)) {
      const some = await this.#assignAlike(settings, alike, labels);
      for (const [index, request] of alike.entries()) {
        const result = some[index];
        if (result !== undefined) results.set(request, result);
      }
    }
    return requests.flatMap((request) => results.get(request) ?? []);
  }

  async #assignAlike(
    settings: IpamSettings,
    requests: readonly AnyAssignRequest[],
    labels: string,
  ): Promise<readonly (AssignResult | NotFirst)[]> {
    const [first] = requests;
    if (first === undefined) return [];
    const { family, use = "Workload", pools, namespaceLabels, maxBlocks } = first;
    const place = `${family} ${listText(pools)} ${labels}`;
    const result = await autoAssign(this.#records, settings, {
      owner: this.#node,
      family,
      use,
      pools,
      namespaceLabels,
      maxBlocks,
      hint: this.#hints.get(place),
      wants: requests.map(({ handle, attributes, count = 1, together }) => ({
        handle: handle === undefined ? undefined : cleanHandle(handle),
        attributes,
        count,
        together,
      })),
    });
    if (result.kind === "refused") return requests.map(() => refused(result));
    this.#keepHint(place, result.hint);
    const { claimed, messages } = result;
    return requests.map(({ count = 1 }, index) => {
      if (result.existing.has(index)) return { kind: "exists" };
      const addresses = result.addresses[index] ?? [];
      if (addresses.length >= count) return { kind: "assigned", addresses, claimed };
      const reasons = messages.length === 0 ? "" : `; ${messages.join("; ")}`;
      const message = `Assigned ${addresses.length} out of ${count} requested IPv${family} addresses${reasons}`;
      return { kind: "short", addresses, claimed, message };
    });
  }

  /** Only where to look first, so that forgetting one costs nothing. */
  #keepHint(place: string, hint: BlockHint | undefined): void {
    if (hint === undefined) return;
    if (this.#hints.size >= maxHints) this.#hints.clear();
    this.#hints.set(place, hint);
  }

  async #assignAddresses(requests: readonly AssignAddressRequest[]): Promise<readonly AddressResult[]> {
    const settings = await this.#settings();
    const results: AddressResult[] = [];
    for (const { address, handle, attributes, use = "Workload" } of requests) {
      const id = handle === undefined ? undefined : cleanHandle(handle);
      const request = { owner: this.#node, address, handle: id, attributes, use };
      results.push(await assignAddress(this.#records, settings, request));
    }
    return results;
  }

  async #releaseHandles(requests: readonly HandleRelease[]): Promise<readonly LastRelease[]> {
    const released = await releaseHandles(await this.#releaseContext(), requests);
    return requests.map(({ handle }) => {
      const addresses = released.get(cleanHandle(handle));
      return addresses === undefined ? { kind: "changed" } : { kind: "released", addresses };
    });
  }

  async #releaseContext(): Promise<ReleaseContext> {
    return { records: this.#records, settings: await this.#settings(), owner: this.#node };
  }

  async #cooldownSeconds(): Promise<number> {
    return (await this.#settings()).config.ipCooldownSeconds;
  }

  /** With those that name the owner though its affinity record was lost. */
  async #blocksNaming(owner: AffinityOwner): Promise<readonly Prefix[]> {
    const ours = affinityText(owner);
    const [own, entries] = await Promise.all([
      this.#blocksOf(owner),
      this.#records.blocks.entries(keys.blocks()),
    ]);
    const named = entries.flatMap((entry) => {
      const key = keys.parse(entry.key);
      const isOurs = this.#records.blocks.parse(entry)?.record.affinity === ours;
      return isOurs && key?.kind === "block" ? [key.cidr] : [];
    });
    return [...new Map([...own, ...named].map((cidr) => [Prefix.key(cidr), cidr])).values()];
  }

  async #blocksOf(owner: AffinityOwner): Promise<readonly Prefix[]> {
    const entries = await this.#records.affinities.entries(keys.affinities(owner));
    return entries.flatMap((entry) => {
      const key = keys.parse(entry.key);
      return key?.kind === "affinity" ? [key.cidr] : [];
    });
  }
}

type AnyAssignRequest = AssignRequest & { readonly together?: AssignFirstRequest["together"] };

/** Requests of one group can be met from the same blocks. */
function groupOf({ family, use = "Workload", pools, maxBlocks = 0 }: AnyAssignRequest): string {
  return `${family} ${use} ${maxBlocks} ${listText(pools)}`;
}

function listText(pools: readonly string[] | undefined): string {
  return pools === undefined ? "" : JSON.stringify(pools);
}

const ipamRoot = `${keys.root}ipam/v2/`;

function labelsText({ namespaceLabels }: AssignRequest): string {
  if (namespaceLabels === undefined) return "";
  return JSON.stringify(Object.entries(namespaceLabels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Block hints kept: one for each family and choice of pools. */
const maxHints = 256;

function refused(selection: {
  readonly code: "noPools" | "unknownPool" | "use";
  readonly message: string;
}): AssignResult {
  return { kind: "refused", code: selection.code, message: selection.message };
}
