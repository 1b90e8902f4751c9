import { EtcdError, Refusal } from "../etcd-error.ts";
import type { Records } from "./records.ts";

/** etcd's empty store is at revision 1. */
const firstRevision = 1n;
/** etcd's word for a history of which nothing was forgotten: even revision 0 may be compacted, once. */
const neverCompacted = -1n;

/** Where the store's history stands: its newest revision, and up to which it has been forgotten. */
export class Revisions {
  readonly #records: Records;
  #newest: bigint;
  #compacted: bigint;

  constructor(records: Records) {
    this.#records = records;
    this.#newest = records.meta("revision") ?? firstRevision;
    this.#compacted = records.meta("compacted") ?? neverCompacted;
  }

  get newest(): bigint {
    return this.#newest;
  }

  /** The oldest revision that can still be read; everything before is gone. Negative: nothing was compacted yet. */
  get compacted(): bigint {
    return this.#compacted;
  }

  /** The revision that a read of `asked` is of; 0 and less is now. */
  resolve(asked: bigint): bigint {
    if (asked <= 0n) return this.#newest;
    this.check(asked);
    return asked;
  }

  /** Refuses a revision that is not there yet, or no more. */
  check(asked: bigint): void {
    if (asked > this.#newest) throw new EtcdError(Refusal.futureRevision);
    if (asked < this.#compacted) throw new EtcdError(Refusal.compacted);
  }

  /** Takes a compaction; `save` makes it last. */
  compact(revision: bigint): void {
    if (revision <= this.#compacted) throw new EtcdError(Refusal.compacted);
    if (revision > this.#newest) throw new EtcdError(Refusal.futureRevision);
    this.#compacted = revision;
  }

  advance(revision: bigint): void {
    this.#newest = revision;
  }

  /** Writes what differs from the disk. */
  save(): void {
    if (this.#records.meta("revision") !== this.#newest) this.#records.setMeta("revision", this.#newest);
    if ((this.#records.meta("compacted") ?? neverCompacted) !== this.#compacted) {
      this.#records.setMeta("compacted", this.#compacted);
    }
  }

  /** What to go back to when a transaction is rolled back. */
  mark(): () => void {
    const newest = this.#newest;
    const compacted = this.#compacted;
    return () => {
      this.#newest = newest;
      this.#compacted = compacted;
    };
  }
}
