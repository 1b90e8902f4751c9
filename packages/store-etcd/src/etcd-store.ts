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
import {
  type CompareSchema,
  CompareTarget,
  type Init,
  type KeyValue,
  type TxnResponse,
} from "@caracal/etcd-api";
import { Connection } from "./connection.ts";
import type { EtcdConfig } from "./etcd-config.ts";
import { compact, range, txn } from "./etcd-methods.ts";
import { EtcdRevision } from "./etcd-revision.ts";
import { after as nextKey, prefixRange, toBytes } from "./key-bytes.ts";
import { transaction, type TransactionAnswer } from "./transaction-call.ts";
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
    const { kvs } = await this.#connection.call(range, { key: toBytes(key) }, "read");
    const [kv] = kvs;
    return kv === undefined ? undefined : toEntry(kv);
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
    const current = rangeAnswer(answer.response);
    if (current === undefined)
      throw new StoreError("unavailable", "etcd refused a create and shows no entry");
    return { kind: "exists", current: toEntry(current) };
  }

  async update(key: string, value: string, revision: Revision): Promise<WriteOutcome> {
    const answer = await this.#write([{ kind: "update", key, value, revision }]);
    if (answer.kind === "done") return { kind: "ok", entry: { key, value, revision: answer.revision } };
    return refusal(answer.response);
  }

  async delete(key: string, revision?: Revision): Promise<WriteOutcome> {
    const name = toBytes(key);
    const response = await this.#connection.call(
      txn,
      {
        compare: revision === undefined ? [] : [modifiedAt(name, revision)],
        success: [{ request: { case: "requestDeleteRange", value: { key: name, prevKv: true } } }],
        failure: [{ request: { case: "requestRange", value: { key: name } } }],
      },
      "write",
    );
    if (!response.succeeded) return refusal(response);
    const answer = response.responses[0]?.response;
    const [deleted] = answer?.case === "responseDeleteRange" ? answer.value.prevKvs : [];
    return deleted === undefined ? { kind: "missing" } : { kind: "ok", entry: toEntry(deleted) };
  }

  async transact(steps: readonly TransactionStep[]): Promise<TransactionOutcome> {
    checkTransaction(steps);
    const answer = await this.#write(steps);
    if (answer.kind === "done") return { kind: "ok", revision: answer.revision };
    const current = steps.map((_, index) => rangeAnswer(answer.response, index));
    return { kind: "refused", current: current.map((kv) => (kv === undefined ? undefined : toEntry(kv))) };
  }

  watch(prefix: string, after: Revision, signal: Cancellation): AsyncIterable<readonly StoreEvent[]> {
    return watchPrefix(this.#connection, prefix, after, signal);
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  /** Forgets the history before `revision`, for every client. */
  async compact(revision: Revision): Promise<void> {
    await this.#connection.call(compact, { revision: EtcdRevision.parse(revision) }, "write");
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
      const request = { key: from, rangeEnd, limit: BigInt(pageEntries), revision };
      const page = await this.#connection.call(range, request, "read");
      // Every page is read at the revision of the first.
      if (revision === 0n) revision = page.header?.revision ?? 0n;
      for (const kv of page.kvs) entries.push(toEntry(kv));
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) return { revision: EtcdRevision.format(revision), entries };
      from = nextKey(last.key);
    }
  }
}

/** Holds while the key's last change is that revision. */
function modifiedAt(key: Uint8Array, revision: Revision): Init<typeof CompareSchema> {
  const value = EtcdRevision.ofEntry(revision);
  return { key, target: CompareTarget.MOD, targetUnion: { case: "modRevision", value } };
}

/** What was there instead of what the caller thought. */
function refusal(response: TxnResponse): WriteOutcome {
  const current = rangeAnswer(response);
  return current === undefined ? { kind: "missing" } : { kind: "conflict", current: toEntry(current) };
}

function rangeAnswer({ responses }: TxnResponse, index = 0): KeyValue | undefined {
  const answer = responses[index]?.response;
  return answer?.case === "responseRange" ? answer.value.kvs[0] : undefined;
}
