import { type Entry, resourceReading, type SyncChange } from "@caracal/datastore";
import { type RoutedBlock, routedWorkload } from "@caracal/intent";
import { Prefix } from "@caracal/net";

/**
 * Every workload of the cluster as routes see it, an address at a time, for clusters whose addresses are not from Calico's IPAM.
 * Others never ask, and nothing is read for them.
 */
export class WorkloadTable {
  readonly #entries: () => Iterable<Entry>;
  #byKey: Map<string, readonly RoutedBlock[]> | undefined;
  #values: readonly RoutedBlock[] | undefined;

  /** `entries` gives what is known when somebody asks first; from then on changes are followed. */
  constructor(entries: () => Iterable<Entry>) {
    this.#entries = entries;
  }

  /** The same object until something in it changes. */
  values(): readonly RoutedBlock[] {
    this.#byKey ??= new Map([...this.#entries()].map((entry) => [entry.key, addressesOf(entry)]));
    this.#values ??= [...this.#byKey.values()].flat();
    return this.#values;
  }

  /** Whether anything changed that somebody has asked for. */
  apply(changes: readonly SyncChange[]): boolean {
    const known = this.#byKey;
    if (known === undefined) return false;
    let changed = false;
    for (const change of changes) {
      const key = change.kind === "put" ? change.entry.key : change.key;
      const now = change.kind === "put" ? addressesOf(change.entry) : [];
      if (isSame(known.get(key) ?? [], now)) continue;
      if (now.length === 0) known.delete(key);
      else known.set(key, now);
      changed = true;
    }
    if (changed) this.#values = undefined;
    return changed;
  }
}

function addressesOf(entry: Entry): readonly RoutedBlock[] {
  const reading = resourceReading("WorkloadEndpoint", entry);
  return reading.kind === "bad" ? [] : routedWorkload(reading.value);
}

function isSame(a: readonly RoutedBlock[], b: readonly RoutedBlock[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ node, prefix }, at) => {
      const other = b[at];
      return other !== undefined && other.node === node && Prefix.equals(other.prefix, prefix);
    })
  );
}
