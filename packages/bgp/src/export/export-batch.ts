import { type AttributeId } from "../rib/attribute-table.ts";
import { grown, growthFactor } from "../rib/columns.ts";
import { type PrefixSlot } from "../rib/prefix-slots.ts";
import { type PeerIndex } from "../rib/route-rows.ts";

/** Index of a route in a batch; 0 is none. */
type Entry = number;

/** Routes that go out together: one attribute set (0: withdrawn), one peer that must not hear them (0: none). */
export interface RouteRun {
  readonly value: AttributeId;
  readonly except: PeerIndex;
  readonly count: number;
  readonly first: Entry;
}

type GrowingRun = { -readonly [K in keyof RouteRun]: RouteRun[K] } & { last: Entry };

/** Changes of one group since the last flush, packed by attribute set (RFC 4271 §9.2). */
export class ExportBatch {
  /** By the peer that must not hear it, then by attribute set. */
  readonly #announced = new Map<PeerIndex, Map<AttributeId, GrowingRun>>();
  readonly #withdrawn = new Map<PeerIndex, GrowingRun>();
  /** To one member only: its own route took the place of one that it had been told. */
  readonly #withdrawnFrom = new Map<PeerIndex, GrowingRun>();
  /** Where the last announcement went: the next one is often of the same set. */
  #recent: GrowingRun | undefined;
  #slots = new Uint32Array(64);
  #pathIds = new Uint32Array(64);
  #next = new Uint32Array(64);
  #used = 1;

  get isEmpty(): boolean {
    return this.#used === 1;
  }

  slot(entry: Entry): PrefixSlot {
    return this.#slots[entry] ?? 0;
  }

  pathId(entry: Entry): number {
    return this.#pathIds[entry] ?? 0;
  }

  /** The following entry of the same run. */
  next(entry: Entry): Entry {
    return this.#next[entry] ?? 0;
  }

  announce(value: AttributeId, except: PeerIndex, slot: PrefixSlot, pathId: number): void {
    let run = this.#recent;
    if (run?.value !== value || run.except !== except) {
      let runs = this.#announced.get(except);
      if (runs === undefined) {
        runs = new Map();
        this.#announced.set(except, runs);
      }
      run = runOf(runs, value, value, except);
      this.#recent = run;
    }
    this.#append(run, slot, pathId);
  }

  withdraw(except: PeerIndex, slot: PrefixSlot, pathId: number): void {
    this.#append(runOf(this.#withdrawn, except, 0, except), slot, pathId);
  }

  withdrawFrom(member: PeerIndex, slot: PrefixSlot, pathId: number): void {
    this.#append(runOf(this.#withdrawnFrom, member, 0, 0), slot, pathId);
  }

  /** Withdrawals first, as they free memory at the other end. */
  *runs(): Iterable<RouteRun> {
    yield* this.#withdrawn.values();
    for (const runs of this.#announced.values()) yield* runs.values();
  }

  runFor(member: PeerIndex): RouteRun | undefined {
    return this.#withdrawnFrom.get(member);
  }

  /** Every prefix in a withdrawal. */
  *withdrawnSlots(): Iterable<PrefixSlot> {
    for (const runs of [this.#withdrawn, this.#withdrawnFrom]) {
      for (const run of runs.values()) {
        for (let entry = run.first; entry !== 0; entry = this.next(entry)) yield this.slot(entry);
      }
    }
  }

  clear(): void {
    this.#announced.clear();
    this.#withdrawn.clear();
    this.#withdrawnFrom.clear();
    this.#recent = undefined;
    this.#used = 1;
  }

  #append(run: GrowingRun, slot: PrefixSlot, pathId: number): void {
    if (this.#used === this.#slots.length) this.#grow();
    const entry = this.#used;
    this.#used += 1;
    this.#slots[entry] = slot;
    this.#pathIds[entry] = pathId;
    this.#next[entry] = 0;
    if (run.count === 0) run.first = entry;
    else this.#next[run.last] = entry;
    run.last = entry;
    run.count += 1;
  }

  #grow(): void {
    const capacity = this.#slots.length * growthFactor;
    this.#slots = grown(this.#slots, capacity);
    this.#pathIds = grown(this.#pathIds, capacity);
    this.#next = grown(this.#next, capacity);
  }
}

function runOf(
  runs: Map<number, GrowingRun>,
  key: number,
  value: AttributeId,
  except: PeerIndex,
): GrowingRun {
  let run = runs.get(key);
  if (run === undefined) {
    run = { value, except, count: 0, first: 0, last: 0 };
    runs.set(key, run);
  }
  return run;
}
