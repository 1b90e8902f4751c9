import { type AttributeId, type AttributeTable } from "../rib/attribute-table.ts";
import { grown } from "../rib/columns.ts";
import { type PrefixSlot } from "../rib/prefix-slots.ts";
import { type Rib } from "../rib/rib.ts";
import { type PeerIndex } from "../rib/route-rows.ts";

/** Index of an announced route; 0 is none. */
export type OutRow = number;

/** What an update group has been told: for each prefix its routes, each with the peer that it came from. */
export class AdjRibOut {
  readonly #rib: Rib;
  readonly #attributes: AttributeTable;
  #first = new Uint32Array(64);
  #pathIds = new Uint32Array(64);
  #values = new Uint32Array(64);
  #sources = new Uint32Array(64);
  #next = new Uint32Array(64);
  #used = 1;
  #free: OutRow = 0;
  #size = 0;

  constructor(rib: Rib, attributes: AttributeTable) {
    this.#rib = rib;
    this.#attributes = attributes;
  }

  get size(): number {
    return this.#size;
  }

  first(slot: PrefixSlot): OutRow {
    return this.#first[slot] ?? 0;
  }

  next(row: OutRow): OutRow {
    return this.#next[row] ?? 0;
  }

  pathId(row: OutRow): number {
    return this.#pathIds[row] ?? 0;
  }

  value(row: OutRow): AttributeId {
    return this.#values[row] ?? 0;
  }

  source(row: OutRow): PeerIndex {
    return this.#sources[row] ?? 0;
  }

  find(slot: PrefixSlot, pathId: number): OutRow {
    let row = this.first(slot);
    while (row !== 0 && this.#pathIds[row] !== pathId) row = this.#next[row] ?? 0;
    return row;
  }

  add(slot: PrefixSlot, pathId: number, value: AttributeId, source: PeerIndex): void {
    if (slot >= this.#first.length) this.#first = grown(this.#first, this.#rib.slots.capacity);
    let row = this.#free;
    if (row !== 0) {
      this.#free = this.#next[row] ?? 0;
    } else {
      if (this.#used === this.#values.length) this.#grow();
      row = this.#used;
      this.#used += 1;
    }
    this.#attributes.retain(value);
    this.#pathIds[row] = pathId;
    this.#values[row] = value;
    this.#sources[row] = source;
    this.#next[row] = this.#first[slot] ?? 0;
    this.#first[slot] = row;
    this.#size += 1;
    this.#rib.hold(slot);
  }

  change(row: OutRow, value: AttributeId, source: PeerIndex): void {
    this.#attributes.retain(value);
    this.#attributes.release(this.#values[row] ?? 0);
    this.#values[row] = value;
    this.#sources[row] = source;
  }

  remove(slot: PrefixSlot, row: OutRow): void {
    if (this.#first[slot] === row) {
      this.#first[slot] = this.#next[row] ?? 0;
    } else {
      let previous = this.#first[slot] ?? 0;
      while (this.#next[previous] !== row) previous = this.#next[previous] ?? 0;
      this.#next[previous] = this.#next[row] ?? 0;
    }
    this.#attributes.release(this.#values[row] ?? 0);
    this.#values[row] = 0;
    this.#next[row] = this.#free;
    this.#free = row;
    this.#size -= 1;
    this.#rib.release(slot);
  }

  /** How many routes came from `source`. Walks the table: for show commands. */
  countFrom(source: PeerIndex): number {
    let count = 0;
    for (let row = 1; row < this.#used; row += 1) {
      if (this.#values[row] !== 0 && this.#sources[row] === source) count += 1;
    }
    return count;
  }

  clear(): void {
    for (let slot = 1; slot < this.#first.length; slot += 1) {
      for (let row = this.#first[slot] ?? 0; row !== 0; row = this.#first[slot] ?? 0) this.remove(slot, row);
    }
  }

  #grow(): void {
    const capacity = this.#values.length * 2;
    this.#pathIds = grown(this.#pathIds, capacity);
    this.#values = grown(this.#values, capacity);
    this.#sources = grown(this.#sources, capacity);
    this.#next = grown(this.#next, capacity);
  }
}
