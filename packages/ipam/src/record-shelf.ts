import type { Entry, Revision, Store, TransactionStep, WriteOutcome } from "@caracal/datastore";
import { describeProblems, type RecordCodec } from "@caracal/resources";
import { IpamError } from "./ipam-error.ts";
import type { Nanos } from "./timestamp.ts";

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

/** One write of a transaction, and who must know how that ended. */
export interface ShelfStep {
  readonly step: TransactionStep;
  /** All steps are done, at this revision. */
  readonly accept: (revision: Revision) => void;
  /** None is done. What the step's key holds. */
  readonly refuse: (current: Entry | undefined) => void;
}

/** How many records are remembered as they were last seen. */
const maxRemembered = 1024;

interface Memory<T> {
  readonly value: string;
  readonly stored: Stored<T>;
  readonly seenAt: Nanos;
}

/** One kind of record in the store: JSON outside, checked values inside. */
export class RecordShelf<T> {
  readonly #store: Store;
  readonly #codec: RecordCodec<T>;
  readonly #now: () => Nanos;
  readonly #remembered = new Map<string, Memory<T>>();

  constructor(store: Store, codec: RecordCodec<T>, now: () => Nanos) {
    this.#store = store;
    this.#codec = codec;
    this.#now = now;
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

  /** Whether there is anything, readable or not. */
  async has(key: string): Promise<boolean> {
    return (await this.#store.get(key)) !== undefined;
  }

  /** The record as it was last seen here, if it was. */
  remembered(key: string): Stored<T> | undefined {
    return this.#remembered.get(key)?.stored;
  }

  /** When `remembered` was so. */
  seenAt(key: string): Nanos | undefined {
    return this.#remembered.get(key)?.seenAt;
  }

  /** Keys under a prefix whose records were read or written here since then and are remembered. */
  seenSince(prefix: string, moment: Nanos): readonly string[] {
    return [...this.#remembered].flatMap(([key, { seenAt }]) =>
      key.startsWith(prefix) && seenAt >= moment ? key : [],
    );
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

  creating(key: string, record: T): ShelfStep {
    const value = this.#codec.serialise(record);
    return this.#step({ kind: "create", key, value }, record);
  }

  updating({ key, revision }: Stored<T>, record: T): ShelfStep {
    const value = this.#codec.serialise(record);
    return this.#step({ kind: "update", key, value, revision }, record);
  }

  deleting({ key, revision }: Stored<T>): ShelfStep {
    return { ...this.#expecting({ kind: "delete", key, revision }), accept: () => this.#forget(key) };
  }

  expecting({ key, revision }: Stored<T>): ShelfStep {
    return this.#expecting({ kind: "expect", key, revision });
  }

  #step(step: Extract<TransactionStep, { readonly value: string }>, record: T): ShelfStep {
    const { key, value } = step;
    const accept = (revision: Revision): void => void this.#remember({ key, value, revision }, record);
    return { ...this.#expecting(step), accept };
  }

  #expecting(step: TransactionStep): ShelfStep {
    const refuse = (current: Entry | undefined): void => {
      if (current === undefined) this.#forget(step.key);
      else this.#read(current);
    };
    return { step, accept: () => undefined, refuse };
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
    this.#remembered.set(key, { value, stored, seenAt: this.#now() });
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
