import { type AttributeId, type AttributeTable } from "../rib/attribute-table.ts";
import { type PrefixSlot } from "../rib/prefix-slots.ts";
import { type Rib } from "../rib/rib.ts";
import { type PeerIndex } from "../rib/route-rows.ts";
import { PathColumns } from "./path-columns.ts";
import { SingleColumns } from "./single-columns.ts";

/** Index of an announced route; 0 is none. */
export type OutRow = number;

/** Announced routes by prefix, without the counting of references. */
export interface OutColumns {
  first(slot: PrefixSlot): OutRow;
  next(row: OutRow): OutRow;
  find(slot: PrefixSlot, pathId: number): OutRow;
  pathId(row: OutRow): number;
  /** 0 for a row that is not in use. */
  value(row: OutRow): AttributeId;
  source(row: OutRow): PeerIndex;
  /** One past the highest row. */
  readonly bound: number;
  add(slot: PrefixSlot, pathId: number): OutRow;
  set(row: OutRow, value: AttributeId, source: PeerIndex): void;
  remove(slot: PrefixSlot, row: OutRow): void;
}

/** What an update group has been told: for each prefix its routes, each with the peer that it came from. */
export class AdjRibOut {
  readonly #rib: Rib;
  readonly #attributes: AttributeTable;
  readonly #columns: OutColumns;
  #size = 0;

  constructor(rib: Rib, attributes: AttributeTable, addPath: boolean) {
    this.#rib = rib;
    this.#attributes = attributes;
    const capacity = (): number => rib.slots.capacity;
    this.#columns = addPath ? new PathColumns(capacity) : new SingleColumns(capacity);
  }

  get size(): number {
    return this.#size;
  }

  first(slot: PrefixSlot): OutRow {
    return this.#columns.first(slot);
  }

  next(row: OutRow): OutRow {
    return this.#columns.next(row);
  }

  pathId(row: OutRow): number {
    return this.#columns.pathId(row);
  }

  value(row: OutRow): AttributeId {
    return this.#columns.value(row);
  }

  source(row: OutRow): PeerIndex {
    return this.#columns.source(row);
  }

  find(slot: PrefixSlot, pathId: number): OutRow {
    return this.#columns.find(slot, pathId);
  }

  add(slot: PrefixSlot, pathId: number, value: AttributeId, source: PeerIndex): void {
    this.#attributes.retain(value);
    this.#columns.set(this.#columns.add(slot, pathId), value, source);
    this.#size += 1;
    this.#rib.hold(slot);
  }

  change(row: OutRow, value: AttributeId, source: PeerIndex): void {
    this.#attributes.retain(value);
    this.#attributes.release(this.#columns.value(row));
    this.#columns.set(row, value, source);
  }

  remove(slot: PrefixSlot, row: OutRow): void {
    this.#attributes.release(this.#columns.value(row));
    this.#columns.remove(slot, row);
    this.#size -= 1;
    this.#rib.release(slot);
  }

  /** How many routes came from `source`. Walks the table: for show commands. */
  countFrom(source: PeerIndex): number {
    const columns = this.#columns;
    let count = 0;
    for (let row = 1; row < columns.bound; row += 1) {
      if (columns.value(row) !== 0 && columns.source(row) === source) count += 1;
    }
    return count;
  }

  clear(): void {
    for (let slot = 1; slot < this.#rib.slots.bound; slot += 1) {
      for (let row = this.first(slot); row !== 0; row = this.first(slot)) this.remove(slot, row);
    }
  }
}
