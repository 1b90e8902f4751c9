import type { Store } from "@caracal/datastore";
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
import { RecordShelf } from "./record-shelf.ts";
import type { Nanos } from "./timestamp.ts";

/** What IPAM's steps work on: the records of one store, and the time. */
export interface IpamRecords {
  readonly blocks: RecordShelf<AllocationBlock>;
  readonly affinities: RecordShelf<BlockAffinityRecord>;
  readonly handles: RecordShelf<IpamHandle>;
  readonly config: RecordShelf<IpamConfig>;
  readonly now: () => Nanos;
  /** How often a compare-and-swap is tried before giving up. */
  readonly attempts: number;
}

/** IPAM's records in `store`. */
export function openRecords(store: Store, now: () => Nanos, attempts: number = defaultAttempts): IpamRecords {
  return {
    blocks: new RecordShelf(store, AllocationBlockCodec),
    affinities: new RecordShelf(store, BlockAffinityCodec),
    handles: new RecordShelf(store, IpamHandleCodec),
    config: new RecordShelf(store, IpamConfigCodec),
    now,
    attempts,
  };
}
