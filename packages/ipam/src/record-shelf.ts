import type { Entry, Revision, Store, TransactionStep, WriteOutcome } from "@caracal/datastore";
import { describeProblems, type RecordCodec, type Written } from "@caracal/resources";
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
  /** What the value was written from, if that was here. */
  readonly written: Written<T> | undefined;
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
    const written = this.#codec.write(record);
    return this.#outcome(key, written, await this.#store.create(key, written.text));
  }

  async update(stored: Stored<T>, record: T): Promise<ShelfOutcome<T>> {
    const written = this.#rewritten(stored.key, record);
    const outcome = await this.#store.update(stored.key, written.text, stored.revision);
    return this.#outcome(stored.key, written, outcome);
  }

  /** "ok" carries what was deleted. */
  async delete(stored: Stored<T>): Promise<ShelfOutcome<T>> {
    const outcome = await this.#store.delete(stored.key, stored.revision);
    if (outcome.kind === "conflict") return { kind: "stale", current: this.#read(outcome.current) };
    this.#forget(stored.key);
    return outcome.kind === "ok" ? { kind: "ok", stored } : { kind: "stale", current: undefined };
  }

  creating(key: string, record: T): ShelfStep {
    const written = this.#codec.write(record);
    return this.#writing({ kind: "create", key, value: written.text }, written);
  }

  updating({ key, revision }: Stored<T>, record: T): ShelfStep {
    const written = this.#rewritten(key, record);
    return this.#writing({ kind: "update", key, value: written.text, revision }, written);
  }

  deleting({ key, revision }: Stored<T>): ShelfStep {
    return this.#step({ kind: "delete", key, revision }, () => this.#forget(key));
  }

  expecting({ key, revision }: Stored<T>): ShelfStep {
    return this.#step({ kind: "expect", key, revision }, () => undefined);
  }

  #rewritten(key: string, record: T): Written<T> {
    return this.#codec.write(record, this.#remembered.get(key)?.written);
  }

  #writing(step: Extract<TransactionStep, { readonly value: string }>, written: Written<T>): ShelfStep {
    const { key, value } = step;
    return this.#step(step, (revision) => {
      this.#remember({ key, value, revision }, written.record, written);
    });
  }

  #step(step: TransactionStep, accept: (revision: Revision) => void): ShelfStep {
    const refuse = (current: Entry | undefined): void => {
      if (current === undefined) this.#forget(step.key);
      else this.#read(current);
    };
    return { step, accept, refuse };
  }

  #outcome(key: string, written: Written<T>, outcome: WriteOutcome): ShelfOutcome<T> {
    switch (outcome.kind) {
      case "ok":
        return { kind: "ok", stored: this.#remember(outcome.entry, written.record, written) };
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
    if (known?.value === entry.value) return this.#remember(entry, known.stored.record, known.written);
    const reading = this.#codec.parse(entry.value);
    if (reading.kind === "bad") {
      throw new IpamError("corrupt", `${entry.key} is not readable: ${describeProblems(reading.problems)}`);
    }
    return this.#remember(entry, reading.value);
  }

  #remember({ key, value, revision }: Entry, record: T, written?: Written<T>): Stored<T> {
    const stored = { key, record, revision };
    // Who was seen last counts only when somebody will have to go soon.
    if (this.#remembered.size > maxRemembered / 2) this.#remembered.delete(key);
    this.#remembered.set(key, { value, written, stored, seenAt: this.#now() });
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
