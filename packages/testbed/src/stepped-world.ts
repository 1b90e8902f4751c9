/** A store whose every operation waits until a scheduler lets it happen, and the actors that work on it. */
import { createHash } from "node:crypto";
import {
  type Entry,
  type Listing,
  Revision,
  type Store,
  StoreError,
  type TransactionOutcome,
  type TransactionStep,
  type WriteOutcome,
} from "@caracal/datastore";

/** An operation that an actor has asked for and that has not happened yet. */
export interface PendingStep {
  /** Of its own in every state, and the same in equal states. */
  readonly name: string;
  readonly actor: string;
  readonly label: string;
  readonly touches: readonly Touch[];
}

/** What an operation looks at or changes: an entry, or all entries whose keys begin so. */
interface Touch {
  readonly key: string;
  readonly isPrefix?: boolean;
  readonly isWrite: boolean;
}

/** Whether two operations lead to the same in either order. What one actor waits for is not asked, as it may go on between. */
export function areIndependent(one: PendingStep, other: PendingStep): boolean {
  if (one.actor === other.actor) return false;
  return !one.touches.some((a) => other.touches.some((b) => (a.isWrite || b.isWrite) && meet(a, b)));
}

function meet(a: Touch, b: Touch): boolean {
  if (a.isPrefix === true) return b.key.startsWith(a.key);
  return b.isPrefix === true ? a.key.startsWith(b.key) : a.key === b.key;
}

/** How a store treats what its port leaves open. */
export interface StoreManner {
  /** A write that changes nothing leaves the revision as it was, as with Kubernetes. */
  readonly elidesSameValues?: boolean;
}

/** Chooses at which of the moments from `oldest` to `newest` a read looks at the store. */
export type ReadMoment = (oldest: number, newest: number) => number;

const latest: ReadMoment = (_oldest, newest) => newest;

interface WaitingStep extends PendingStep {
  readonly perform: () => void;
  readonly fail: (happens: boolean) => void;
}

/** One shared store in memory, stepped one operation at a time. */
export class SteppedWorld {
  /** The store after each write; the last is now. */
  readonly #moments: ReadonlyMap<string, Entry>[] = [new Map()];
  readonly #versions = new Map<string, number>();
  readonly #pending: WaitingStep[] = [];
  readonly #seen = new Map<string, number>();
  /** What each actor has seen, by the order in which it asked: answers that it waits for together may come in any order. */
  readonly #histories = new Map<string, string[]>();
  readonly #readMoment: ReadMoment;
  readonly #manner: StoreManner;
  readonly crashed: Set<string> = new Set<string>();

  constructor(readMoment: ReadMoment = latest, manner: StoreManner = {}) {
    this.#readMoment = readMoment;
    this.#manner = manner;
  }

  /** A world of its own with the entries of now. */
  copy(): SteppedWorld {
    const copy = new SteppedWorld(latest, this.#manner);
    copy.#moments[0] = this.#now();
    for (const [key, version] of this.#versions) copy.#versions.set(key, version);
    return copy;
  }

  get entries(): readonly Entry[] {
    return [...this.#now().values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** What can happen next: each actor's operations in the order asked for. */
  get pending(): readonly PendingStep[] {
    return this.#pending;
  }

  perform(index: number): void {
    const [step] = this.#pending.splice(index, 1);
    step?.perform();
  }

  /** The store is away for the one who asks: whether the operation happened is not told. */
  fail(index: number, happens: boolean): void {
    const [step] = this.#pending.splice(index, 1);
    step?.fail(happens);
  }

  /** The actor stops for ever: nothing that it has asked for happens, and it never hears an answer. */
  crash(actor: string): void {
    this.crashed.add(actor);
    for (let index = this.#pending.length - 1; index >= 0; index -= 1) {
      if (this.#pending[index]?.actor === actor) this.#pending.splice(index, 1);
    }
  }

  /** Equal for two states from which the same can happen: the store, and all that the actors have seen of it. */
  stateKey(): string {
    const store = this.entries.map(({ key, value, revision }) => `${key} ${revision} ${value}`);
    const histories = [...this.#histories].map(([actor, history]) => `${actor}: ${history.join("\n")}`);
    return digest([...store, ...histories.toSorted(), ...this.crashed]);
  }

  /** Equal for two states with the same entries, whatever came before. */
  contentKey(): string {
    return digest(this.entries.map(({ key, value }) => `${key} ${value}`));
  }

  /** The same with transactions, each of which is one operation. */
  transactingStoreOf(actor: string): Store {
    const transact = (steps: readonly TransactionStep[]): Promise<TransactionOutcome> => {
      const label = steps.map(({ kind, key }) => `${kind} ${key}`).join(" + ");
      const touches = steps.map(({ kind, key }) => ({ key, isWrite: kind !== "expect" }));
      return this.#step(actor, label, touches, () => {
        const outcome = this.#transact(steps);
        this.#seen.set(actor, this.#moments.length - 1);
        return outcome;
      });
    };
    return { ...this.storeOf(actor), transact };
  }

  /** A store whose operations wait for `perform`. */
  storeOf(actor: string): Store {
    const read = <T>(label: string, touch: Touch, act: () => T): Promise<T> =>
      this.#step(actor, label, [touch], act);
    const write = (verb: string, key: string, act: () => WriteOutcome): Promise<WriteOutcome> =>
      this.#step(actor, `${verb} ${key}`, [{ key, isWrite: true }], () => this.#wrote(actor, act()));
    return {
      get: (key) => read(`get ${key}`, { key, isWrite: false }, () => this.#viewOf(actor).get(key)),
      list: (prefix) =>
        read(`list ${prefix}`, { key: prefix, isPrefix: true, isWrite: false }, () =>
          list(this.#viewOf(actor), prefix),
        ),
      create: (key, value) => write("create", key, () => this.#create(key, value)),
      update: (key, value, revision) => write("update", key, () => this.#update(key, value, revision)),
      delete: (key, revision) => write("delete", key, () => this.#delete(key, revision)),
      watch: () => {
        throw new Error("nobody watches here");
      },
      close: () => Promise.resolve(),
    };
  }

  /** A store that answers at once: for preparing a world and for cleaning up after it. */
  immediateStore(): Store {
    return {
      get: async (key) => this.#now().get(key),
      list: async (prefix) => list(this.#now(), prefix),
      create: async (key, value) => this.#create(key, value),
      update: async (key, value, revision) => this.#update(key, value, revision),
      delete: async (key, revision) => this.#delete(key, revision),
      watch: () => {
        throw new Error("nobody watches here");
      },
      close: () => Promise.resolve(),
    };
  }

  #step<T>(actor: string, label: string, touches: readonly Touch[], act: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.crashed.has(actor)) return;
      const history = this.#histories.get(actor) ?? [];
      this.#histories.set(actor, history);
      const turn = history.push(`${label} …`) - 1;
      const perform = (): void => {
        const result = act();
        history[turn] = `${label} → ${JSON.stringify(result)}`;
        resolve(result);
      };
      const fail = (happens: boolean): void => {
        if (happens) act();
        history[turn] = `${label} fails`;
        reject(new StoreError("unavailable", "the store is away"));
      };
      this.#pending.push({ name: `${actor} ${turn} ${label}`, actor, label, touches, perform, fail });
    });
  }

  /** What a read sees: maybe not the newest, never older than what the actor has seen or written before. */
  #viewOf(actor: string): ReadonlyMap<string, Entry> {
    const newest = this.#moments.length - 1;
    const moment = this.#readMoment(this.#seen.get(actor) ?? 0, newest);
    this.#seen.set(actor, moment);
    return this.#moments[moment] ?? new Map();
  }

  /** A write shows the writer what is now, also when it fails. */
  #wrote(actor: string, outcome: WriteOutcome): WriteOutcome {
    this.#seen.set(actor, this.#moments.length - 1);
    return outcome;
  }

  #now(): ReadonlyMap<string, Entry> {
    return this.#moments.at(-1) ?? new Map();
  }

  #create(key: string, value: string): WriteOutcome {
    const current = this.#now().get(key);
    return current === undefined ? this.#put(key, value) : { kind: "exists", current };
  }

  #update(key: string, value: string, revision: Revision): WriteOutcome {
    const current = this.#now().get(key);
    if (current === undefined) return { kind: "missing" };
    if (current.revision !== revision) return { kind: "conflict", current };
    const isElided = this.#manner.elidesSameValues === true && current.value === value;
    return isElided ? { kind: "ok", entry: current } : this.#put(key, value);
  }

  #delete(key: string, revision?: Revision): WriteOutcome {
    const current = this.#now().get(key);
    if (current === undefined) return { kind: "missing" };
    if (revision !== undefined && current.revision !== revision) return { kind: "conflict", current };
    const next = new Map(this.#now());
    next.delete(key);
    this.#moments.push(next);
    return { kind: "ok", entry: current };
  }

  #transact(steps: readonly TransactionStep[]): TransactionOutcome {
    const current = steps.map(({ key }) => this.#now().get(key));
    const holds = steps.every((step, index) =>
      step.kind === "create" ? current[index] === undefined : current[index]?.revision === step.revision,
    );
    if (!holds) return { kind: "refused", current };
    // One revision for all keys that is new to each of them.
    const version = Math.max(0, ...steps.map(({ key }) => this.#versions.get(key) ?? 0)) + 1;
    const revision = Revision.of(String(version));
    const next = new Map(this.#now());
    for (const step of steps) {
      if (step.kind === "delete") next.delete(step.key);
      if (step.kind !== "create" && step.kind !== "update") continue;
      this.#versions.set(step.key, version);
      next.set(step.key, { key: step.key, value: step.value, revision });
    }
    this.#moments.push(next);
    return { kind: "ok", revision };
  }

  /** Revisions count per key, so that independent writes lead to equal states in either order. */
  #put(key: string, value: string): WriteOutcome {
    const version = (this.#versions.get(key) ?? 0) + 1;
    this.#versions.set(key, version);
    const entry = { key, value, revision: Revision.of(String(version)) };
    this.#moments.push(new Map(this.#now()).set(key, entry));
    return { kind: "ok", entry };
  }
}

function digest(parts: readonly string[]): string {
  return createHash("sha1").update(parts.join("\n")).digest("base64");
}

function list(view: ReadonlyMap<string, Entry>, prefix: string): Listing {
  const entries = [...view.values()].filter(({ key }) => key.startsWith(prefix));
  return { revision: Revision.of("0"), entries: entries.toSorted((a, b) => (a.key < b.key ? -1 : 1)) };
}
