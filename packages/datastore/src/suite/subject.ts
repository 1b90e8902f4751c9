import type { Entry, Revision, Store, StoreEvent, WriteOutcome } from "../store.ts";
import { StoreError, type StoreErrorCode } from "../store.ts";

/** What one case of the suite is given. Cases share a store, so each keeps below its own `root`. */
export interface StoreSubject {
  readonly store: Store;
  /** A prefix no other case uses. With a form of its own, `root` and a name make the key of one entry of that form. */
  readonly root: string;
  /** One more client of the same store; the case closes it. */
  readonly open: () => Promise<Store>;
  /** Makes the store forget the history up to `revision`. */
  readonly compact: (revision: Revision) => Promise<void>;
  /** A moment that the store has not come to, after this one; absent where no client can tell. */
  readonly ahead?: (revision: Revision) => Revision;
  /** How a case's texts are values here, where a store takes no others; as they are unless told. */
  readonly form?: EntryForm;
}

/** Values of one form that carry any text. */
export interface EntryForm {
  /** The value to write. */
  readonly value: (text: string) => string;
  /** The text of a value that was read; the store may have added to the value. */
  readonly text: (value: string) => string;
}

/** One promise of the `Store` port: `run` throws when the store breaks it. */
export interface StoreCase {
  readonly name: string;
  /** It writes keys and values of any form, so that it says nothing of a subject with a form of its own. */
  readonly needsAnyForm?: boolean;
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

/** The value that carries a text for this subject. */
export function valueOf({ form }: Pick<StoreSubject, "form">, text: string): string {
  return form?.value(text) ?? text;
}

/** The text that a value carries for this subject. */
export function textOf({ form }: Pick<StoreSubject, "form">, value: string): string {
  return form?.text(value) ?? value;
}

/** An event in a few words, for comparing sequences. */
export function brief(subject: Pick<StoreSubject, "form">, event: StoreEvent): string {
  if (event.kind === "delete") return `delete ${event.key} @${event.revision}`;
  const verb = event.created ? "create" : "update";
  return `${verb} ${event.entry.key} @${event.entry.revision} ${textOf(subject, event.entry.value)}`;
}

/** Throws when an event tells of another previous value than the one there was; a store may have forgotten it. */
export function checkPrevious(
  subject: Pick<StoreSubject, "form">,
  event: StoreEvent | undefined,
  text: string | undefined,
): void {
  if (event?.previous === undefined) return;
  same(textOf(subject, event.previous.value), text, `what was before, of ${brief(subject, event)}`);
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
