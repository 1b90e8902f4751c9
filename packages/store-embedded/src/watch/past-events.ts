import { type EventSchema, EventType, type Init } from "@caracal/etcd-api";
import type { History, StoredValue } from "../storage/history.ts";
import type { Revisions } from "../storage/revisions.ts";
import type { Change } from "../storage/write.ts";
import type { Watcher } from "./watcher.ts";

export type WatchEvent = Init<typeof EventSchema>;

/** Revisions looked at for one message to a watcher that catches up. */
const windowRevisions = 1_000n;
/** Bytes of values after which such a message is closed: with one revision's values, the most it holds. */
const messageBytes = 1_048_576;

/** A stretch of history as a watcher wants it. */
export interface PastEvents {
  readonly events: readonly WatchEvent[];
  /** The revision to go on from. */
  readonly next: bigint;
}

/** The event of a change, or nothing when the watcher leaves that kind out. */
export function eventOf(
  kv: StoredValue,
  watcher: Watcher,
  previous: () => StoredValue | undefined,
): readonly WatchEvent[] {
  const isDelete = kv.version === 0n;
  if (isDelete ? !watcher.wantsDeletes : !watcher.wantsPuts) return [];
  const event = isDelete
    ? { type: EventType.DELETE, kv: { key: kv.key, modRevision: kv.modRevision } }
    : { type: EventType.PUT, kv };
  const prevKv = watcher.wantsPrevious ? previous() : undefined;
  return [prevKv === undefined ? event : { ...event, prevKv }];
}

/** Events of changes that were just made. */
export function freshEvents(
  history: History,
  watcher: Watcher,
  changes: readonly Change[],
): readonly WatchEvent[] {
  return changes.flatMap(({ kv, previous }) => {
    if (kv.modRevision < watcher.next) return [];
    return eventOf(kv, watcher, () =>
      previous === undefined ? undefined : { ...previous, value: history.value(previous.changeId) },
    );
  });
}

/** The next stretch of history from `watcher.next` on; it never ends within a revision. */
export function pastEvents(history: History, revisions: Revisions, watcher: Watcher): PastEvents {
  const first = watcher.next;
  const end = first + windowRevisions - 1n;
  const last = end < revisions.newest ? end : revisions.newest;
  const events: WatchEvent[] = [];
  let bytes = 0;
  let revision = first;
  for (const kv of history.changes(watcher.range, first, last)) {
    if (kv.modRevision !== revision && bytes > messageBytes) return { events, next: kv.modRevision };
    revision = kv.modRevision;
    bytes += kv.value.length;
    events.push(...eventOf(kv, watcher, () => previousOf(history, revisions, kv)));
  }
  return { events, next: last + 1n };
}

function previousOf(history: History, revisions: Revisions, kv: StoredValue): StoredValue | undefined {
  // What was there before a compacted revision may be gone: etcd then tells nothing, and so is it here.
  if (kv.modRevision - 1n < revisions.compacted) return undefined;
  const previous = history.before(kv.key, kv.modRevision);
  return previous === undefined || previous.version === 0n ? undefined : previous;
}
