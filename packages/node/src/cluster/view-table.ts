import { type Entry, resourceReading, type SyncChange } from "@caracal/datastore";
import { type IntentProblem, unreadableProblem } from "@caracal/intent";
import { type KindName, type Reading, parseJson, type Resources } from "@caracal/resources";

/** How a table's values are read, and which of them are kept. */
export interface TableOptions<T> {
  readonly read: (entry: Entry) => Reading<T>;
  readonly isWanted?: (value: T) => boolean;
  /** Names what cannot be read, by its key; without it nothing is said of it. */
  readonly nameOf?: (key: string) => string;
}

/** Values under one prefix of the datastore, by key. What cannot be read, or is not wanted, is left out. */
export class ViewTable<T> {
  readonly #options: TableOptions<T>;
  readonly #byKey = new Map<string, T>();
  readonly #problems = new Map<string, IntentProblem>();

  constructor(options: TableOptions<T>) {
    this.#options = options;
  }

  values(): readonly T[] {
    return [...this.#byKey.values()];
  }

  /** What cannot be read, and why. */
  problems(): readonly IntentProblem[] {
    return [...this.#problems.values()];
  }

  /** Whether anything in the table changed. */
  apply(changes: readonly SyncChange[]): boolean {
    let changed = false;
    for (const change of changes) {
      const key = change.kind === "put" ? change.entry.key : change.key;
      const isTold = this.#problems.delete(key);
      const value = change.kind === "put" ? this.#read(key, change.entry) : undefined;
      if (value === undefined)
        changed = this.#byKey.delete(key) || isTold || this.#problems.has(key) || changed;
      else {
        this.#byKey.set(key, value);
        changed = true;
      }
    }
    return changed;
  }

  #read(key: string, entry: Entry): T | undefined {
    const { read, isWanted, nameOf } = this.#options;
    const reading = read(entry);
    if (reading.kind === "ok") return isWanted?.(reading.value) === false ? undefined : reading.value;
    if (nameOf !== undefined) {
      this.#problems.set(key, unreadableProblem(nameOf(key), reading.problems));
    }
    return undefined;
  }
}

/** A table of one of Calico's kinds. */
export function resourceTable<K extends KindName>(kind: K): ViewTable<Resources[K]> {
  return new ViewTable({
    read: (entry) => resourceReading(kind, entry),
    nameOf: (key) => `${kind}(${key.slice(key.lastIndexOf("/") + 1)})`,
  });
}

/** A table of one of Kubernetes' kinds, which is another program's to keep right. */
export function kubernetesTable<T extends object>(read: (document: unknown) => T | undefined): ViewTable<T> {
  return new ViewTable<T>({
    read: ({ value }) => {
      const document = parseJson(value);
      const found = document.kind === "ok" ? read(document.value) : undefined;
      return found === undefined ? { kind: "bad", problems: [] } : { kind: "ok", value: found };
    },
  });
}
