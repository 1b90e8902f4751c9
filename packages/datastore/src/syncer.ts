import type { Cancellation } from "@caracal/net";
import { type Entry, type Listing, type Store, StoreError, type StoreEvent } from "./store.ts";

/** One difference between what was known and what is. */
export type SyncChange =
  | { readonly kind: "put"; readonly entry: Entry; readonly previous: Entry | undefined }
  | { readonly kind: "delete"; readonly key: string; readonly previous: Entry };

/** How current the known state is. The last known state stays in force whatever this says. */
export type SyncStatus =
  /** Nothing is known yet. */
  | { readonly kind: "starting"; readonly reason?: string }
  /** Listed completely, and watching from there. */
  | { readonly kind: "inSync" }
  /** Was in sync; the store has not answered since. */
  | { readonly kind: "away"; readonly reason: string };

export interface SyncerOptions {
  readonly store: Store;
  /** Every key under it is kept. */
  readonly prefix: string;
  /** Waits, or returns early when the signal aborts. */
  readonly sleep: (ms: number, signal: Cancellation) => Promise<void>;
  /** Differences in the order of the store, one call for what came together. Must not throw. */
  readonly onChanges: (changes: readonly SyncChange[]) => void;
  readonly onStatus?: (status: SyncStatus) => void;
}

/** Pauses after failures double from the first to the last of these. */
const firstPauseMs = 100;
const lastPauseMs = 5_000;

/**
 * Keeps a copy of all entries under a prefix: lists, then watches from there, and lists again when the watch breaks,
 * telling only what differs. Whoever applies each batch of changes has a state that the store once had.
 *
 * A broken watch is never taken up from the last revision seen: revisions are opaque here, so nothing would show that the
 * store which came back is another one (restored from a backup, say) or how far behind the copy is. Stores take up short
 * breaks by themselves, where they know what a revision means.
 */
export class Syncer {
  readonly #options: SyncerOptions;
  readonly #entries = new Map<string, Entry>();
  #status: SyncStatus = { kind: "starting" };
  /** The pause after the next failure. */
  #pauseMs = firstPauseMs;

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

  /**
   * Runs until the signal aborts; nothing is told after that. Never throws for what a store does: it reports the status
   * and tries again. Only one at a time.
   */
  async run(signal: Cancellation): Promise<void> {
    while (!signal.aborted) {
      const reason = await this.#follow(signal);
      if (reason === undefined) return;
      this.#report({ kind: this.#status.kind === "starting" ? "starting" : "away", reason });
      const pauseMs = this.#pauseMs;
      this.#pauseMs = Math.min(pauseMs * 2, lastPauseMs);
      await unlessAborted(this.#options.sleep(pauseMs, signal), signal);
    }
  }

  /** Follows the store for as long as it answers; says why it no longer does, `undefined` when the signal aborted. */
  async #follow(signal: Cancellation): Promise<string | undefined> {
    const { store, prefix } = this.#options;
    try {
      const listing = await unlessAborted(store.list(prefix), signal);
      if (listing === undefined || signal.aborted) return undefined;
      this.#replace(listing);
      this.#report({ kind: "inSync" });
      for await (const events of store.watch(prefix, listing.revision, signal)) {
        if (signal.aborted) return undefined;
        // Not already after the list: a store that lists but cannot watch must not be listed again and again.
        this.#pauseMs = firstPauseMs;
        this.#apply(events);
      }
      return signal.aborted ? undefined : "the watch ended";
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return signal.aborted ? undefined : error.message;
    }
  }

  #replace({ entries }: Listing): void {
    const listed = new Set(entries.map(({ key }) => key));
    const changes: SyncChange[] = [];
    // Deletes first: what a vanished key held, such as an address, may be another's by now.
    for (const key of this.#entries.keys()) {
      if (!listed.has(key)) this.#delete(key, changes);
    }
    for (const entry of entries) this.#put(entry, changes);
    this.#tell(changes);
  }

  #apply(events: readonly StoreEvent[]): void {
    const changes: SyncChange[] = [];
    for (const event of events) {
      if (event.kind === "put") this.#put(event.entry, changes);
      else this.#delete(event.key, changes);
    }
    this.#tell(changes);
  }

  #put(entry: Entry, changes: SyncChange[]): void {
    const previous = this.#entries.get(entry.key);
    // A restored store may use a revision for another value than the lost one did.
    if (previous?.revision === entry.revision && previous.value === entry.value) return;
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

  #report(status: SyncStatus): void {
    const isNews = status.kind !== this.#status.kind || reasonOf(status) !== reasonOf(this.#status);
    this.#status = status;
    if (isNews) this.#options.onStatus?.(status);
  }
}

function reasonOf(status: SyncStatus): string | undefined {
  return "reason" in status ? status.reason : undefined;
}

/** What the promise brings, or `undefined` as soon as the signal aborts: a call that hangs must not hold `run` up. */
async function unlessAborted<T>(promise: Promise<T>, signal: Cancellation): Promise<T | undefined> {
  let abort = (): void => {};
  const aborted = new Promise<undefined>((resolve) => {
    abort = () => resolve(undefined);
  });
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
