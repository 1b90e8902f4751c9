import type { Revision } from "@caracal/datastore";
import type { IpamHandle } from "@caracal/resources";
import type { Stored } from "./record-shelf.ts";
import { Nanos } from "./timestamp.ts";

/** What somebody has counted and not assigned yet, or released and not taken back yet, must be done with within this time. */
export const countHoldsFor: Nanos = Nanos.fromSeconds(20);

/** A count that no block backs and that is older belongs to nobody: what was asked of a store is done by then, or never will be. */
export const givenUpAfter: Nanos = Nanos.fromSeconds(60);

/** Handles remembered; of those that are forgotten, the age is counted anew. */
const maxSightings = 1024;

/** Since when handles have been seen to count more than their blocks hold. */
export class UnbackedCounts {
  readonly #now: () => Nanos;
  readonly #sightings = new Map<string, { readonly revision: Revision; readonly at: Nanos }>();

  constructor(now: () => Nanos) {
    this.#now = now;
  }

  /**
   * What is left of a handle all of whose addresses are released, so many of each block by its CIDR: nothing, or what it
   * counts beyond them while that may be somebody's. `undefined` when it stays as it is.
   */
  left(stored: Stored<IpamHandle>, released: ReadonlyMap<string, number>): IpamHandle | undefined {
    const { record } = stored;
    const rest = Object.entries(record.block).flatMap(([cidr, count]) => {
      const left = count - (released.get(cidr) ?? 0);
      return left > 0 ? [[cidr, left] as const] : [];
    });
    if (rest.length === 0 || this.#isGivenUp(stored)) return { ...record, block: {} };
    const hasChanged = Object.keys(record.block).some((cidr) => released.has(cidr));
    return hasChanged ? { ...record, block: Object.fromEntries(rest) } : undefined;
  }

  #isGivenUp({ key, revision }: Stored<IpamHandle>): boolean {
    const seen = this.#sightings.get(key);
    if (seen?.revision === revision) return this.#now() - seen.at > givenUpAfter;
    this.#sightings.delete(key);
    this.#sightings.set(key, { revision, at: this.#now() });
    if (this.#sightings.size > maxSightings) {
      const [oldest] = this.#sightings.keys();
      if (oldest !== undefined) this.#sightings.delete(oldest);
    }
    return false;
  }
}
