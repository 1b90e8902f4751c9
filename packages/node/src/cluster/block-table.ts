import type { SyncChange } from "@caracal/datastore";
import { isSameRoutedBlock, type RoutedBlock, routedBlockOf } from "@caracal/intent";
import { type AllocationBlock, AllocationBlockCodec } from "@caracal/resources";

/**
 * The cluster's blocks as routes see them. A record changes with every pod that comes or goes anywhere, and routes only when a
 * block changes hands or lends an address: most changes are none here.
 */
export class BlockTable {
  readonly #node: string;
  readonly #byKey = new Map<string, RoutedBlock>();
  readonly #used = new Map<string, AllocationBlock>();
  #values: readonly RoutedBlock[] | undefined;

  constructor(node: string) {
    this.#node = node;
  }

  /** The records, whole, of the blocks of which this node has addresses. */
  get used(): readonly AllocationBlock[] {
    return [...this.#used.values()];
  }

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
      const record = change.kind === "put" ? readBlock(change.entry.value) : undefined;
      if (record !== undefined && this.#isUsed(record)) this.#used.set(key, record);
      else this.#used.delete(key);
      const block = record === undefined ? undefined : routedBlockOf(record);
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

  #isUsed({ attributes }: AllocationBlock): boolean {
    return attributes.some(({ secondary }) => secondary?.["node"] === this.#node);
  }
}

function readBlock(value: string): AllocationBlock | undefined {
  const reading = AllocationBlockCodec.parse(value);
  return reading.kind === "ok" ? reading.value : undefined;
}
