import type { SyncChange } from "@caracal/datastore";
import { isSameRoutedBlock, type RoutedBlock, routedBlockOf } from "@caracal/intent";
import { AllocationBlockCodec } from "@caracal/resources";

/**
 * The cluster's blocks as routes see them. A record changes with every pod that comes or goes anywhere, and routes only when a
 * block changes hands or lends an address: most changes are none here.
 */
export class BlockTable {
  readonly #byKey = new Map<string, RoutedBlock>();
  #values: readonly RoutedBlock[] | undefined;

  /** The same object until something in it changes. */
  values(): readonly RoutedBlock[] {
    this.#values ??= [...this.#byKey.values()];
    return this.#values;
  }

  /** Whether anything changed that routes depend on. */
  apply(changes: readonly SyncChange[]): boolean {
    let changed = false;
    for (const change of changes) {
      const key = change.kind === "put" ? change.entry.key : change.key;
      const block = change.kind === "put" ? readBlock(change.entry.value) : undefined;
      const before = this.#byKey.get(key);
      if (block === undefined) changed = this.#byKey.delete(key) || changed;
      else if (before === undefined || !isSameRoutedBlock(before, block)) {
        this.#byKey.set(key, block);
        changed = true;
      }
    }
    if (changed) this.#values = undefined;
    return changed;
  }
}

function readBlock(value: string): RoutedBlock | undefined {
  const reading = AllocationBlockCodec.parse(value);
  return reading.kind === "ok" ? routedBlockOf(reading.value) : undefined;
}
