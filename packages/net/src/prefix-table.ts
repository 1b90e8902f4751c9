import { IpAddress } from "./ip-address.ts";
import { Ipv4 } from "./ipv4.ts";
import { Ipv6 } from "./ipv6.ts";
import { Prefix } from "./prefix.ts";
import { noSlot, PrefixIndex } from "./prefix-index.ts";

/** A map from prefixes of both families to values, with longest-prefix match; iterated by family, address, length. */
export class PrefixTable<V> {
  readonly #tables = { 4: new FamilyTable<V>(4), 6: new FamilyTable<V>(6) } as const;

  /** Prefixes in the table. */
  get size(): number {
    return this.#tables[4].index.size + this.#tables[6].index.size;
  }

  /** Stores a value and gives the one it replaced. */
  set(prefix: Prefix, value: V): V | undefined {
    const { index, values } = this.#tables[prefix.family];
    const sizeBefore = index.size;
    const slot = index.add(prefix.address, prefix.length);
    const previous = index.size === sizeBefore ? values[slot] : undefined;
    // An array with holes becomes slow, and branching nodes take numbers too.
    while (values.length < slot) values.push(undefined);
    values[slot] = value;
    return previous;
  }

  has(prefix: Prefix): boolean {
    return this.#tables[prefix.family].index.find(prefix.address, prefix.length) !== noSlot;
  }

  /** The value of exactly this prefix. */
  get(prefix: Prefix): V | undefined {
    const { index, values } = this.#tables[prefix.family];
    const slot = index.find(prefix.address, prefix.length);
    return slot === noSlot ? undefined : values[slot];
  }

  /** Takes a prefix out and gives its value. */
  delete(prefix: Prefix): V | undefined {
    const { index, values } = this.#tables[prefix.family];
    const slot = index.remove(prefix.address, prefix.length);
    if (slot === noSlot) return undefined;
    const value = values[slot];
    values[slot] = undefined;
    return value;
  }

  /** The value of the longest prefix that contains the address. */
  match(address: IpAddress): V | undefined {
    const { index, values } = this.#tables[IpAddress.family(address)];
    const slot = index.match(address);
    return slot === noSlot ? undefined : values[slot];
  }

  /** The same with its prefix. */
  longest(address: IpAddress): readonly [Prefix, V] | undefined {
    const table = this.#tables[IpAddress.family(address)];
    const slot = table.index.match(address);
    return slot === noSlot ? undefined : table.entry(slot);
  }

  /** All prefixes inside `outer`, itself included. The table must not change meanwhile. */
  *covered(outer: Prefix): Generator<readonly [Prefix, V], void> {
    const table = this.#tables[outer.family];
    for (const slot of table.index.covered(outer.address, outer.length)) {
      const entry = table.entry(slot);
      if (entry !== undefined) yield entry;
    }
  }

  /** All prefixes that contain `inner`, itself included, shortest first. */
  covering(inner: Prefix): readonly (readonly [Prefix, V])[] {
    const table = this.#tables[inner.family];
    return table.index
      .covering(inner.address, inner.length)
      .map((slot) => table.entry(slot))
      .filter((entry) => entry !== undefined);
  }

  /** Everything. The table must not change meanwhile. */
  *entries(): Generator<readonly [Prefix, V], void> {
    yield* this.covered(everything[4]);
    yield* this.covered(everything[6]);
  }

  clear(): void {
    for (const table of [this.#tables[4], this.#tables[6]]) {
      table.index.clear();
      table.values.length = 0;
    }
  }
}

const everything = { 4: Prefix.of(Ipv4.of(0), 0), 6: Prefix.of(Ipv6.of(0n), 0) } as const;

/** One family's prefixes with their values, by slot. */
class FamilyTable<V> {
  readonly index: PrefixIndex;
  readonly values: (V | undefined)[] = [];

  constructor(family: 4 | 6) {
    this.index = new PrefixIndex(family);
  }

  entry(slot: number): readonly [Prefix, V] | undefined {
    const value = this.values[slot];
    return value === undefined ? undefined : [this.index.prefixAt(slot), value];
  }
}
