import { type AttributeId } from "../rib/attribute-table.ts";
import { type PrefixSlot } from "../rib/prefix-slots.ts";
import { type PeerIndex } from "../rib/route-rows.ts";

/** Routes that go out together: one attribute set (0: withdrawn), one sender that must not hear them (0: none). */
export interface RouteRun {
  readonly value: AttributeId;
  readonly except: PeerIndex;
  readonly slots: PrefixSlot[];
  readonly pathIds: number[];
}

/** Changes of one group since the last flush, packed by attribute set (RFC 4271 §9.2). */
export class ExportBatch {
  readonly #announced = new Map<number, RouteRun>();
  readonly #withdrawn = new Map<PeerIndex, RouteRun>();
  /** To one member only: its own route took the place of one that it had been told. */
  readonly #withdrawnFrom = new Map<PeerIndex, RouteRun>();

  get isEmpty(): boolean {
    return this.#announced.size === 0 && this.#withdrawn.size === 0 && this.#withdrawnFrom.size === 0;
  }

  announce(value: AttributeId, except: PeerIndex, slot: PrefixSlot, pathId: number): void {
    // Both numbers are small, so the pair fits a number exactly.
    push(this.#announced, value * 2 ** 20 + except, { value, except }, slot, pathId);
  }

  withdraw(except: PeerIndex, slot: PrefixSlot, pathId: number): void {
    push(this.#withdrawn, except, { value: 0, except }, slot, pathId);
  }

  withdrawFrom(member: PeerIndex, slot: PrefixSlot, pathId: number): void {
    push(this.#withdrawnFrom, member, { value: 0, except: 0 }, slot, pathId);
  }

  /** Withdrawals first, as they free memory at the other end. */
  *runs(): Iterable<RouteRun> {
    yield* this.#withdrawn.values();
    yield* this.#announced.values();
  }

  runFor(member: PeerIndex): RouteRun | undefined {
    return this.#withdrawnFrom.get(member);
  }

  /** Every prefix in a withdrawal. */
  *withdrawnSlots(): Iterable<PrefixSlot> {
    for (const run of this.#withdrawn.values()) yield* run.slots;
    for (const run of this.#withdrawnFrom.values()) yield* run.slots;
  }

  clear(): void {
    this.#announced.clear();
    this.#withdrawn.clear();
    this.#withdrawnFrom.clear();
  }
}

function push(
  runs: Map<number, RouteRun>,
  key: number,
  head: Pick<RouteRun, "value" | "except">,
  slot: PrefixSlot,
  pathId: number,
): void {
  let run = runs.get(key);
  if (run === undefined) {
    run = { ...head, slots: [], pathIds: [] };
    runs.set(key, run);
  }
  run.slots.push(slot);
  run.pathIds.push(pathId);
}
