import { type AttributeId } from "../rib/attribute-table.ts";
import { grown, growthFactor } from "../rib/columns.ts";
import { type PrefixSlot } from "../rib/prefix-slots.ts";
import { type PeerIndex } from "../rib/route-rows.ts";
import { type OutColumns, type OutRow } from "./adj-rib-out.ts";

/** With ADD-PATH (RFC 7911): a chain of routes for each prefix. */
export class PathColumns implements OutColumns {
  readonly #capacity: () => number;
  #first = new Uint32Array(64);
  #pathIds = new Uint32Array(64);
  #values = new Uint32Array(64);
  #sources = new Uint32Array(64);
  #next = new Uint32Array(64);
  #used = 1;
  #free: OutRow = 0;

  /** `capacity` of the table of prefixes. */
  constructor(capacity: () => number) {
    this.#capacity = capacity;
  }

  get bound(): number {
    return this.#used;
  }

  first(slot: PrefixSlot): OutRow {
    return this.#first[slot] ?? 0;
  }

  next(row: OutRow): OutRow {
    return this.#next[row] ?? 0;
  }

  find(slot: PrefixSlot, pathId: number): OutRow {
    let row = this.first(slot);
    while (row !== 0 && this.#pathIds[row] !== pathId) row = this.#next[row] ?? 0;
    return row;
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

  add(slot: PrefixSlot, pathId: number): OutRow {
    if (slot >= this.#first.length) this.#first = grown(this.#first, this.#capacity());
    let row = this.#free;
    if (row !== 0) {
      this.#free = this.#next[row] ?? 0;
    } else {
      if (this.#used === this.#values.length) this.#grow();
      row = this.#used;
      this.#used += 1;
    }
    this.#pathIds[row] = pathId;
    this.#next[row] = this.#first[slot] ?? 0;
    this.#first[slot] = row;
    return row;
  }

  set(row: OutRow, value: AttributeId, source: PeerIndex): void {
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
    this.#values[row] = 0;
    this.#next[row] = this.#free;
    this.#free = row;
  }

  #grow(): void {
    const capacity = this.#values.length * growthFactor;
    this.#pathIds = grown(this.#pathIds, capacity);
    this.#values = grown(this.#values, capacity);
    this.#sources = grown(this.#sources, capacity);
    this.#next = grown(this.#next, capacity);
  }
}
