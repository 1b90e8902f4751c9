import { type IpFamily } from "@caracal/net";
import { type PrefixWords } from "../wire/nlri.ts";
import { type AttributeId, type AttributeTable } from "./attribute-table.ts";
import { grown, grownBytes } from "./columns.ts";
import { type PrefixSlot, PrefixSlots } from "./prefix-slots.ts";
import { type PeerIndex, type RouteRow, RouteRows } from "./route-rows.ts";

const dirtyBit = 1;
const multipathBit = 2;
/** The best route was removed; its row may already be another route. */
const bestGoneBit = 4;

/** All routes of one family by prefix, with the chosen one: Adj-RIBs-In and Loc-RIB in one table (RFC 4271 §3.2). */
export class Rib {
  readonly family: IpFamily;
  readonly slots: PrefixSlots;
  readonly rows: RouteRows = new RouteRows();
  readonly #attributes: AttributeTable;
  /** First route of each prefix. */
  #first = new Uint32Array(64);
  #best = new Uint32Array(64);
  /** What was chosen last time: the attributes too, since a row may change under the same number. */
  #bestAttributes = new Uint32Array(64);
  /** How many outside tables speak of the prefix. */
  #holds = new Uint32Array(64);
  #bits = new Uint8Array(64);
  #dirty: PrefixSlot[] = [];

  constructor(family: IpFamily, attributes: AttributeTable, seed?: number) {
    this.family = family;
    this.slots = new PrefixSlots(family, seed);
    this.#attributes = attributes;
  }

  first(slot: PrefixSlot): RouteRow {
    return this.#first[slot] ?? 0;
  }

  best(slot: PrefixSlot): RouteRow {
    return this.#best[slot] ?? 0;
  }

  bestAttributes(slot: PrefixSlot): AttributeId {
    return this.#bestAttributes[slot] ?? 0;
  }

  isMultipath(slot: PrefixSlot): boolean {
    return ((this.#bits[slot] ?? 0) & multipathBit) !== 0;
  }

  /** Whether the best route is still the one that was chosen, under whatever attributes. */
  isBestGone(slot: PrefixSlot): boolean {
    return ((this.#bits[slot] ?? 0) & bestGoneBit) !== 0;
  }

  setBest(slot: PrefixSlot, row: RouteRow, isMultipath: boolean): void {
    const id = this.rows.accepted(row);
    this.#attributes.retain(id);
    this.#attributes.release(this.#bestAttributes[slot] ?? 0);
    this.#best[slot] = row;
    this.#bestAttributes[slot] = id;
    const bits = (this.#bits[slot] ?? 0) & ~bestGoneBit;
    this.#bits[slot] = isMultipath ? bits | multipathBit : bits & ~multipathBit;
  }

  /** The route of a prefix that `peer` announced under `pathId`, or 0. */
  find(slot: PrefixSlot, peer: PeerIndex, pathId: number): RouteRow {
    const { rows } = this;
    let row = this.#first[slot] ?? 0;
    while (row !== 0 && (rows.peer(row) !== peer || rows.pathId(row) !== pathId)) row = rows.next(row);
    return row;
  }

  /** The same by prefix, made if it is missing. The caller sets its attributes and marks the prefix dirty. */
  take(prefix: Readonly<PrefixWords>, peer: PeerIndex, pathId: number): RouteRow {
    const slot = this.slots.take(prefix);
    if (slot >= this.#first.length) this.#grow();
    const found = this.find(slot, peer, pathId);
    if (found !== 0) return found;
    const row = this.rows.add(slot, peer, pathId, this.#first[slot] ?? 0);
    this.#first[slot] = row;
    return row;
  }

  /** What the peer said. */
  setReceived(row: RouteRow, id: AttributeId, sinceS: number): void {
    this.#attributes.retain(id);
    this.#attributes.release(this.rows.received(row));
    this.rows.setReceived(row, id, sinceS);
  }

  /** What policy made of it; 0 takes the route out of the decision. */
  setAccepted(row: RouteRow, id: AttributeId): void {
    this.#attributes.retain(id);
    this.#attributes.release(this.rows.accepted(row));
    this.rows.setAccepted(row, id);
  }

  /** Removes a route and marks its prefix dirty. */
  remove(row: RouteRow): void {
    const { rows } = this;
    const slot = rows.slot(row);
    this.setAccepted(row, 0);
    this.setReceived(row, 0, 0);
    if (this.#first[slot] === row) {
      this.#first[slot] = rows.next(row);
    } else {
      let previous = this.#first[slot] ?? 0;
      while (rows.next(previous) !== row) previous = rows.next(previous);
      rows.setNext(previous, rows.next(row));
    }
    if (this.#best[slot] === row) this.#bits[slot] = (this.#bits[slot] ?? 0) | bestGoneBit;
    rows.remove(row);
    this.markDirty(slot);
  }

  /** Has the prefix decided anew. */
  markDirty(slot: PrefixSlot): void {
    const bits = this.#bits[slot] ?? 0;
    if ((bits & dirtyBit) !== 0) return;
    this.#bits[slot] = bits | dirtyBit;
    this.#dirty.push(slot);
  }

  markAllDirty(): void {
    for (let slot = 1; slot < this.slots.bound; slot += 1) if (this.slots.has(slot)) this.markDirty(slot);
  }

  get hasDirty(): boolean {
    return this.#dirty.length > 0;
  }

  /** The dirty prefixes, which are clean from now on; each ends with a call of `settle`. */
  takeDirty(): readonly PrefixSlot[] {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const slot of dirty) this.#bits[slot] = (this.#bits[slot] ?? 0) & ~dirtyBit;
    return dirty;
  }

  /** Keeps a prefix in the table although it may have no route any more. */
  hold(slot: PrefixSlot): void {
    this.#holds[slot] = (this.#holds[slot] ?? 0) + 1;
  }

  release(slot: PrefixSlot): void {
    this.#holds[slot] = (this.#holds[slot] ?? 0) - 1;
    this.settle(slot);
  }

  /** Forgets the prefix if nothing speaks of it. */
  settle(slot: PrefixSlot): void {
    const isFree = this.#first[slot] === 0 && this.#best[slot] === 0 && this.#holds[slot] === 0;
    if (isFree && ((this.#bits[slot] ?? 0) & dirtyBit) === 0 && this.slots.has(slot)) this.slots.drop(slot);
  }

  #grow(): void {
    const { capacity } = this.slots;
    this.#first = grown(this.#first, capacity);
    this.#best = grown(this.#best, capacity);
    this.#bestAttributes = grown(this.#bestAttributes, capacity);
    this.#holds = grown(this.#holds, capacity);
    this.#bits = grownBytes(this.#bits, capacity);
  }
}
