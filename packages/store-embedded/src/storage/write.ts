import { EtcdError, Refusal } from "../etcd-error.ts";
import type { KeyRange } from "../key-range.ts";
import type { History, LiveEntry, StoredValue } from "./history.ts";
import type { Records } from "./records.ts";

/** One change of a key, for watches. */
export interface Change {
  /** Version 0 is a delete. */
  readonly kv: StoredValue;
  readonly previous: LiveEntry | undefined;
}

/** What a put asks for. */
export interface PutArguments {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly lease: bigint;
  readonly ignoreValue: boolean;
  readonly ignoreLease: boolean;
}

/** The changes of one request: all of one revision, or none. */
export class Write {
  readonly #history: History;
  readonly #records: Records;
  /** The store's revision before. */
  readonly before: bigint;
  readonly changes: Change[] = [];

  constructor(history: History, records: Records, before: bigint) {
    this.#history = history;
    this.#records = records;
    this.before = before;
  }

  /** The store's revision as this request sees it: its own as soon as it changed something. */
  get revision(): bigint {
    return this.changes.length > 0 ? this.before + 1n : this.before;
  }

  get history(): History {
    return this.#history;
  }

  get records(): Records {
    return this.#records;
  }

  /** Refuses a put that cannot be done. Called for all puts of a request before the first is done. */
  checkPut({ key, lease, ignoreValue, ignoreLease }: PutArguments): void {
    if ((ignoreValue || ignoreLease) && this.#history.live(key) === undefined) {
      throw new EtcdError(Refusal.keyNotFound);
    }
    this.checkLease(lease);
  }

  /** Refuses a lease that is not there. */
  checkLease(lease: bigint): void {
    if (lease !== 0n && !this.#records.hasLease(lease)) throw new EtcdError(Refusal.leaseNotFound);
  }

  /** Sets a key; returns what was there. */
  put(put: PutArguments): LiveEntry | undefined {
    const modRevision = this.before + 1n;
    const previous = this.#history.live(put.key);
    const kv: StoredValue = {
      key: put.key,
      createRevision: previous?.createRevision ?? modRevision,
      modRevision,
      version: (previous?.version ?? 0n) + 1n,
      lease: put.ignoreLease && previous !== undefined ? previous.lease : put.lease,
      value: put.ignoreValue && previous !== undefined ? this.#history.value(previous.changeId) : put.value,
    };
    this.#history.append(kv);
    this.changes.push({ kv, previous });
    return previous;
  }

  /** Deletes every key of a range; returns what was there. */
  deleteRange(range: KeyRange): readonly LiveEntry[] {
    const entries = this.#history.liveInRange(range);
    for (const entry of entries) this.#delete(entry);
    return entries;
  }

  /** Deletes the keys of a lease. */
  deleteKeysOfLease(lease: bigint): void {
    for (const key of this.#history.keysOfLease(lease)) {
      const entry = this.#history.live(key);
      if (entry !== undefined) this.#delete(entry);
    }
  }

  /** An entry with its value, also when this request has just deleted it. */
  withValue(entry: LiveEntry): StoredValue {
    return { ...entry, value: this.#history.value(entry.changeId) };
  }

  #delete(previous: LiveEntry): void {
    const kv: StoredValue = {
      key: previous.key,
      createRevision: 0n,
      modRevision: this.before + 1n,
      version: 0n,
      lease: 0n,
      value: new Uint8Array(0),
    };
    this.#history.append(kv);
    this.changes.push({ kv, previous });
  }
}
