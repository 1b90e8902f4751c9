import type { Entry } from "@caracal/datastore";
import { Nanos } from "./timestamp.ts";

/**
 * For so long what this process has seen of blocks is believed: an own one that was full is not looked at again while there
 * are others to be had, and a watch may not have told of it yet.
 */
export const trustSeenFor: Nanos = Nanos.fromSeconds(10);

/**
 * What watches tell of IPAM's records, so that looking for a block costs no round trip. It may be late: whatever is concluded
 * from it is written on condition that it is still so, and that there is nothing left is never concluded from it.
 */
export interface IpamView {
  /** All blocks, by their keys; `undefined` while they are not being followed. */
  readonly blocks: ReadonlyMap<string, Entry> | undefined;
  /** The node's own affinities, by their keys; `undefined` while they are not being followed. */
  readonly affinities: ReadonlyMap<string, Entry> | undefined;
}
