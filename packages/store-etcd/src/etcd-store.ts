import type { Cancellation } from "@caracal/net";
import {
  checkTransaction,
  type Entry,
  type Listing,
  type Revision,
  type Store,
  StoreError,
  type StoreEvent,
  type TransactionOutcome,
  type TransactionStep,
  type WriteOutcome,
} from "@caracal/datastore";
import { Connection } from "./connection.ts";
import type { EtcdConfig } from "./etcd-config.ts";
import { compact, range, type StoredValue } from "./etcd-methods.ts";
import { EtcdRevision } from "./etcd-revision.ts";
import { after as nextKey, prefixRange, toBytes } from "./key-bytes.ts";
import { deletion, transaction, type TransactionAnswer } from "./transaction-call.ts";
import { toEntry, watchPrefix } from "./watch-prefix.ts";

/** Calico's request time-out. */
const defaultRequestTimeoutMs = 10_000;
/** Entries asked for at a time: keeps messages small and the event loop free. */
const pageEntries = 1_000;
/** Listings begun anew because their revision was compacted between two pages. */
const maxListRestarts = 5;

export interface EtcdStoreOptions extends EtcdConfig {
  readonly requestTimeoutMs?: number;
}

/** The `Store` port over the etcd v3 API: a real etcd cluster, or Caracal's embedded store. */
export class EtcdStore implements Store {
  readonly #connection: Connection;

  /** Connects when first used. An endpoint or certificate that makes no sense throws `StoreError` "invalid". */
  constructor(options: EtcdStoreOptions) {
    this.#connection = new Connection(options, options.requestTimeoutMs ?? defaultRequestTimeoutMs);
  }

  async get(key: string): Promise<Entry | undefined> {
    const { values } = await this.#connection.call(range, { key: toBytes(key) }, "read");
    const [value] = values;
    return value === undefined ? undefined : toEntry(value);
  }

  async list(prefix: string): Promise<Listing> {
    for (let restarts = 0; ; restarts += 1) {
      try {
        return await this.#listOnce(prefix);
      } catch (error) {
        const isLost = error instanceof StoreError && error.code === "compacted";
        if (!isLost || restarts >= maxListRestarts) throw error;
      }
    }
  }

  async create(key: string, value: string): Promise<WriteOutcome> {
    const answer = await this.#write([{ kind: "create", key, value }]);
    if (answer.kind === "done") return { kind: "ok", entry: { key, value, revision: answer.revision } };
    const [current] = answer.current;
    if (current === undefined)
      throw new StoreError("unavailable", "etcd refused a create and shows no entry");
    return { kind: "exists", current: toEntry(current) };
  }

  async update(key: string, value: string, revision: Revision): Promise<WriteOutcome> {
    const answer = await this.#write([{ kind: "update", key, value, revision }]);
    if (answer.kind === "done") return { kind: "ok", entry: { key, value, revision: answer.revision } };
    return refusal(answer.current[0]);
  }

  async delete(key: string, revision?: Revision): Promise<WriteOutcome> {
    const { isDone, value } = await this.#connection.call(deletion, { key, revision }, "write");
    if (!isDone) return refusal(value);
    return value === undefined ? { kind: "missing" } : { kind: "ok", entry: toEntry(value) };
  }

  async transact(steps: readonly TransactionStep[]): Promise<TransactionOutcome> {
    checkTransaction(steps);
    const answer = await this.#write(steps);
    if (answer.kind === "done") return { kind: "ok", revision: answer.revision };
    const current = steps.map((_, index) => answer.current[index]);
    return { kind: "refused", current: current.map((value) => value && toEntry(value)) };
  }

  watch(prefix: string, after: Revision, signal: Cancellation): AsyncIterable<readonly StoreEvent[]> {
    return watchPrefix(this.#connection, prefix, after, signal);
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  /** Forgets the history before `revision`, for every client. */
  async compact(revision: Revision): Promise<void> {
    await this.#connection.call(compact, EtcdRevision.parse(revision), "write");
  }

  #write(steps: readonly TransactionStep[]): Promise<TransactionAnswer> {
    return this.#connection.call(transaction, steps, "write");
  }

  async #listOnce(prefix: string): Promise<Listing> {
    const { key, rangeEnd } = prefixRange(prefix);
    const entries: Entry[] = [];
    let revision = 0n;
    let from = key;
    for (;;) {
      const request = { key: from, rangeEnd, limit: pageEntries, revision };
      const page = await this.#connection.call(range, request, "read");
      // Every page is read at the revision of the first.
      if (revision === 0n) revision = page.revision;
      for (const value of page.values) entries.push(toEntry(value));
      const last = page.values.at(-1);
      if (!page.more || last === undefined) return { revision: EtcdRevision.format(revision), entries };
      from = nextKey(last.key);
    }
  }
}

/** What was there instead of what the caller thought. */
function refusal(current: StoredValue | undefined): WriteOutcome {
  return current === undefined ? { kind: "missing" } : { kind: "conflict", current: toEntry(current) };
}
