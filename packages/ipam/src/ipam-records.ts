import { maxTransactionSteps, type Store } from "@caracal/datastore";
import {
  type AllocationBlock,
  AllocationBlockCodec,
  BlockAffinityCodec,
  type BlockAffinityRecord,
  type IpamConfig,
  IpamConfigCodec,
  type IpamHandle,
  IpamHandleCodec,
} from "@caracal/resources";
import { defaultAttempts } from "./ipam-error.ts";
import type { IpamView } from "./ipam-view.ts";
import { RecordShelf, type ShelfStep } from "./record-shelf.ts";
import type { Nanos } from "./timestamp.ts";
import { UnbackedCounts } from "./unbacked-counts.ts";

/** What IPAM's steps work on: the records of one store, and the time. */
export interface IpamRecords {
  readonly blocks: RecordShelf<AllocationBlock>;
  readonly affinities: RecordShelf<BlockAffinityRecord>;
  readonly handles: RecordShelf<IpamHandle>;
  readonly config: RecordShelf<IpamConfig>;
  /**
   * Does all the writes or none, and says whether; then the shelves remember what there is. Absent where the store cannot do
   * that.
   */
  readonly transact: ((steps: readonly ShelfStep[]) => Promise<boolean>) | undefined;
  /** Behind the last block that was taken from a pool: where the next search in it begins, by the pool's range. */
  readonly nextPlaces: Map<string, bigint>;
  readonly unbacked: UnbackedCounts;
  readonly view: IpamView | undefined;
  readonly now: () => Nanos;
  /** How often a compare-and-swap is tried before giving up. */
  readonly attempts: number;
}

/** IPAM's records in `store`. */
export function openRecords(
  store: Store,
  now: () => Nanos,
  attempts: number = defaultAttempts,
  view?: IpamView,
): IpamRecords {
  return {
    blocks: new RecordShelf(store, AllocationBlockCodec, now),
    affinities: new RecordShelf(store, BlockAffinityCodec, now),
    handles: new RecordShelf(store, IpamHandleCodec, now),
    config: new RecordShelf(store, IpamConfigCodec, now),
    transact: store.transact === undefined ? undefined : (steps) => transact(store, steps),
    nextPlaces: new Map(),
    unbacked: new UnbackedCounts(now),
    view,
    now,
    attempts,
  };
}

/** Whether the steps are few enough for one transaction. */
export function fitsTransaction(steps: readonly ShelfStep[]): boolean {
  return steps.length <= maxTransactionSteps;
}

async function transact(store: Store, steps: readonly ShelfStep[]): Promise<boolean> {
  const outcome = await store.transact?.(steps.map(({ step }) => step));
  if (outcome === undefined) return false;
  if (outcome.kind === "ok") for (const { accept } of steps) accept(outcome.revision);
  else for (const [index, { refuse }] of steps.entries()) refuse(outcome.current[index]);
  return outcome.kind === "ok";
}
