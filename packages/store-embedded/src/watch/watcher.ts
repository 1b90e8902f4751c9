import type { KeyRange } from "../key-range.ts";

/** One watch of a stream. */
export interface Watcher {
  readonly id: bigint;
  readonly range: KeyRange;
  readonly wantsPuts: boolean;
  readonly wantsDeletes: boolean;
  readonly wantsPrevious: boolean;
  readonly wantsProgress: boolean;
  /** Nothing before this revision is told. While `isLagging`, nothing from it on has been told. */
  next: bigint;
  /** Whether it reads from the history, because it began in the past or its client is slow. */
  isLagging: boolean;
  /** Whether anything was sent since the last report of progress. */
  isBusy: boolean;
}
