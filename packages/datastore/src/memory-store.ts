import type { Cancellation } from "@caracal/net";
import { compareKeys } from "./key-order.ts";
import {
  checkTransaction,
  type Entry,
  type Listing,
  Revision,
  type Store,
  StoreError,
  type StoreEvent,
  type TransactionOutcome,
  type TransactionStep,
  type WriteOutcome,
} from "./store.ts";

/** How many changes are kept for watches unless told; older ones are compacted. */
const defaultHistoryEvents = 100_000;

export interface MemoryStoreOptions {
  /** Changes kept for watches: a bound on memory. */
  readonly historyEvents?: number;
  /** How what it stands in for words failures. */
  readonly wording?: Store["wording"];
}

/** The `Store` in memory: the fake for tests and simulations, and what the compliance suite was first written for. */
export class MemoryStore implements Store {
  readonly #entries = new Map<string, Entry>();
  readonly #historyEvents: number;
  /** The events of revision `#compacted + 1 + n`, for each n. */
  #history: (readonly StoreEvent[])[] = [];
  #compacted = 0;
  #revision = 0;
  #waiting = new Set<() => void>();
  #state: "open" | "down" | "closed" = "open";

  readonly wording?: Exclude<Store["wording"], undefined>;

  constructor(options: MemoryStoreOptions = {}) {
    if (options.wording !== undefined) this.wording = options.wording;
    this.#historyEvents = options.historyEvents ?? defaultHistoryEvents;
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#check();
    return this.#entries.get(key);
  }

  async list(prefix: string): Promise<Listing> {
    this.#check();
    const entries = [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix));
    entries.sort((a, b) => compareKeys(a.key, b.key));
    return { revision: Revision.of(String(this.#revision)), entries };
  }

  async create(key: string, value: string): Promise<WriteOutcome> {
    this.#check();
    const current = this.#entries.get(key);
    return current === undefined ? this.#put(key, value) : { kind: "exists", current };
  }

  async update(key: string, value: string, revision: Revision): Promise<WriteOutcome> {
    this.#check();
    parseRevision(revision);
    const current = this.#entries.get(key);
    if (current === undefined) return { kind: "missing" };
    if (current.revision !== revision) return { kind: "conflict", current };
    return this.#put(key, value);
  }

  async delete(key: string, revision?: Revision): Promise<WriteOutcome> {
    this.#check();
    if (revision !== undefined) parseRevision(revision);
    const current = this.#entries.get(key);
    if (current === undefined) return { kind: "missing" };
    if (revision !== undefined && current.revision !== revision) return { kind: "conflict", current };
    this.#entries.delete(key);
    this.#record([{ kind: "delete", key, revision: this.#advance(), previous: current }]);
    return { kind: "ok", entry: current };
  }

  async transact(steps: readonly TransactionStep[]): Promise<TransactionOutcome> {
    this.#check();
    checkTransaction(steps);
    for (const step of steps) if (step.kind !== "create") parseRevision(step.revision);
    const current = steps.map(({ key }) => this.#entries.get(key));
    const holds = steps.every((step, index) =>
      step.kind === "create" ? current[index] === undefined : current[index]?.revision === step.revision,
    );
    if (!holds) return { kind: "refused", current };
    if (steps.every(({ kind }) => kind === "expect")) {
      return { kind: "ok", revision: Revision.of(String(this.#revision)) };
    }
    const revision = this.#advance();
    this.#record(steps.flatMap((step) => this.#apply(step, revision) ?? []));
    return { kind: "ok", revision };
  }

  async *watch(
    prefix: string,
    after: Revision,
    signal: Cancellation,
  ): AsyncGenerator<readonly StoreEvent[], void, undefined> {
    let seen = parseRevision(after);
    if (seen > this.#revision) {
      throw new StoreError(
        "compacted",
        `the store is at revision ${this.#revision}, before the watch's ${seen}`,
      );
    }
    const wake = (): void => this.#wake();
    signal.addEventListener("abort", wake);
    try {
      for (;;) {
        if (signal.aborted) return;
        this.#check();
        if (seen < this.#compacted) throw new StoreError("compacted", `revision ${seen} has been compacted`);
        const batch = this.#history
          .slice(seen - this.#compacted)
          .flat()
          .filter((event) => keyOf(event).startsWith(prefix));
        seen = Math.max(seen, this.#revision);
        if (batch.length > 0) yield batch;
        else await this.#change();
      }
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  async close(): Promise<void> {
    this.#state = "closed";
    this.#wake();
  }

  /** Forgets all changes up to and with `revision`; the entries stay. */
  compact(revision: Revision): void {
    const upTo = Math.min(parseRevision(revision), this.#revision);
    if (upTo <= this.#compacted) return;
    this.#history = this.#history.slice(upTo - this.#compacted);
    this.#compacted = upTo;
  }

  /** Until `reconnect`, every call and every watch fails as "unavailable": what a store that went away looks like. */
  disconnect(): void {
    if (this.#state === "open") this.#state = "down";
    this.#wake();
  }

  reconnect(): void {
    if (this.#state === "down") this.#state = "open";
  }

  #put(key: string, value: string): WriteOutcome {
    const revision = this.#advance();
    const previous = this.#entries.get(key);
    const entry = { key, value, revision };
    this.#entries.set(key, entry);
    this.#record([putEvent(entry, previous)]);
    return { kind: "ok", entry };
  }

  /** Does a step whose condition holds; what it expects only is no event. */
  #apply(step: TransactionStep, revision: Revision): StoreEvent | undefined {
    const previous = this.#entries.get(step.key);
    const { key } = step;
    switch (step.kind) {
      case "expect":
        return undefined;
      case "delete":
        this.#entries.delete(key);
        return { kind: "delete", key, revision, ...(previous !== undefined && { previous }) };
      default: {
        const entry = { key, value: step.value, revision };
        this.#entries.set(key, entry);
        return putEvent(entry, previous);
      }
    }
  }

  #advance(): Revision {
    this.#revision += 1;
    return Revision.of(String(this.#revision));
  }

  #record(events: readonly StoreEvent[]): void {
    this.#history.push(events);
    // Trimmed by halves, so that a write costs a constant on average.
    if (this.#history.length > this.#historyEvents * 2) {
      this.compact(Revision.of(String(this.#revision - this.#historyEvents)));
    }
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const resume of waiting) resume();
  }

  async #change(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  #check(): void {
    if (this.#state === "down") throw new StoreError("unavailable", "the store does not answer");
    if (this.#state === "closed") throw new StoreError("unavailable", "the store is closed");
  }
}

function putEvent(entry: Entry, previous: Entry | undefined): StoreEvent {
  const created = previous === undefined;
  return created ? { kind: "put", entry, created } : { kind: "put", entry, created, previous };
}

function keyOf(event: StoreEvent): string {
  return event.kind === "put" ? event.entry.key : event.key;
}

function parseRevision(revision: Revision): number {
  if (!/^[0-9]{1,15}$/.test(revision)) throw new StoreError("invalid", `'${revision}' is not a revision`);
  return Number(revision);
}
