/**
 * What was acknowledged survives `kill -9`, revisions never go back, and a watch through a client that reconnects misses
 * and repeats nothing. Method: a server process is killed at seeded moments under four writers and a watch; after every
 * restart on the same directory the store is compared with what the writers were told.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Entry,
  type Revision,
  StoreError,
  type StoreEvent,
  type WriteOutcome,
} from "@caracal/datastore";
import { EtcdStore } from "@caracal/store-etcd";
import { Dice, eventually, type Program, Testbed } from "@caracal/testbed";

const rounds = 6;
const writers = 4;
const keysPerWriter = 5;
const seed = Number(process.env["SEED"] ?? 20_240);

/** What one writer was told of one key, and what it may have done without being told. */
interface Belief {
  acknowledged: string | undefined;
  readonly possible: Set<string | undefined>;
}

class Writer {
  readonly beliefs = new Map<string, Belief>();
  readonly acknowledgedRevisions: bigint[] = [];
  readonly #store: EtcdStore;
  readonly #name: string;
  readonly #random: () => number;
  #count = 0;

  constructor(store: EtcdStore, name: string, random: () => number) {
    this.#store = store;
    this.#name = name;
    this.#random = random;
  }

  /** Writes until the server is gone. */
  async run(): Promise<void> {
    for (;;) {
      const key = `/crash/${this.#name}/${Math.floor(this.#random() * keysPerWriter)}`;
      const belief = this.beliefs.get(key) ?? { acknowledged: undefined, possible: new Set() };
      this.beliefs.set(key, belief);
      this.#count += 1;
      const value = this.#random() < 0.15 ? undefined : `${this.#count}`;
      belief.possible.add(value);
      try {
        const outcome = await this.#write(key, value);
        if (outcome.kind === "ok" && value !== undefined) {
          this.acknowledgedRevisions.push(BigInt(outcome.entry.revision));
        }
        belief.acknowledged = value;
        belief.possible.clear();
      } catch (error) {
        if (error instanceof StoreError && error.code === "unavailable") return;
        throw error;
      }
    }
  }

  async #write(key: string, value: string | undefined): Promise<WriteOutcome> {
    if (value === undefined) return this.#store.delete(key);
    const current = await this.#store.get(key);
    return current === undefined
      ? this.#store.create(key, value)
      : this.#store.update(key, value, current.revision);
  }
}

async function startServer(bed: Testbed, dataDir: string, socket: string): Promise<Program> {
  const script = join(import.meta.dirname, "server-process.ts");
  const program = await bed.start([process.execPath, script, dataDir, socket]);
  await program.waitForOutput(/ready/);
  return program;
}

/** Collects what a watch tells. One that gave up on a server that was away for long goes on from what it told last. */
async function follow(
  store: EtcdStore,
  start: Revision,
  signal: AbortSignal,
  seen: StoreEvent[],
): Promise<void> {
  while (!signal.aborted) {
    const last = seen.at(-1);
    try {
      const from = last === undefined ? start : revisionOf(last);
      for await (const batch of store.watch("/crash/", from, signal)) seen.push(...batch);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "unavailable") throw error;
    }
  }
}

function revisionOf(event: StoreEvent): Revision {
  return event.kind === "put" ? event.entry.revision : event.revision;
}

test(`kill -9 loses nothing that was acknowledged (SEED=${seed})`, async (t) => {
  const bed = Testbed.create(t);
  const dataDir = bed.directory();
  const socket = join(dataDir, "store.sock");
  const random = new Dice(seed).next;
  const open = (): EtcdStore => new EtcdStore({ endpoints: [`unix://${socket}`] });
  const watching = open();
  const stop = new AbortController();
  bed.defer(async () => {
    stop.abort();
    await watching.close();
  });

  let server = await startServer(bed, dataDir, socket);
  const start = (await watching.list("/crash/")).revision;
  const seen: StoreEvent[] = [];
  const watch = follow(watching, start, stop.signal, seen);

  const team = Array.from({ length: writers }, (_, index) => index);
  const told: bigint[] = [];
  const beliefs = new Map<string, Belief>();
  let newest = 0n;
  for (let round = 0; round < rounds; round += 1) {
    const stores = team.map(open);
    const crew = stores.map((store, index) => new Writer(store, `${round}.${index}`, random));
    const work = Promise.all(crew.map((writer) => writer.run()));
    // However slow the machine is, each has been told something before the moment comes.
    await eventually(() => crew.every((writer) => writer.acknowledgedRevisions.length > 0));
    await delay(30 + Math.floor(random() * 250));
    server.signal("SIGKILL");
    await Promise.all([work, server.exited]);
    await Promise.all(stores.map((store) => store.close()));
    for (const writer of crew) {
      for (const [key, belief] of writer.beliefs) beliefs.set(key, belief);
      told.push(...writer.acknowledgedRevisions);
    }

    server = await startServer(bed, dataDir, socket);
    const after = open();
    const listing = await after.list("/crash/");
    await after.close();
    const revision = BigInt(listing.revision);
    const highest = told.reduce((most, one) => (one > most ? one : most), newest);
    assert.ok(revision >= highest, `round ${round}: revision ${revision} after ${highest} was told`);
    newest = revision;
    checkBeliefs(beliefs, listing.entries);
  }
  assert.ok(told.length > rounds * writers, `the writers got only ${told.length} answers`);

  const last = open();
  const end = await last.create("/crash/end", "end");
  assert.equal(end.kind, "ok");
  await eventually(() => seen.some((event) => event.kind === "put" && event.entry.key === "/crash/end"));
  stop.abort();
  await watch;
  const { entries } = await last.list("/crash/");
  await last.close();
  checkWatch(seen, told, entries);
});

/** Every key is what its writer was last told, or what it tried afterwards. */
function checkBeliefs(beliefs: ReadonlyMap<string, Belief>, entries: readonly Entry[]): void {
  const found = new Map(entries.map((entry) => [entry.key, entry.value]));
  for (const [key, { acknowledged, possible }] of beliefs) {
    const value = found.get(key);
    const isExpected = value === acknowledged || possible.has(value);
    assert.ok(
      isExpected,
      `${key} is ${value}; acknowledged: ${acknowledged}, tried: ${[...possible].join()}`,
    );
  }
}

/** The watch saw every acknowledged revision once and in order, and its events add up to what is there. */
function checkWatch(seen: readonly StoreEvent[], told: readonly bigint[], entries: readonly Entry[]): void {
  const revisions = seen.map((event) => BigInt(revisionOf(event)));
  for (const [index, revision] of revisions.entries()) {
    assert.ok(index === 0 || revision > (revisions[index - 1] ?? 0n), `revision ${revision} out of order`);
  }
  const known = new Set(revisions);
  assert.deepEqual(
    told.filter((revision) => !known.has(revision)),
    [],
    "acknowledged revisions that the watch missed",
  );
  const state = new Map<string, Entry>();
  for (const event of seen) {
    if (event.kind === "put") state.set(event.entry.key, event.entry);
    else state.delete(event.key);
  }
  assert.deepEqual(
    [...state.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    entries,
  );
}
