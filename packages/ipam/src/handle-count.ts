import { keys } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import type { IpamHandle } from "@caracal/resources";
import { contention } from "./ipam-error.ts";
import type { IpamRecords } from "./ipam-records.ts";
import type { ShelfOutcome, Stored } from "./record-shelf.ts";
import type { Nanos } from "./timestamp.ts";
import { countHoldsFor } from "./unbacked-counts.ts";

/*
 * A handle counts the addresses it holds in each block, so that its owner can be cleaned up after. Where the store has
 * transactions, block and handle change together. Otherwise, and beside others that write singly, as Calico's nodes do:
 *
 *   - Whoever assigns counts first, then writes the block.
 *   - Whoever releases writes the block first, then takes back as many as it has released and no more.
 *
 * So a count may be too high, while somebody is between the two or after a crash, and never is too low. What a handle counts
 * beyond what its blocks hold may be an assignment under way; when it has stayed so for a minute, and the blocks were written
 * since, it is nobody's.
 */

/** A handle as one assignment wrote it, and how many of what it counts are that assignment's. */
interface Counted {
  readonly stored: Stored<IpamHandle>;
  readonly count: number;
  readonly since: Nanos;
}

/** The counts that one assignment to one block has made and may have to take back. */
export class HandleCounts {
  readonly #records: IpamRecords;
  readonly #cidr: Prefix;
  readonly #mine = new Map<string, Counted>();

  constructor(records: IpamRecords, cidr: Prefix) {
    this.#records = records;
    this.#cidr = cidr;
  }

  /** Makes the handles count exactly these additional addresses; every handle named is written, to prove that it still counts them. */
  async set(wanted: ReadonlyMap<string, number>): Promise<void> {
    const dropped = [...this.#mine.keys()].filter((handle) => !wanted.has(handle));
    await Promise.all([
      ...[...wanted].map(([handle, count]) => this.#count(handle, count)),
      ...dropped.map((handle) => this.#drop(handle)),
    ]);
  }

  /** Takes back all that was counted and not assigned. */
  async drop(): Promise<void> {
    await this.set(new Map());
  }

  async #count(handle: string, count: number): Promise<void> {
    const { handles, now } = this.#records;
    const since = now();
    const mine = this.#mine.get(handle);
    let outcome: ShelfOutcome<IpamHandle> =
      mine === undefined
        ? await handles.create(keys.handle(handle), adjusted(emptyHandle, this.#cidr, count))
        : await this.#recount(mine, count);
    for (let attempt = 0; attempt < this.#records.attempts; attempt += 1) {
      if (outcome.kind === "ok") {
        this.#mine.set(handle, { stored: outcome.stored, count, since });
        return;
      }
      // Whether another's write kept our earlier count is unknown, so all of it is counted again.
      const { current } = outcome;
      outcome =
        current === undefined
          ? await handles.create(keys.handle(handle), adjusted(emptyHandle, this.#cidr, count))
          : await handles.update(current, adjusted(current.record, this.#cidr, count));
    }
    throw contention();
  }

  /** Always a write that others notice: where one of the same value is none, the count goes up for a moment. */
  async #recount(mine: Counted, count: number): Promise<ShelfOutcome<IpamHandle>> {
    const { handles } = this.#records;
    const record = adjusted(mine.stored.record, this.#cidr, count - mine.count);
    const outcome = await handles.update(mine.stored, record);
    if (outcome.kind === "stale" || outcome.stored.revision !== mine.stored.revision) return outcome;
    const raised = await handles.update(outcome.stored, adjusted(record, this.#cidr, 1));
    return raised.kind === "stale" ? raised : handles.update(raised.stored, record);
  }

  async #drop(handle: string): Promise<void> {
    const mine = this.#mine.get(handle);
    if (mine === undefined) return;
    this.#mine.delete(handle);
    const { handles } = this.#records;
    const left = adjusted(mine.stored.record, this.#cidr, -mine.count);
    const outcome = await writeHandle(handles, mine.stored, left);
    if (outcome.kind === "ok") return;
    await takeBack(this.#records, outcome.current, {
      cidr: this.#cidr,
      count: mine.count,
      since: mine.since,
    });
  }
}

/** What is to be taken back of a handle's count, and since when it is too much. */
export interface Excess {
  readonly cidr: Prefix;
  readonly count: number;
  readonly since: Nanos;
}

/** Lowers a handle's count from what it is now, unless so much time has passed that others may have done it. */
export async function takeBack(
  { attempts, handles, now }: IpamRecords,
  current: Stored<IpamHandle> | undefined,
  { cidr, count, since }: Excess,
): Promise<void> {
  let stored = current;
  for (let attempt = 0; attempt < attempts && stored !== undefined; attempt += 1) {
    if (now() - since > countHoldsFor) return;
    const outcome = await writeHandle(handles, stored, adjusted(stored.record, cidr, -count));
    if (outcome.kind === "ok") return;
    stored = outcome.current;
  }
}

/** A handle that counts nothing. */
export const emptyHandle: IpamHandle = { block: {}, deleted: false };

/** Writes a handle, or deletes it when it counts nothing any more. */
export async function writeHandle(
  handles: IpamRecords["handles"],
  stored: Stored<IpamHandle>,
  record: IpamHandle,
): Promise<ShelfOutcome<IpamHandle>> {
  return Object.keys(record.block).length === 0 ? handles.delete(stored) : handles.update(stored, record);
}

/** The handle with another count for one block; 0 leaves the block out. */
export function withCount(handle: IpamHandle, cidr: Prefix, count: number): IpamHandle {
  const key = Prefix.format(cidr);
  const { [key]: _previous, ...others } = handle.block;
  return { ...handle, block: count > 0 ? { ...others, [key]: count } : others };
}

/** The handle with its count for one block changed. */
export function adjusted(handle: IpamHandle, cidr: Prefix, by: number): IpamHandle {
  return withCount(handle, cidr, (handle.block[Prefix.format(cidr)] ?? 0) + by);
}

/** Handle IDs end at the first carriage return: some runtimes append one. */
export function cleanHandle(handle: string): string {
  const end = handle.indexOf("\r");
  return end < 0 ? handle : handle.slice(0, end);
}
