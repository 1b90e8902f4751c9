import { Canceller } from "../canceller.ts";
import type { Entry, Revision, Store, StoreEvent } from "../store.ts";
import {
  brief,
  checkPrevious,
  collect,
  fails,
  same,
  type StoreCase,
  type StoreSubject,
  textOf,
  valueOf,
  written,
} from "./subject.ts";

/** What watches promise. */
export const watchCases: readonly StoreCase[] = [
  { name: "a watch tells creates, updates and deletes with what was before", run: kindsOfEvent },
  { name: "a watch replays history from any revision", run: replay },
  { name: "a watch sees its prefix only", run: prefixOnly },
  { name: "a watch ends when its signal aborts", run: aborts },
  { name: "a watch from before a compaction says so", run: compacted },
  { name: "a watch from ahead of the store says that its history is another", run: fromAhead },
  { name: "watches under concurrent writers miss and repeat nothing", run: concurrentWriters },
  { name: "a slow watch is given everything", run: slowWatch },
  { name: "a watch of a store that is closed fails at once", run: closedWatch },
];

const forever = new Canceller();

async function kindsOfEvent(subject: StoreSubject): Promise<void> {
  const { store, root } = subject;
  const { revision } = await store.list(root);
  const events = collect(store.watch(root, revision, forever), (seen) => seen.length === 4);
  const key = `${root}a`;
  const first = written(await store.create(key, valueOf(subject, "1")));
  const second = written(await store.update(key, valueOf(subject, "2"), first.revision));
  written(await store.delete(key));
  const third = written(await store.create(key, valueOf(subject, "3")));
  const seen = await events;
  const deleted = seen[2];
  same(deleted?.kind, "delete", "the third event");
  const deletion = deleted?.kind === "delete" ? deleted.revision : "";
  const expected = [
    `create ${key} @${first.revision} 1`,
    `update ${key} @${second.revision} 2`,
    `delete ${key} @${deletion}`,
    `create ${key} @${third.revision} 3`,
  ];
  same(
    seen.map((event) => brief(subject, event)),
    expected,
    "the events",
  );
  for (const [index, text] of [undefined, "1", "2", undefined].entries()) {
    checkPrevious(subject, seen[index], text);
  }
  same(
    new Set([first, second, third].map((entry) => entry.revision)).has(second.revision),
    true,
    "revisions",
  );
}

async function replay(subject: StoreSubject): Promise<void> {
  const { store, root } = subject;
  const start = (await store.list(root)).revision;
  const points: Revision[] = [start];
  const entries: Entry[] = [];
  for (let index = 0; index < 5; index += 1) {
    const entry = written(await store.create(`${root}${index}`, valueOf(subject, String(index))));
    entries.push(entry);
    points.push(entry.revision);
  }
  for (const [index, point] of points.slice(0, -1).entries()) {
    const rest = entries.slice(index);
    const seen = await collect(store.watch(root, point, forever), (events) => events.length >= rest.length);
    same(
      seen.map(revisionOf),
      rest.map((entry) => entry.revision),
      `what came after change ${index}`,
    );
  }
}

async function prefixOnly(subject: StoreSubject): Promise<void> {
  const { store, root } = subject;
  const { revision } = await store.list(root);
  for (const name of ["node1", "node1-a", "node10-a", "node1-b", "node2-a", "node1-c"]) {
    written(await store.create(`${root}${name}`, valueOf(subject, name)));
  }
  const seen = await collect(store.watch(`${root}node1-`, revision, forever), (events) => events.length >= 3);
  same(textsOf(subject, seen), ["node1-a", "node1-b", "node1-c"], "the texts seen");
}

async function aborts(subject: StoreSubject): Promise<void> {
  const { store, root } = subject;
  const { revision } = await store.list(root);
  const before = new Canceller();
  before.abort();
  same(
    await collect(store.watch(root, revision, before), () => false),
    [],
    "a watch aborted before it began",
  );
  const during = new Canceller();
  const events = collect(store.watch(root, revision, during), (seen) => {
    if (seen.length === 1) during.abort();
    return false;
  });
  const idle = new Canceller();
  const nothing = collect(store.watch(`${root}none-`, revision, idle), () => false);
  written(await store.create(`${root}a`, valueOf(subject, "1")));
  same((await events).length, 1, "the events of a watch aborted by its consumer");
  idle.abort();
  same(await nothing, [], "a watch aborted while it waits");
}

async function compacted(subject: StoreSubject): Promise<void> {
  const { store, root, compact } = subject;
  const old = (await store.list(root)).revision;
  let entry = written(await store.create(`${root}a`, valueOf(subject, "0")));
  for (let index = 1; index < 5; index += 1) {
    entry = written(await store.update(`${root}a`, valueOf(subject, String(index)), entry.revision));
  }
  await compact(entry.revision);
  await fails("compacted", "a watch from before", () =>
    collect(store.watch(root, old, forever), (seen) => seen.length > 0),
  );
  same(await store.get(`${root}a`), entry, "the entry after a compaction");
  const after = collect(store.watch(root, entry.revision, forever), (seen) => seen.length === 1);
  written(await store.update(`${root}a`, valueOf(subject, "5"), entry.revision));
  same(textsOf(subject, await after), ["5"], "a watch from the compacted revision on");
}

/** A store that was set back, or made anew, knows nothing of what the watch has seen. */
async function fromAhead(subject: StoreSubject): Promise<void> {
  const { store, root, ahead } = subject;
  const { revision } = await store.list(root);
  const seen = collect(store.watch(root, revision, forever), (events) => events.length === 1);
  written(await store.create(`${root}a`, valueOf(subject, "1")));
  same((await seen).length, 1, "a watch from the present");
  if (ahead === undefined) return;
  await fails("compacted", "a watch from ahead", () =>
    collect(store.watch(root, ahead(revision), forever), (events) => events.length > 0),
  );
}

async function concurrentWriters(subject: StoreSubject): Promise<void> {
  const { store, root, open } = subject;
  const start = (await store.list(root)).revision;
  const second = await open();
  const isLast = (seen: readonly StoreEvent[]): boolean => textsOf(subject, seen).includes("last");
  const early = collect(store.watch(root, start, forever), isLast);
  const work = Promise.all(
    [0, 1, 2, 3].map((seed) => scribble({ ...subject, store: seed % 2 === 0 ? store : second }, seed)),
  );
  const joined = joinMidway(second, root, isLast);
  const acknowledged = (await work).flat();
  written(await store.create(`${root}end`, valueOf(subject, "last")));
  const seen = await early;
  const late = await joined;
  same(new Set(seen.map(revisionOf)).size, seen.length, "how many revisions the first watch saw");
  const known = new Set(seen.map((event) => brief(subject, event)));
  same(
    acknowledged.filter((text) => !known.has(text)),
    [],
    "acknowledged writes that the watch missed",
  );
  const final = (await store.list(root)).entries;
  same(
    entriesOf(replayOnto(new Map(), seen)),
    entriesOf(new Map(final.map((e) => [e.key, e]))),
    "the replay",
  );
  same(entriesOf(late), entriesOf(new Map(final.map((e) => [e.key, e]))), "the listing and its watch");
  await second.close();
}

/** Writes, updates and deletes a few keys that others write too; returns the successful puts as events in brief. */
async function scribble(subject: StoreSubject, seed: number): Promise<readonly string[]> {
  const { store, root } = subject;
  const acknowledged: string[] = [];
  for (let step = 0; step < 25; step += 1) {
    const key = `${root}${(seed * 7 + step * 3) % 5}`;
    const text = `${seed}.${step}`;
    const value = valueOf(subject, text);
    const current = await store.get(key);
    if (current === undefined) {
      const outcome = await store.create(key, value);
      if (outcome.kind === "ok") acknowledged.push(`create ${key} @${outcome.entry.revision} ${text}`);
    } else if (step % 6 === 5) {
      await store.delete(key, current.revision);
    } else {
      const outcome = await store.update(key, value, current.revision);
      if (outcome.kind === "ok") {
        acknowledged.push(`update ${key} @${outcome.entry.revision} ${text}`);
      }
    }
  }
  return acknowledged;
}

async function joinMidway(
  store: Store,
  root: string,
  enough: (events: readonly StoreEvent[]) => boolean,
): Promise<Map<string, Entry>> {
  const listing = await store.list(root);
  const events = await collect(store.watch(root, listing.revision, forever), enough);
  return replayOnto(new Map(listing.entries.map((entry) => [entry.key, entry])), events);
}

function replayOnto(state: Map<string, Entry>, events: readonly StoreEvent[]): Map<string, Entry> {
  for (const event of events) {
    if (event.kind === "put") state.set(event.entry.key, event.entry);
    else state.delete(event.key);
  }
  return state;
}

async function slowWatch(subject: StoreSubject): Promise<void> {
  const { store, root } = subject;
  const { revision } = await store.list(root);
  const value = "x".repeat(10_000);
  const iterator = store.watch(root, revision, forever)[Symbol.asyncIterator]();
  const events: StoreEvent[] = [];
  const first = iterator.next();
  for (let index = 0; index < 300; index += 1)
    written(await store.create(`${root}${index}`, valueOf(subject, value)));
  for (let step = await first; step.done !== true; step = await iterator.next()) {
    events.push(...step.value);
    if (events.length >= 300) break;
  }
  await iterator.return?.();
  same(
    events.map(keyOf),
    Array.from({ length: 300 }, (_, index) => `${root}${index}`),
    "the keys seen",
  );
}

async function closedWatch({ root, open }: StoreSubject): Promise<void> {
  const store = await open();
  const { revision } = await store.list(root);
  const watching = fails("unavailable", "a watch of a closed store", () =>
    collect(store.watch(root, revision, forever), () => false),
  );
  // The watch is asked for before the store is closed.
  await store.list(root);
  await store.close();
  await watching;
}

function entriesOf(state: Map<string, Entry>): readonly Entry[] {
  return [...state.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

function keyOf(event: StoreEvent): string {
  return event.kind === "put" ? event.entry.key : event.key;
}

function textsOf(subject: StoreSubject, events: readonly StoreEvent[]): readonly (string | undefined)[] {
  return events.map((event) => (event.kind === "put" ? textOf(subject, event.entry.value) : undefined));
}

function revisionOf(event: StoreEvent): Revision {
  return event.kind === "put" ? event.entry.revision : event.revision;
}
