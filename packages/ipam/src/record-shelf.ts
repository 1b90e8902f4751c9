import type { Entry, Revision, Store, WriteOutcome } from "@caracal/datastore";
import { describeProblems, type RecordCodec } from "@caracal/resources";
import { IpamError } from "./ipam-error.ts";

/** A record with the revision it was read or written at. */
export interface Stored<T> {
  readonly key: string;
  readonly record: T;
  readonly revision: Revision;
}

/** How a write ended. "stale": the store holds something else by now, namely `current`, or nothing. */
export type ShelfOutcome<T> =
  | { readonly kind: "ok"; readonly stored: Stored<T> }
  | { readonly kind: "stale"; readonly current: Stored<T> | undefined };

/** How many records are remembered as they were last seen. */
const maxRemembered = 1024;

/** One kind of record in the store: JSON outside, checked values inside. */
export class RecordShelf<T> {
  readonly #store: Store;
  readonly #codec: RecordCodec<T>;
  readonly #remembered = new Map<string, { readonly value: string; readonly stored: Stored<T> }>();

  constructor(store: Store, codec: RecordCodec<T>) {
    this.#store = store;
    this.#codec = codec;
  }

  async get(key: string): Promise<Stored<T> | undefined> {
    const entry = await this.#store.get(key);
    return entry === undefined ? this.#forget(key) : this.#read(entry);
  }

  /**
   * The record as it was last seen here, which saves a round trip, or as `get` gives it. Only for what is then written at
   * the record's revision: if it has changed since, that write fails and tells what is there now.
   */
  async recall(key: string): Promise<Stored<T> | undefined> {
    return this.#remembered.get(key)?.stored ?? this.get(key);
  }

  /** Entries under a prefix, not parsed yet. */
  async entries(prefix: string): Promise<readonly Entry[]> {
    const { entries } = await this.#store.list(prefix);
    return entries;
  }

  /** The record of an entry, or `undefined` when it cannot be read: then nothing is known but that it exists. */
  parse(entry: Entry): Stored<T> | undefined {
    const reading = this.#codec.parse(entry.value);
    return reading.kind === "ok"
      ? { key: entry.key, record: reading.value, revision: entry.revision }
      : undefined;
  }

  async create(key: string, record: T): Promise<ShelfOutcome<T>> {
    return this.#outcome(key, record, await this.#store.create(key, this.#codec.serialise(record)));
  }

  async update(stored: Stored<T>, record: T): Promise<ShelfOutcome<T>> {
    const value = this.#codec.serialise(record);
    return this.#outcome(stored.key, record, await this.#store.update(stored.key, value, stored.revision));
  }

  /** "ok" carries what was deleted. */
  async delete(stored: Stored<T>): Promise<ShelfOutcome<T>> {
    const outcome = await this.#store.delete(stored.key, stored.revision);
    if (outcome.kind === "conflict") return { kind: "stale", current: this.#read(outcome.current) };
    this.#forget(stored.key);
    return outcome.kind === "ok" ? { kind: "ok", stored } : { kind: "stale", current: undefined };
  }

  #outcome(key: string, record: T, outcome: WriteOutcome): ShelfOutcome<T> {
    switch (outcome.kind) {
      case "ok":
        return { kind: "ok", stored: this.#remember(outcome.entry, record) };
      case "missing":
        return { kind: "stale", current: this.#forget(key) };
      case "exists":
      case "conflict":
        return { kind: "stale", current: this.#read(outcome.current) };
    }
  }

  #read(entry: Entry): Stored<T> {
    const known = this.#remembered.get(entry.key);
    // The same text gives the same record.
    if (known?.value === entry.value) return this.#remember(entry, known.stored.record);
    const reading = this.#codec.parse(entry.value);
    if (reading.kind === "bad") {
      throw new IpamError("corrupt", `${entry.key} is not readable: ${describeProblems(reading.problems)}`);
    }
    return this.#remember(entry, reading.value);
  }

  #remember({ key, value, revision }: Entry, record: T): Stored<T> {
    const stored = { key, record, revision };
    this.#remembered.delete(key);
    this.#remembered.set(key, { value, stored });
    if (this.#remembered.size > maxRemembered) {
      const [oldest] = this.#remembered.keys();
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    return stored;
  }

  #forget(key: string): undefined {
    this.#remembered.delete(key);
    return undefined;
  }
}
