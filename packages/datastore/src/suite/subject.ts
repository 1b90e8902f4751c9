import type { Entry, Revision, Store, StoreEvent, WriteOutcome } from "../store.ts";
import { StoreError, type StoreErrorCode } from "../store.ts";

/** What one case of the suite is given. Cases share a store, so each keeps below its own `root`. */
export interface StoreSubject {
  readonly store: Store;
  /** A prefix no other case uses, ending in `/`. */
  readonly root: string;
  /** One more client of the same store; the case closes it. */
  readonly open: () => Promise<Store>;
  /** Makes the store forget the history up to `revision`. */
  readonly compact: (revision: Revision) => Promise<void>;
}

/** One promise of the `Store` port: `run` throws when the store breaks it. */
export interface StoreCase {
  readonly name: string;
  readonly run: (subject: StoreSubject) => Promise<void>;
}

/** Throws when two plain values differ; the suite depends on no test framework. */
export function same(actual: unknown, expected: unknown, what: string): void {
  const found = JSON.stringify(actual, sortFields);
  const wanted = JSON.stringify(expected, sortFields);
  if (found !== wanted) throw new Error(`${what}: expected ${clip(wanted)}, found ${clip(found)}`);
}

/** The entry of a write that must have succeeded. */
export function written(outcome: WriteOutcome): Entry {
  if (outcome.kind !== "ok") throw new Error(`expected a write to succeed, it ended as ${outcome.kind}`);
  return outcome.entry;
}

/** Runs what must fail with a `StoreError` of that code. */
export async function fails(code: StoreErrorCode, what: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (error instanceof StoreError) return same(error.code, code, what);
    throw error;
  }
  throw new Error(`${what}: expected a StoreError "${code}", nothing was thrown`);
}

/** Collects events until `enough` holds, or the watch ends. */
export async function collect(
  batches: AsyncIterable<readonly StoreEvent[]>,
  enough: (events: readonly StoreEvent[]) => boolean,
): Promise<readonly StoreEvent[]> {
  const events: StoreEvent[] = [];
  for await (const batch of batches) {
    if (batch.length === 0) throw new Error("a watch gave an empty batch");
    events.push(...batch);
    if (enough(events)) break;
  }
  return events;
}

/** An event in a few words, for comparing sequences. */
export function brief(event: StoreEvent): string {
  if (event.kind === "delete") return `delete ${event.key} @${event.revision} was ${event.previous?.value}`;
  const verb = event.created ? "create" : "update";
  return `${verb} ${event.entry.key} @${event.entry.revision} ${event.entry.value} was ${event.previous?.value}`;
}

/** The order of an object's fields says nothing. */
function sortFields(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function clip(text: string | undefined): string {
  if (text === undefined) return "nothing";
  return text.length > 400 ? `${text.slice(0, 400)}… (${text.length} characters)` : text;
}
