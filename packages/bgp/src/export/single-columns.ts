import { type AttributeId } from "../rib/attribute-table.ts";
import { grown } from "../rib/columns.ts";
import { type PrefixSlot } from "../rib/prefix-slots.ts";
import { type PeerIndex } from "../rib/route-rows.ts";
import { type OutColumns, type OutRow } from "./adj-rib-out.ts";

/** Without ADD-PATH: one route a prefix, whose row is the prefix's slot. */
export class SingleColumns implements OutColumns {
  readonly #capacity: () => number;
  #values = new Uint32Array(64);
  #sources = new Uint32Array(64);

  /** `capacity` of the table of prefixes. */
  constructor(capacity: () => number) {
    this.#capacity = capacity;
  }

  get bound(): number {
    return this.#values.length;
  }

  first(slot: PrefixSlot): OutRow {
    return (this.#values[slot] ?? 0) === 0 ? 0 : slot;
  }

  next(_row: OutRow): OutRow {
    return 0;
  }

  find(slot: PrefixSlot, _pathId: number): OutRow {
    return this.first(slot);
  }

  pathId(_row: OutRow): number {
    return 0;
  }

  value(row: OutRow): AttributeId {
    return this.#values[row] ?? 0;
  }

  source(row: OutRow): PeerIndex {
    return this.#sources[row] ?? 0;
  }

  add(slot: PrefixSlot, _pathId: number): OutRow {
    if (slot >= this.#values.length) {
      this.#values = grown(this.#values, this.#capacity());
      this.#sources = grown(this.#sources, this.#capacity());
    }
    return slot;
  }

  set(row: OutRow, value: AttributeId, source: PeerIndex): void {
    this.#values[row] = value;
    this.#sources[row] = source;
  }

  remove(_slot: PrefixSlot, row: OutRow): void {
    this.#values[row] = 0;
  }
}
