import { brand, type Brand, type Cancellation } from "@caracal/net";

/**
 * A moment in a store's history, opaque to callers. etcd's is the decimal revision number; compare only for equality,
 * order is known to the store alone.
 */
export type Revision = Brand<string, "Revision">;

export const Revision: {
  /** Marks text that came from a store, or from an object's `resourceVersion`, as a revision; the store checks it. */
  readonly of: (text: string) => Revision;
} = { of: (text) => brand<Revision>(text) };

/** One stored value (JSON text) and the revision of its last change. */
export interface Entry {
  readonly key: string;
  readonly value: string;
  readonly revision: Revision;
  /** What tells it from an earlier one under the same key, for IPAM's handles of a store that has such names: Kubernetes. */
  readonly uid?: string;
}

/**
 * Entries ordered by the bytes of their keys, and the revision they were read at: a watch of the same prefix may go on from
 * it. It says nothing about when a single entry changed.
 */
export interface Listing {
  readonly revision: Revision;
  readonly entries: readonly Entry[];
}

/** How a write ended. */
export type WriteOutcome =
  | { readonly kind: "ok"; readonly entry: Entry }
  /** Create only: the key is taken. */
  | { readonly kind: "exists"; readonly current: Entry }
  /** Update or delete with a revision that is no longer the entry's. */
  | { readonly kind: "conflict"; readonly current: Entry }
  /** Update or delete of a key that is not there. */
  | { readonly kind: "missing" };

/** One part of a transaction: what its key must hold, and what becomes of it. */
export type TransactionStep =
  | { readonly kind: "create"; readonly key: string; readonly value: string }
  | { readonly kind: "update"; readonly key: string; readonly value: string; readonly revision: Revision }
  | { readonly kind: "delete"; readonly key: string; readonly revision: Revision }
  /** The entry is as it was; it stays so. */
  | { readonly kind: "expect"; readonly key: string; readonly revision: Revision };

/** How a transaction ended. */
export type TransactionOutcome =
  /** All steps are done, and what was written has this revision. */
  | { readonly kind: "ok"; readonly revision: Revision }
  /** At least one key held something else, so nothing is done. What the keys hold, in the order of the steps. */
  | { readonly kind: "refused"; readonly current: readonly (Entry | undefined)[] };

/** Steps that one transaction may have: etcd's own bound unless its operator says otherwise. */
export const maxTransactionSteps = 128;

/** One change. `previous` is absent when the store has already forgotten it, as Kubernetes always has. */
export type StoreEvent =
  | { readonly kind: "put"; readonly entry: Entry; readonly created: boolean; readonly previous?: Entry }
  | { readonly kind: "delete"; readonly key: string; readonly revision: Revision; readonly previous?: Entry };

/**
 * A versioned key–value store: what Caracal asks of etcd, of the embedded store, and of anything that may replace them.
 * All methods throw `StoreError`; the outcomes of a write that a correct caller must expect are values.
 */
export interface Store {
  get(key: string): Promise<Entry | undefined>;
  /**
   * Every entry whose key begins with `prefix`, complete; the empty prefix is the whole store. The entries of one kind of
   * resource are of one moment. Those of several kinds need not be: Kubernetes knows no moment of all of them.
   */
  list(prefix: string): Promise<Listing>;
  create(key: string, value: string): Promise<WriteOutcome>;
  /** An update that changes nothing may keep the revision, and then no watch tells of it. */
  update(key: string, value: string, revision: Revision): Promise<WriteOutcome>;
  /** Without a revision, whatever is there goes. "ok" carries the entry that was deleted. */
  delete(key: string, revision?: Revision): Promise<WriteOutcome>;
  /**
   * Several writes to different keys, all of them or none. Not every store has this: who uses it must be right with single
   * writes too. More than `maxTransactionSteps` steps, or one key in two of them, are "invalid".
   */
  transact?(steps: readonly TransactionStep[]): Promise<TransactionOutcome>;
  /**
   * Batches of the changes after `after`, none missed or repeated, those of one kind of resource in order; the changes of
   * one revision come in one batch. `after` is the revision of a listing of the same prefix or, under a prefix of one kind,
   * an entry's. Throws code "compacted" when `after` is older than the history kept, "unavailable" when the store is gone.
   * Ends when the signal aborts.
   */
  watch(prefix: string, after: Revision, signal: Cancellation): AsyncIterable<readonly StoreEvent[]>;
  /** How the server itself words that there is nothing under a key, or something already, where it has words for it. */
  wording?(key: string, state: "missing" | "exists"): Promise<string | undefined>;
  /** Ends every watch and releases the connection; calls after it throw "unavailable". */
  close(): Promise<void>;
}

/**
 * - `unavailable`: no answer; the write may or may not have happened. Try again.
 * - `compacted`: the history asked for is gone. List again.
 * - `unauthorized`: the store refuses this client.
 * - `invalid`: the request itself is wrong (too large, not a revision): trying again does not help.
 */
export type StoreErrorCode = "unavailable" | "compacted" | "unauthorized" | "invalid";

/** Why a store could not answer. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;
  /** "unavailable" to those who write, because the store has no room left: it will not pass by itself. */
  readonly isFull: boolean;

  constructor(
    code: StoreErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly isFull?: boolean } = {},
  ) {
    super(message, options);
    this.code = code;
    this.isFull = options.isFull ?? false;
  }
}

/** Refuses a transaction that no store could do. */
export function checkTransaction(steps: readonly TransactionStep[]): void {
  if (steps.length > maxTransactionSteps) {
    throw new StoreError(
      "invalid",
      `a transaction has ${steps.length} steps, at most ${maxTransactionSteps} are allowed`,
    );
  }
  const keys = new Set(steps.map(({ key }) => key));
  if (keys.size < steps.length) throw new StoreError("invalid", "a transaction names a key twice");
}
