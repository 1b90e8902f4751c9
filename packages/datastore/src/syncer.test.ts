/**
 * A syncer's copy is always a state that the store once had, and the store's own state once it answers again.
 * Method: a memory store behind a wrapper that fails, hangs, tears watches, compacts and is restored from a backup as a
 * seeded schedule says; pauses wait for the schedule, not for a clock. `SEED=n` repeats a run.
 */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import type { Cancellation } from "@caracal/net";
import {
  Canceller,
  type Entry,
  type Listing,
  MemoryStore,
  type Revision,
  type Store,
  StoreError,
  type StoreEvent,
  type SyncChange,
  Syncer,
  type SyncStatus,
  type WriteOutcome,
} from "./index.ts";

const prefix = "/p/";
const roundCount = 300;
/** Calls of the store without a pause in between, at most: a list, and the watch after it. */
const maxCallsPerPause = 2;

type Random = (below: number) => number;
type Write = { readonly key: string; readonly value: string | undefined };

/** Mulberry32. */
function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** The wrapper of a memory store that the syncer is given. Every read asks `fault` how it should end. */
class UnreliableStore implements Store {
  inner = new MemoryStore();
  fault: (call: "list" | "watch" | "batch") => "none" | "unavailable" | "compacted" | "end" | "hang" = () =>
    "none";
  /** Called when a read begins. */
  onCall: (call: "list" | "watch") => void = () => {};
  #released: (() => void)[] = [];
  /** Which store the last listing came from. */
  #listed: MemoryStore | undefined;

  async list(under: string): Promise<Listing> {
    this.onCall("list");
    await this.#obey("list");
    this.#listed = this.inner;
    return this.inner.list(under);
  }

  async *watch(
    under: string,
    after: Revision,
    signal: Cancellation,
  ): AsyncGenerator<readonly StoreEvent[], void, undefined> {
    this.onCall("watch");
    const { inner } = this;
    if ((await this.#obey("watch")) === "end") return;
    // What a revision means is the store's to know: one of another store's history is none of its own.
    if (inner !== this.#listed) throw new StoreError("compacted", "a revision of another store");
    for await (const batch of inner.watch(under, after, signal)) {
      // A store that hangs here hands its batch over late, even after an abort.
      if ((await this.#obey("batch")) === "end") return;
      yield batch;
    }
  }

  /** Lets everything that hangs go on. */
  release(): void {
    for (const go of this.#released.splice(0)) go();
  }

  async #obey(call: "list" | "watch" | "batch"): Promise<"none" | "end"> {
    const fault = this.fault(call);
    if (fault === "unavailable") throw new StoreError("unavailable", `${call} failed`);
    if (fault === "compacted") throw new StoreError("compacted", `${call} compacted`);
    if (fault === "hang") await new Promise<void>((resolve) => this.#released.push(resolve));
    return fault === "end" ? "end" : "none";
  }

  get(key: string): Promise<Entry | undefined> {
    return this.inner.get(key);
  }

  create(key: string, value: string): Promise<WriteOutcome> {
    return this.inner.create(key, value);
  }

  update(key: string, value: string, revision: Revision): Promise<WriteOutcome> {
    return this.inner.update(key, value, revision);
  }

  delete(key: string, revision?: Revision): Promise<WriteOutcome> {
    return this.inner.delete(key, revision);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

/** A syncer of an unreliable store with everything it told; pauses end when the bench says so. */
class Bench {
  readonly store = new UnreliableStore();
  readonly stop = new Canceller();
  readonly pausesMs: number[] = [];
  readonly statuses: SyncStatus[] = [];
  readonly batches: (readonly SyncChange[])[] = [];
  readonly calls: string[] = [];
  /** The state that the changes make, by replaying them. */
  readonly told = new Map<string, Entry>();
  readonly syncer: Syncer;
  /** Runs after each batch was replayed. */
  check: () => void = () => {};
  running: Promise<void> = Promise.resolve();
  #sleepers: (() => void)[] = [];

  constructor() {
    this.store.onCall = (call) => this.calls.push(call);
    this.syncer = new Syncer({
      store: this.store,
      prefix,
      sleep: (ms) => {
        this.pausesMs.push(ms);
        return new Promise((resolve) => this.#sleepers.push(resolve));
      },
      onChanges: (changes) => {
        this.batches.push(changes);
        for (const change of changes) replay(change, this.told);
        this.check();
      },
      onStatus: (status) => this.statuses.push(status),
    });
  }

  async start(): Promise<void> {
    this.running = this.syncer.run(this.stop);
    await turn();
  }

  /** Ends the pause that the syncer is in, if any, and lets it go on as far as it can. */
  async wake(): Promise<void> {
    for (const resume of this.#sleepers.splice(0)) resume();
    await turn();
  }

  get isPausing(): boolean {
    return this.#sleepers.length > 0;
  }

  async end(): Promise<void> {
    this.stop.abort();
    await this.running;
  }
}

function replay(change: SyncChange, state: Map<string, Entry>): void {
  const before = state.get(change.kind === "put" ? change.entry.key : change.key);
  assert.deepEqual(change.previous, before, "a change tells what was before");
  if (change.kind === "delete") {
    state.delete(change.key);
    return;
  }
  assert.notDeepEqual(change.entry, before, "a change is a difference");
  state.set(change.entry.key, change.entry);
}

async function write(store: Store, { key, value }: Write): Promise<void> {
  const current = await store.get(key);
  if (value === undefined) await store.delete(key);
  else if (current === undefined) await store.create(key, value);
  else await store.update(key, value, current.revision);
}

function textOf(entries: Iterable<Entry>): string {
  return [...entries]
    .map(({ key, value, revision }) => `${key}=${value}@${revision}`)
    .toSorted()
    .join(" ");
}

/** One seeded schedule of writes and faults. */
class Schedule {
  readonly bench = new Bench();
  readonly #random: Random;
  readonly #journal: Write[] = [];
  readonly #states = new Set<string>([""]);
  #callsAtPause = 0;

  constructor(seed: number) {
    this.#random = randomOf(seed);
    const { bench } = this;
    bench.check = () => {
      assert.deepEqual(bench.syncer.entries, bench.told, "the copy is what the changes make");
      const text = textOf(bench.told.values());
      assert.ok(this.#states.has(text), `the copy is no state that the store ever had: ${text}`);
    };
    bench.store.onCall = (call) => {
      bench.calls.push(call);
      this.#callsAtPause += 1;
      assert.ok(this.#callsAtPause <= maxCallsPerPause, "a store that fails is not asked without a pause");
    };
  }

  async run(): Promise<void> {
    const { bench } = this;
    await bench.start();
    bench.store.fault = (call) => this.#fault(call);
    const stepCount = 10 + this.#random(60);
    for (let step = 0; step < stepCount; step += 1) await this.#step();
    await this.#recover();
    const { entries } = await bench.store.inner.list(prefix);
    assert.equal(textOf(bench.syncer.entries.values()), textOf(entries));
    assert.deepEqual(bench.syncer.entries, bench.told);
    assert.equal(bench.syncer.status.kind, "inSync");
    await bench.end();
  }

  #fault(call: string): "none" | "unavailable" | "compacted" | "end" | "hang" {
    const faults = ["unavailable", "hang", "end", "compacted"] as const;
    if (this.#random(4) !== 0) return "none";
    return faults[this.#random(call === "list" ? 2 : faults.length)] ?? "none";
  }

  async #step(): Promise<void> {
    const { bench } = this;
    const { store } = bench;
    switch (this.#random(10)) {
      case 0:
        return store.inner.disconnect();
      case 1:
        return store.inner.reconnect();
      case 2:
        return this.#compact();
      case 3:
        return this.#random(3) === 0 ? this.#restore() : undefined;
      case 4:
        return store.release();
      case 5:
        return this.#wake();
      case 6:
        await turn();
        return;
      default:
        return this.#write();
    }
  }

  async #wake(): Promise<void> {
    if (this.bench.isPausing) this.#callsAtPause = 0;
    await this.bench.wake();
  }

  async #write(): Promise<void> {
    const { store } = this.bench;
    store.inner.reconnect();
    const value = this.#random(3) === 0 ? undefined : `v${this.#random(3)}`;
    const one: Write = { key: `${prefix}${this.#random(5)}`, value };
    this.#journal.push(one);
    await write(store.inner, one);
    await this.#remember();
  }

  async #compact(): Promise<void> {
    const { inner } = this.bench.store;
    inner.reconnect();
    inner.compact((await inner.list("")).revision);
  }

  /** Another store takes the old one's place, made of an earlier part of the same writes. */
  async #restore(): Promise<void> {
    const { store } = this.bench;
    const old = store.inner;
    this.#journal.length = this.#random(this.#journal.length + 1);
    const restored = new MemoryStore();
    for (const one of this.#journal) await write(restored, one);
    store.inner = restored;
    await old.close();
  }

  async #remember(): Promise<void> {
    const { entries } = await this.bench.store.inner.list(prefix);
    this.#states.add(textOf(entries));
  }

  /** Faults stop; what is pending may end. */
  async #recover(): Promise<void> {
    const { store } = this.bench;
    store.fault = () => "none";
    store.inner.reconnect();
    store.release();
    await turn();
    // A watch that was torn is noticed at the first pause; the list after it brings everything.
    for (let round = 0; round < 3; round += 1) await this.#wake();
  }
}

function seedOf(t: TestContext): number {
  const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
  t.diagnostic(`SEED=${seed}`);
  return seed;
}

test("after any writes and faults the copy is the store, and the changes told make it", async (t) => {
  const seed = seedOf(t);
  for (let round = 0; round < roundCount; round += 1) {
    try {
      await new Schedule(seed + round).run();
    } catch (error) {
      throw new Error(`repeat with SEED=${seed + round}`, { cause: error });
    }
  }
});

test("the first list is told at once, then every change as it comes", async () => {
  const bench = new Bench();
  await bench.store.create("/p/b", "1");
  await bench.store.create("/p/a", "1");
  await bench.store.create("/q/a", "elsewhere");
  await bench.start();
  await bench.store.create("/p/c", "1");
  await turn();
  await bench.store.delete("/p/a");
  await turn();
  const brief = bench.batches.map((batch) =>
    batch.map((change) => `${change.kind} ${change.kind === "put" ? change.entry.key : change.key}`),
  );
  assert.deepEqual(brief, [["put /p/a", "put /p/b"], ["put /p/c"], ["delete /p/a"]]);
  assert.deepEqual(bench.statuses, [{ kind: "inSync" }]);
  await bench.end();
});

test("inSync is reported after the changes that make it true, and not before a list answered", async () => {
  const bench = new Bench();
  await bench.store.create("/p/a", "1");
  let statusSeen = "";
  bench.check = () => {
    statusSeen = bench.syncer.status.kind;
  };
  bench.store.inner.disconnect();
  await bench.start();
  assert.deepEqual(bench.syncer.status, { kind: "starting", reason: "the store does not answer" });
  bench.store.inner.reconnect();
  await bench.wake();
  assert.equal(statusSeen, "starting");
  assert.equal(bench.syncer.status.kind, "inSync");
  await bench.end();
});

test("an outage leaves the last state in force, and its end is not reported before a list answers", async () => {
  const bench = new Bench();
  await bench.store.create("/p/a", "1");
  await bench.start();
  bench.store.inner.disconnect();
  await turn();
  assert.deepEqual(bench.syncer.status, { kind: "away", reason: "the store does not answer" });
  assert.equal(bench.syncer.entries.size, 1);
  bench.store.inner.reconnect();
  bench.store.fault = (call) => (call === "list" ? "hang" : "none");
  await bench.wake();
  assert.equal(bench.syncer.status.kind, "away");
  bench.store.fault = () => "none";
  await bench.store.create("/p/b", "1");
  bench.store.release();
  await turn();
  assert.equal(bench.syncer.status.kind, "inSync");
  assert.deepEqual([...bench.syncer.entries.keys()], ["/p/a", "/p/b"]);
  assert.deepEqual(
    bench.batches.map((batch) => batch.length),
    [1, 1],
  );
  await bench.end();
});

test("pauses double up to five seconds, also when the list works and the watch never does", async () => {
  const doubled = [100, 200, 400, 800, 1600, 3200, 5000, 5000];
  for (const faulty of ["list", "watch"] as const) {
    for (const fault of ["unavailable", "end"] as const) {
      if (faulty === "list" && fault === "end") continue;
      const bench = new Bench();
      bench.store.fault = (call) => (call === faulty ? fault : "none");
      await bench.start();
      while (bench.pausesMs.length < doubled.length) await bench.wake();
      assert.deepEqual(bench.pausesMs, doubled, `${faulty} ${fault}`);
      bench.store.fault = () => "none";
      await bench.wake();
      await bench.store.create("/p/a", "1");
      await turn();
      bench.store.inner.disconnect();
      await turn();
      assert.equal(bench.pausesMs.at(-1), 100, "a watch that brought something starts afresh");
      await bench.end();
    }
  }
});

test("a key that vanished unseen is told as deleted, before what is new", async () => {
  const bench = new Bench();
  await bench.store.create("/p/b", "10.0.0.1");
  await bench.start();
  bench.store.fault = (call) => (call === "batch" ? "unavailable" : "none");
  await bench.store.delete("/p/b");
  await bench.store.create("/p/a", "10.0.0.1");
  await turn();
  await bench.wake();
  assert.deepEqual(
    bench.batches.at(-1)?.map(({ kind }) => kind),
    ["delete", "put"],
  );
  await bench.end();
});

test("a restored store that used a revision for another value is not mistaken for the lost one", async () => {
  const bench = new Bench();
  await bench.store.create("/p/a", "lost");
  await bench.start();
  const old = bench.store.inner;
  bench.store.inner = new MemoryStore();
  await bench.store.create("/p/a", "restored");
  await old.close();
  await turn();
  await bench.wake();
  assert.equal(bench.syncer.entries.get("/p/a")?.value, "restored");
  assert.equal(bench.told.get("/p/a")?.value, "restored");
  await bench.end();
});

test("an abort ends the run at once whatever it waits for, and nothing is told after it", async () => {
  for (const call of ["list", "watch", "batch", "pause"] as const) {
    const bench = new Bench();
    await bench.store.create("/p/a", "1");
    bench.store.fault = (now) => (now === call ? "hang" : call === "pause" ? "unavailable" : "none");
    await bench.start();
    if (call === "batch") {
      await bench.store.create("/p/b", "1");
      await turn();
    }
    const batchCount = bench.batches.length;
    bench.stop.abort();
    // The port has a watch end by itself when the signal aborts; a hung one is let go.
    if (call === "watch" || call === "batch") bench.store.release();
    await bench.running;
    bench.store.fault = () => "none";
    bench.store.release();
    await bench.wake();
    assert.equal(bench.batches.length, batchCount, call);
  }
});

test("a run that was aborted before it began asks nothing", async () => {
  const bench = new Bench();
  bench.stop.abort();
  await bench.start();
  await bench.running;
  assert.deepEqual(bench.calls, []);
});

test("an error that is not the store's ends the run with it", async () => {
  const bench = new Bench();
  await bench.store.create("/p/a", "1");
  bench.check = () => {
    throw new TypeError("a consumer's own");
  };
  await assert.rejects(bench.syncer.run(bench.stop), TypeError);
});
