import type { Cancellation } from "@caracal/net";
import { type Entry, type Revision, type Store, StoreError, type StoreEvent } from "./store.ts";

/** One difference between what was known and what is. */
export type SyncChange =
  | { readonly kind: "put"; readonly entry: Entry; readonly previous: Entry | undefined }
  | { readonly kind: "delete"; readonly key: string; readonly previous: Entry };

/** How current the known state is. The last known state stays in force whatever this says. */
export type SyncStatus =
  /** Nothing is known yet. */
  | { readonly kind: "starting"; readonly reason?: string }
  /** Listed completely, and watching. */
  | { readonly kind: "inSync" }
  /** Was in sync; the store has not answered since. */
  | { readonly kind: "away"; readonly reason: string };

export interface SyncerOptions {
  readonly store: Store;
  /** Every key under it is kept. */
  readonly prefix: string;
  /** Waits, or returns early when the signal aborts. */
  readonly sleep: (ms: number, signal: Cancellation) => Promise<void>;
  /** Differences in the order of the store, one call for what came together. */
  readonly onChanges: (changes: readonly SyncChange[]) => void;
  readonly onStatus?: (status: SyncStatus) => void;
}

/** Pauses after failures double from the first to the last of these. */
const firstPauseMs = 100;
const lastPauseMs = 5_000;

/**
 * Keeps a copy of all entries under a prefix: lists, then watches from there. When the watch breaks it goes on from the
 * last revision seen; when that is gone (compacted, or another store) it lists again and tells only what differs, vanished
 * keys as deletes. So whoever applies the changes in order always has a state that the store once had.
 */
export class Syncer {
  readonly #options: SyncerOptions;
  readonly #entries = new Map<string, Entry>();
  #revision: Revision | undefined;
  #status: SyncStatus = { kind: "starting" };
  #failures = 0;

  constructor(options: SyncerOptions) {
    this.#options = options;
  }

  /** What is known, by key. */
  get entries(): ReadonlyMap<string, Entry> {
    return this.#entries;
  }

  get status(): SyncStatus {
    return this.#status;
  }

  /** Runs until the signal aborts. Never throws for what a store does: it reports the status and tries again. */
  async run(signal: Cancellation): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#follow(signal);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        if (error.code === "compacted") this.#revision = undefined;
        await this.#pause(error.message, signal);
      }
    }
  }

  async #follow(signal: Cancellation): Promise<void> {
    const { store, prefix } = this.#options;
    const from = this.#revision ?? (await this.#list());
    this.#revision = from;
    // An answer to the list proves the store is there; a watch resumed proves it with its first events.
    if (this.#status.kind !== "inSync") await this.#confirm();
    for await (const events of store.watch(prefix, from, signal)) {
      this.#failures = 0;
      this.#apply(events);
      this.#report({ kind: "inSync" });
    }
    if (!signal.aborted) throw new StoreError("unavailable", "the watch ended");
  }

  async #list(): Promise<Revision> {
    const { revision, entries } = await this.#options.store.list(this.#options.prefix);
    const vanished = new Set(this.#entries.keys());
    const changes: SyncChange[] = [];
    for (const entry of entries) {
      vanished.delete(entry.key);
      this.#put(entry, changes);
    }
    for (const key of vanished) this.#delete(key, changes);
    this.#tell(changes);
    this.#failures = 0;
    this.#report({ kind: "inSync" });
    return revision;
  }

  /** After an outage with a known revision: any read shows that the store answers again. */
  async #confirm(): Promise<void> {
    await this.#options.store.get(this.#options.prefix);
    this.#report({ kind: "inSync" });
  }

  #apply(events: readonly StoreEvent[]): void {
    const changes: SyncChange[] = [];
    for (const event of events) {
      if (event.kind === "put") this.#put(event.entry, changes);
      else this.#delete(event.key, changes);
      this.#revision = event.kind === "put" ? event.entry.revision : event.revision;
    }
    this.#tell(changes);
  }

  #put(entry: Entry, changes: SyncChange[]): void {
    const previous = this.#entries.get(entry.key);
    if (previous?.revision === entry.revision) return;
    this.#entries.set(entry.key, entry);
    changes.push({ kind: "put", entry, previous });
  }

  #delete(key: string, changes: SyncChange[]): void {
    const previous = this.#entries.get(key);
    if (previous === undefined) return;
    this.#entries.delete(key);
    changes.push({ kind: "delete", key, previous });
  }

  #tell(changes: readonly SyncChange[]): void {
    if (changes.length > 0) this.#options.onChanges(changes);
  }

  async #pause(reason: string, signal: Cancellation): Promise<void> {
    this.#report({ kind: this.#status.kind === "starting" ? "starting" : "away", reason });
    const ms = Math.min(firstPauseMs * 2 ** this.#failures, lastPauseMs);
    this.#failures = Math.min(this.#failures + 1, 16);
    await this.#options.sleep(ms, signal);
  }

  #report(status: SyncStatus): void {
    const isNews = status.kind !== this.#status.kind || reasonOf(status) !== reasonOf(this.#status);
    this.#status = status;
    if (isNews) this.#options.onStatus?.(status);
  }
}

function reasonOf(status: SyncStatus): string | undefined {
  return "reason" in status ? status.reason : undefined;
}
