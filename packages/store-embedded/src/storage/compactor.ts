import type { Revisions } from "./revisions.ts";
import type { WriteQueue } from "./write-queue.ts";

/** Changes looked at per step: other writes go between the steps. */
const stepChanges = 500;

/** Forgets history: at once for those who ask, on the disk step by step. */
export class Compactor {
  readonly #queue: WriteQueue;
  readonly #revisions: Revisions;
  #cleaning: Promise<void> = Promise.resolve();
  #cleanedTo = 0n;

  constructor(queue: WriteQueue, revisions: Revisions) {
    this.#queue = queue;
    this.#revisions = revisions;
  }

  /** Takes the compaction; with `physical`, resolves when the space is free. Returns the store's revision. */
  async compact(revision: bigint, physical: boolean): Promise<bigint> {
    const newest = await this.#queue.run((write) => {
      this.#revisions.compact(revision);
      return write.revision;
    });
    const cleaned = this.clean();
    if (physical) await cleaned;
    return newest;
  }

  /** Frees what the last compaction left, also one from before a restart. One cleaning follows the other. */
  async clean(): Promise<void> {
    this.#cleaning = this.#cleaning.then(() => this.#clean());
    return this.#cleaning;
  }

  async #clean(): Promise<void> {
    const revision = this.#revisions.compacted;
    if (revision <= this.#cleanedTo) return;
    try {
      let after: bigint | undefined = 0n;
      while (after !== undefined) {
        const from: bigint = after;
        after = await this.#queue.run(({ history }) => history.removeGarbage(revision, from, stepChanges));
      }
      this.#cleanedTo = revision;
    } catch {
      // The store is closing or cannot write: the next compaction or start goes on.
    }
  }
}
