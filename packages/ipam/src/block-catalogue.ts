import { type Entry, keys } from "@caracal/datastore";
import { type IpFamily, Prefix } from "@caracal/net";
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
import { blockOf, type Pool } from "./pool.ts";
import type { Stored } from "./record-shelf.ts";
import type { Reservations } from "./reservation.ts";

interface Listed {
  readonly cidr: Prefix;
  readonly entry: Entry;
}

/** Blocks that are looked at one by one before all are read: in a pool that is not nearly full one of them is free. */
const probeCount = 3;

/**
 * All blocks of a family, for one node's search. Where a free one is likely to be is looked at first; all are read, once,
 * when that was in vain and for everything else. What the node then finds taken is remembered here, so the store is not
 * asked again however full the pools are.
 */
export class BlockCatalogue {
  readonly #records: IpamRecords;
  readonly #family: IpFamily;
  readonly #pools: readonly Pool[];
  readonly #reservations: Reservations;
  readonly #node: string;
  readonly #taken = new Map<Pool, TakenRange[]>();
  readonly #offered = new Set<string>();
  /** Blocks that were not there when they were looked at. */
  #probed: Promise<Prefix[]> | undefined;
  #listing: Promise<readonly Listed[]> | undefined;

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
  }

  /** Looks at where a free block is likely to be. What fails is told to whoever then asks. */
  probe(): void {
    const candidates = this.#candidates();
    this.#probed = Promise.all(
      candidates.map(async (cidr) => {
        return (await this.#records.blocks.has(keys.block(cidr))) ? [] : [cidr];
      }),
    ).then((found) => found.flat());
    this.#probed.catch(() => undefined);
  }

  /** Reads all, if looking at some was in vain: there will be a need. What fails is told to whoever then asks. */
  async prefetch(): Promise<void> {
    const free = (await this.#probed) ?? [];
    if (free.length === 0) this.#list().catch(() => undefined);
  }

  /** A block that did not exist when it was looked at; each is offered once. */
  async nextFree(): Promise<Prefix | undefined> {
    const free = (await this.#probed)?.shift();
    if (free !== undefined) return free;
    for (const pool of this.#pools) {
      const taken = await this.#takenOf(pool);
      const place = firstFreePlace(taken, this.#start(pool), blockCount(pool));
      if (place === undefined) continue;
      taken.push({ first: place, last: place });
      return blockAt(pool, place);
    }
    return undefined;
  }

  /** A block that names `affinity` as its owner, besides those in `known`; each is offered once. */
  async nextOwned(affinity: string, known: readonly Prefix[]): Promise<Prefix | undefined> {
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

  async #takenOf(pool: Pool): Promise<TakenRange[]> {
    const known = this.#taken.get(pool);
    if (known !== undefined) return known;
    const reserved = reservedBlocks(pool, this.#reservations);
    const blocks = (await this.#list()).map(({ cidr }) => cidr);
    const taken = [...blocks, ...reserved].flatMap((range) => placesOf(pool, range) ?? []);
    this.#taken.set(pool, taken);
    return taken;
  }

  #list(): Promise<readonly Listed[]> {
    this.#listing ??= this.#read();
    return this.#listing;
  }

  async #read(): Promise<readonly Listed[]> {
    const entries = await this.#records.blocks.entries(keys.blocks(this.#family));
    return entries.flatMap((entry) => {
      const key = keys.parse(entry.key);
      return key?.kind === "block" ? [{ cidr: key.cidr, entry }] : [];
    });
  }

  /** Of the first pool that has any, as if nothing were taken. */
  #candidates(): readonly Prefix[] {
    for (const pool of this.#pools) {
      const taken = reservedBlocks(pool, this.#reservations).flatMap((range) => placesOf(pool, range) ?? []);
      const found: Prefix[] = [];
      while (found.length < probeCount) {
        const place = firstFreePlace(taken, this.#start(pool), blockCount(pool));
        if (place === undefined) break;
        taken.push({ first: place, last: place });
        found.push(blockAt(pool, place));
      }
      if (found.length > 0) return found;
    }
    return [];
  }
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
