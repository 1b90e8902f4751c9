import { type IpAddress, Prefix, PrefixTable } from "@caracal/net";
import type { IpReservation } from "@caracal/resources";

/** Addresses that are never assigned automatically. */
export class Reservations {
  readonly #table = new PrefixTable<Prefix>();

  constructor(ranges: Iterable<Prefix>) {
    for (const range of ranges) this.#table.set(range, range);
  }

  /** The ranges of all reservations. */
  static of(resources: readonly IpReservation[]): Reservations {
    const texts = resources.flatMap(({ spec }) => spec.reservedCIDRs ?? []);
    return new Reservations(texts.flatMap((text) => Prefix.parseInterface(text)?.network ?? []));
  }

  has(address: IpAddress): boolean {
    return this.#table.match(address) !== undefined;
  }

  /** Whether every address of a range is reserved, by one reservation or by several. */
  covers(range: Prefix): boolean {
    if (this.#table.covering(range).length > 0) return true;
    const reserved = this.within(range).reduce((sum, part) => sum + Prefix.size(part), 0n);
    return reserved === Prefix.size(range);
  }

  /** Whether any address of a range is reserved. */
  touches(range: Prefix): boolean {
    if (this.#table.size === 0) return false;
    return this.#table.covering(range).length > 0 || this.#table.covered(range).next().done !== true;
  }

  /** The parts of `range` that are reserved, without overlaps. */
  within(range: Prefix): readonly Prefix[] {
    if (this.#table.covering(range).length > 0) return [range];
    const parts: Prefix[] = [];
    for (const [part] of this.#table.covered(range)) {
      // Sorted by address, then length: what overlaps the last one is inside it.
      const last = parts.at(-1);
      if (last === undefined || !Prefix.covers(last, part)) parts.push(part);
    }
    return parts;
  }

  /** A test for ordinals of a block. */
  inBlock(cidr: Prefix): (ordinal: number) => boolean {
    if (!this.touches(cidr)) return () => false;
    return (ordinal) => {
      const address = Prefix.at(cidr, BigInt(ordinal));
      return address !== undefined && this.has(address);
    };
  }
}
