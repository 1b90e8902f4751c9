import { type Entry, keys } from "@caracal/datastore";
import { IpAddress, type IpFamily, Prefix } from "@caracal/net";
import type { AllocationBlock } from "@caracal/resources";
import {
  blockAt,
  blockCount,
  firstFreePlace,
  placesOf,
  searchStart,
  type TakenRange,
} from "./block-search.ts";
import type { IpamRecords } from "./ipam-records.ts";
import { trustSeenFor } from "./ipam-view.ts";
import { blockOf, type Pool } from "./pool.ts";
import type { Stored } from "./record-shelf.ts";
import type { Reservations } from "./reservation.ts";
import { Nanos } from "./timestamp.ts";

interface Listed {
  readonly cidr: Prefix;
  readonly entry: Entry;
}

/** Blocks of a neighbourhood that are offered before all are read. */
const probeCount = 3;

/** So often what watches tell may have been late, in one search, before the store is asked instead. */
const viewMisses = 2;

/**
 * All blocks of a family, for one node's search. Where a free one is likely to be is looked at first; all are read, once,
 * when that was in vain and for everything else. What the node then finds taken is remembered here, so the store is not
 * asked again however full the pools are.
 *
 * Where watches tell of the blocks, they are asked instead of the store, but for what is left when nothing is free any more.
 * A store without transactions is one that has no cheaper listing than of all blocks, and is asked for that at once.
 */
export class BlockCatalogue {
  readonly #records: IpamRecords;
  readonly #family: IpFamily;
  readonly #pools: readonly Pool[];
  readonly #reservations: Reservations;
  readonly #node: string;
  readonly #taken = new Map<Pool, TakenRange[]>();
  readonly #offered = new Set<string>();
  /** Blocks of one neighbourhood that were free when it was read. */
  #probed: Promise<Prefix[]> | undefined;
  #listing: Promise<readonly Listed[]> | undefined;
  /** What is known of all blocks, as far as it has been found out. */
  #known: ReadonlyMap<string, Entry> | undefined;
  /** The blocks as watches tell of them, while they are believed. */
  #view: ReadonlyMap<string, Entry> | undefined;
  #missCount = 0;

  constructor(
    records: IpamRecords,
    search: {
      readonly family: IpFamily;
      readonly pools: readonly Pool[];
      readonly reservations: Reservations;
      readonly node: string;
    },
  ) {
    this.#records = records;
    this.#family = search.family;
    this.#pools = search.pools;
    this.#reservations = search.reservations;
    this.#node = search.node;
    this.#view = records.view?.blocks;
    this.#known = this.#view;
  }

  /** Reads the neighbourhood where a free block is likely to be. What fails is told to whoever then asks. */
  probe(): void {
    if (this.#view === undefined && this.#records.transact === undefined) {
      this.#list().catch(() => undefined);
      return;
    }
    this.#probed = this.#readNeighbourhood();
    this.#probed.catch(() => undefined);
  }

  /** Waits until what `probe` reads for `known` is there. */
  async settle(): Promise<void> {
    if (this.#view === undefined && this.#records.transact === undefined) await this.#list();
  }

  /** A block as a listing or watch showed it; `undefined` when that shows none. */
  known(cidr: Prefix): Stored<AllocationBlock> | undefined {
    const entry = this.#known?.get(keys.block(cidr));
    return entry === undefined ? undefined : this.#records.blocks.parse(entry);
  }

  /** Whether it is known of all blocks what they held a moment ago. */
  get isKnown(): boolean {
    return this.#known !== undefined;
  }

  /** A block that was offered is not free. */
  missed(): void {
    this.#missCount += 1;
    if (this.#missCount >= viewMisses) this.#leaveView();
  }

  /** Reads all, if looking at some was in vain: there will be a need. What fails is told to whoever then asks. */
  async prefetch(): Promise<void> {
    if (this.#view !== undefined) return;
    const free = (await this.#probed) ?? [];
    if (free.length === 0) this.#list().catch(() => undefined);
  }

  /** A block that did not exist when it was looked at; each is offered once. */
  async nextFree(): Promise<Prefix | undefined> {
    const free = (await this.#probed)?.shift() ?? (await this.#nextListed());
    if (free !== undefined || this.#view === undefined) return free;
    this.#leaveView();
    return this.#nextListed();
  }

  async #nextListed(): Promise<Prefix | undefined> {
    for (const pool of this.#pools) {
      const taken = await this.#takenOf(pool);
      const place = firstFreePlace(taken, this.#next(pool), blockCount(pool));
      if (place === undefined) continue;
      taken.push({ first: place, last: place });
      return blockAt(pool, place);
    }
    return undefined;
  }

  /** The node has this block now: the next search begins behind it. */
  took(block: Prefix): void {
    const pool = this.#pools.find(({ cidr }) => Prefix.covers(cidr, block));
    const place = pool === undefined ? undefined : placesOf(pool, block)?.last;
    if (pool === undefined || place === undefined) return;
    this.#records.nextPlaces.set(Prefix.key(pool.cidr), (place + 1n) % blockCount(pool));
  }

  /** A block that names `affinity` as its owner, besides those in `known`; each is offered once. */
  async nextOwned(affinity: string, known: readonly Prefix[]): Promise<Prefix | undefined> {
    this.#leaveView();
    for (const { cidr, entry } of await this.#list()) {
      const isNew = !this.#offered.has(entry.key) && !known.some((one) => Prefix.equals(one, cidr));
      if (!isNew || !this.#pools.some((pool) => Prefix.covers(pool.cidr, cidr))) continue;
      if (this.#records.blocks.parse(entry)?.record.affinity !== affinity) continue;
      this.#offered.add(entry.key);
      return cidr;
    }
    return undefined;
  }

  /** The existing blocks, pool by pool, each from the node's own starting place and round. */
  async *existing(): AsyncGenerator<
    { readonly cidr: Prefix; readonly block: Stored<AllocationBlock> },
    void
  > {
    this.#leaveView();
    const all = await this.#list();
    for (const pool of this.#pools) {
      const inside = all.filter(({ cidr }) => Prefix.covers(pool.cidr, cidr));
      const start = BigInt(blockAt(pool, this.#start(pool)).address);
      const isLate = ({ cidr }: Listed): boolean => BigInt(cidr.address) >= start;
      for (const { cidr, entry } of [...inside.filter(isLate), ...inside.filter((one) => !isLate(one))]) {
        const block = this.#records.blocks.parse(entry);
        if (block !== undefined) yield { cidr, block };
      }
    }
  }

  #start(pool: Pool): bigint {
    return searchStart(pool, this.#node, this.#records.now());
  }

  /** Behind what the node took last. */
  #next(pool: Pool): bigint {
    return this.#records.nextPlaces.get(Prefix.key(pool.cidr)) ?? this.#start(pool);
  }

  /** Blocks that were there a moment ago, whether or not a watch has told of them. */
  #justSeen(): readonly Prefix[] {
    if (this.#view === undefined) return [];
    const { blocks, now } = this.#records;
    const seen = blocks.seenSince(keys.blocks(this.#family), Nanos.of(now() - trustSeenFor));
    return seen.flatMap((text) => {
      const key = keys.parse(text);
      return key?.kind === "block" ? [key.cidr] : [];
    });
  }

  async #takenOf(pool: Pool): Promise<TakenRange[]> {
    const known = this.#taken.get(pool);
    if (known !== undefined) return known;
    const reserved = reservedBlocks(pool, this.#reservations);
    const blocks = (await this.#list()).map(({ cidr }) => cidr);
    const taken = [...blocks, ...reserved, ...this.#justSeen()].flatMap(
      (range) => placesOf(pool, range) ?? [],
    );
    this.#taken.set(pool, taken);
    return taken;
  }

  #list(): Promise<readonly Listed[]> {
    this.#listing ??= this.#read();
    return this.#listing;
  }

  /** From here on the store itself is asked. */
  #leaveView(): void {
    if (this.#view === undefined) return;
    this.#view = undefined;
    this.#probed = undefined;
    this.#listing = undefined;
    this.#taken.clear();
  }

  async #entries(prefix: string): Promise<readonly Entry[]> {
    if (this.#view === undefined) return this.#records.blocks.entries(prefix);
    return this.#view
      .values()
      .filter(({ key }) => key.startsWith(prefix))
      .toArray();
  }

  async #has(key: string): Promise<boolean> {
    return this.#view?.has(key) ?? this.#records.blocks.has(key);
  }

  async #read(): Promise<readonly Listed[]> {
    const entries = await this.#entries(keys.blocks(this.#family));
    this.#known = this.#view ?? new Map(entries.map((entry) => [entry.key, entry]));
    return entries.flatMap((entry) => {
      const key = keys.parse(entry.key);
      return key?.kind === "block" ? [{ cidr: key.cidr, entry }] : [];
    });
  }

  /** Free blocks around the place in the first pool where the search begins; blocks of any size count as taken. */
  async #readNeighbourhood(): Promise<Prefix[]> {
    const [pool] = this.#pools;
    if (pool === undefined) return [];
    const start = this.#next(pool);
    const { region, prefix, wider } = neighbourhoodOf(blockAt(pool, start));
    const [entries, ...found] = await Promise.all([
      this.#entries(prefix),
      ...wider.map(async (cidr) => ((await this.#has(keys.block(cidr))) ? [cidr] : [])),
    ]);
    const listed = entries.flatMap(({ key: text }) => {
      const key = keys.parse(text);
      return key?.kind === "block" ? [key.cidr] : [];
    });
    const reserved = reservedBlocks(pool, this.#reservations);
    const there = [...listed, ...found.flat(), ...reserved, ...this.#justSeen()];
    const taken = there.flatMap((range) => placesOf(pool, range) ?? []);
    const within = placesOf(pool, region);
    if (within === undefined) return [];
    taken.push({ first: 0n, last: within.first - 1n });
    const free: Prefix[] = [];
    while (free.length < probeCount) {
      const place = firstFreePlace(taken, start, within.last + 1n);
      if (place === undefined) break;
      taken.push({ first: place, last: place });
      free.push(blockAt(pool, place));
    }
    return free;
  }
}

/** Blocks have /20 to /32, or /116 to /128. */
const widestIpv4 = 20;

/**
 * A range around a block, small enough to be read, the keys of whose blocks begin alike, and the blocks that begin outside of
 * it and may still cover the block: a pool may hold blocks of another size than its own, left from an earlier one.
 */
function neighbourhoodOf(block: Prefix): {
  readonly region: Prefix;
  readonly prefix: string;
  readonly wider: readonly Prefix[];
} {
  const length = block.family === 6 ? 112 : block.length < 24 ? 16 : 24;
  const region = Prefix.of(block.address, length);
  const first = IpAddress.format(region.address);
  const last = IpAddress.format(Prefix.at(region, Prefix.size(region) - 1n) ?? region.address);
  let common = 0;
  while (common < first.length && first[common] === last[common]) common += 1;
  const wider =
    length === 24
      ? Array.from({ length: 24 - widestIpv4 }, (_, index) => Prefix.of(block.address, widestIpv4 + index))
      : [];
  return { region, prefix: keys.blocks(block.family) + first.slice(0, common), wider };
}

/** Whole blocks that are reserved: one that is reserved only in part still has addresses to give. */
function reservedBlocks(pool: Pool, reservations: Reservations): readonly Prefix[] {
  const parts = reservations.within(pool.cidr);
  const whole = parts.filter((range) => range.length <= pool.blockSize);
  const small = parts.filter((range) => range.length > pool.blockSize);
  const touched = new Map(
    small.map((part) => blockOf(pool, part.address)).map((cidr) => [Prefix.key(cidr), cidr]),
  );
  return [...whole, ...[...touched.values()].filter((cidr) => reservations.covers(cidr))];
}
