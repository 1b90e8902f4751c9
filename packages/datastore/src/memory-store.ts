import type { Cancellation } from "@caracal/net";
import { compareKeys } from "./key-order.ts";
import {
  type Entry,
  type Listing,
  Revision,
  type Store,
  StoreError,
  type StoreEvent,
  type WriteOutcome,
} from "./store.ts";

/** How many changes are kept for watches unless told; older ones are compacted. */
const defaultHistoryEvents = 100_000;

export interface MemoryStoreOptions {
  /** Changes kept for watches: a bound on memory. */
  readonly historyEvents?: number;
}

/** The `Store` in memory: the fake for tests and simulations, and what the compliance suite was first written for. */
export class MemoryStore implements Store {
  readonly #entries = new Map<string, Entry>();
  readonly #historyEvents: number;
  /** Event n has revision `#compacted + 1 + n`: every write makes exactly one. */
  #history: StoreEvent[] = [];
  #compacted = 0;
  #revision = 0;
  #waiting = new Set<() => void>();
  #state: "open" | "down" | "closed" = "open";

  constructor(options: MemoryStoreOptions = {}) {
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
    return current === undefined ? this.#put(key, value, undefined) : { kind: "exists", current };
  }

  async update(key: string, value: string, revision: Revision): Promise<WriteOutcome> {
    this.#check();
    parseRevision(revision);
    const current = this.#entries.get(key);
    if (current === undefined) return { kind: "missing" };
    return current.revision === revision ? this.#put(key, value, current) : { kind: "conflict", current };
  }

  async delete(key: string, revision?: Revision): Promise<WriteOutcome> {
    this.#check();
    if (revision !== undefined) parseRevision(revision);
    const current = this.#entries.get(key);
    if (current === undefined) return { kind: "missing" };
    if (revision !== undefined && current.revision !== revision) return { kind: "conflict", current };
    this.#entries.delete(key);
    this.#record({ kind: "delete", key, revision: this.#advance(), previous: current });
    return { kind: "ok", entry: current };
  }

  async *watch(
    prefix: string,
    after: Revision,
    signal: Cancellation,
  ): AsyncGenerator<readonly StoreEvent[], void, undefined> {
    let seen = parseRevision(after);
    const wake = (): void => this.#wake();
    signal.addEventListener("abort", wake);
    try {
      for (;;) {
        if (signal.aborted) return;
        this.#check();
        if (seen < this.#compacted) throw new StoreError("compacted", `revision ${seen} has been compacted`);
        const batch = this.#history
          .slice(seen - this.#compacted)
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

  #put(key: string, value: string, previous: Entry | undefined): WriteOutcome {
    const entry = { key, value, revision: this.#advance() };
    this.#entries.set(key, entry);
    const created = previous === undefined;
    this.#record(created ? { kind: "put", entry, created } : { kind: "put", entry, created, previous });
    return { kind: "ok", entry };
  }

  #advance(): Revision {
    this.#revision += 1;
    return Revision.of(String(this.#revision));
  }

  #record(event: StoreEvent): void {
    this.#history.push(event);
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

function keyOf(event: StoreEvent): string {
  return event.kind === "put" ? event.entry.key : event.key;
}

function parseRevision(revision: Revision): number {
  if (!/^[0-9]{1,15}$/.test(revision)) throw new StoreError("invalid", `'${revision}' is not a revision`);
  return Number(revision);
}
