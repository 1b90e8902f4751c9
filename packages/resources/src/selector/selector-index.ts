import type { Selector } from "./ast.ts";
import { type Labels, matchesSelector } from "./evaluate.ts";
import { formatSelector } from "./format.ts";
import { LabelBuckets } from "./label-buckets.ts";
import { labelsOf, type Requirement, type Restriction, restrictionOf } from "./restriction.ts";

/** A selector that began to match an item, or stopped. */
export interface MatchChange<S, I> {
  readonly kind: "started" | "stopped";
  readonly selector: S;
  readonly item: I;
}

/** One selector, however many ask for it: equal canonical texts are tried once. */
interface Entry<S, I> {
  readonly text: string;
  readonly selector: Selector;
  readonly labels: ReadonlySet<string>;
  readonly restriction: Restriction;
  readonly ids: Set<S>;
  readonly items: Set<Item<S, I>>;
}

interface Item<S, I> {
  readonly id: I;
  labels: Labels;
  matches: Set<Entry<S, I>>;
}

/**
 * Which selectors match which labelled items, kept as both change. A selector is filed under a label, and a value where it
 * can be, without which it cannot match; a change of labels tries only those filed under what the item has, and a new
 * selector only the items that have what it asks for. Selectors that ask for nothing, `all()` or `a != 'x'`, are tried always:
 * they match most of the time.
 */
export class SelectorIndex<S, I> {
  readonly #entries = new Map<string, Entry<S, I>>();
  readonly #textOf = new Map<S, string>();
  readonly #items = new Map<I, Item<S, I>>();
  readonly #filed = new LabelBuckets<Entry<S, I>>();
  readonly #unfiled = new Set<Entry<S, I>>();
  readonly #itemsBy = new LabelBuckets<Item<S, I>>();

  /** Adds a selector or changes it. */
  setSelector(id: S, selector: Selector): readonly MatchChange<S, I>[] {
    const text = formatSelector(selector);
    const before = this.#textOf.get(id);
    if (before === text) return [];
    const known = this.#entries.get(text);
    const entry = known ?? this.#fileEntry(text, selector);
    const old = before === undefined ? undefined : this.#entries.get(before);
    const changes: MatchChange<S, I>[] = [];
    for (const item of old?.items ?? []) {
      if (!entry.items.has(item)) changes.push({ kind: "stopped", selector: id, item: item.id });
    }
    for (const item of entry.items) {
      if (old?.items.has(item) !== true) changes.push({ kind: "started", selector: id, item: item.id });
    }
    if (old !== undefined) this.#leave(old, id);
    entry.ids.add(id);
    this.#textOf.set(id, text);
    return changes;
  }

  deleteSelector(id: S): readonly MatchChange<S, I>[] {
    const text = this.#textOf.get(id);
    const entry = text === undefined ? undefined : this.#entries.get(text);
    if (entry === undefined) return [];
    const changes = [...entry.items].map((item): MatchChange<S, I> => ({
      kind: "stopped",
      selector: id,
      item: item.id,
    }));
    this.#textOf.delete(id);
    this.#leave(entry, id);
    return changes;
  }

  /** Adds an item or changes its labels. */
  setLabels(id: I, labels: Labels): readonly MatchChange<S, I>[] {
    const item = this.#items.get(id);
    if (item === undefined) return this.#addItem(id, labels);
    const changed = changedLabels(item.labels, labels);
    if (changed.length === 0) return [];
    for (const label of changed) {
      this.#fileItem(item, label, "delete");
    }
    item.labels = labels;
    for (const label of changed) this.#fileItem(item, label, "add");
    const before = item.matches;
    item.matches = new Set();
    this.#eachCandidate(labels, (entry) => {
      const isAffected = changed.some((label) => entry.labels.has(label));
      const isMatch = isAffected ? matchesSelector(entry.selector, labels) : before.has(entry);
      if (isMatch) item.matches.add(entry);
    });
    return this.#settle(item, before);
  }

  deleteItem(id: I): readonly MatchChange<S, I>[] {
    const item = this.#items.get(id);
    if (item === undefined) return [];
    this.#items.delete(id);
    for (const label of Object.keys(item.labels)) this.#fileItem(item, label, "delete");
    const before = item.matches;
    item.matches = new Set();
    return this.#settle(item, before);
  }

  /** The selectors that match labels which need not be an item's. */
  selectorsMatching(labels: Labels): readonly S[] {
    const found: S[] = [];
    this.#eachCandidate(labels, (entry) => {
      if (matchesSelector(entry.selector, labels)) found.push(...entry.ids);
    });
    return found;
  }

  /** The items that a selector of the index matches. */
  itemsMatching(id: S): readonly I[] {
    const text = this.#textOf.get(id);
    const entry = text === undefined ? undefined : this.#entries.get(text);
    return [...(entry?.items ?? [])].map((item) => item.id);
  }

  #addItem(id: I, labels: Labels): readonly MatchChange<S, I>[] {
    const item: Item<S, I> = { id, labels, matches: new Set() };
    this.#items.set(id, item);
    for (const label of Object.keys(labels)) this.#fileItem(item, label, "add");
    this.#eachCandidate(labels, (entry) => {
      if (matchesSelector(entry.selector, labels)) item.matches.add(entry);
    });
    return this.#settle(item, new Set());
  }

  /** Brings the entries' side in line with the item's, and says what changed. */
  #settle(item: Item<S, I>, before: ReadonlySet<Entry<S, I>>): readonly MatchChange<S, I>[] {
    const changes: MatchChange<S, I>[] = [];
    for (const entry of before) {
      if (item.matches.has(entry)) continue;
      entry.items.delete(item);
      for (const selector of entry.ids) changes.push({ kind: "stopped", selector, item: item.id });
    }
    for (const entry of item.matches) {
      if (before.has(entry)) continue;
      entry.items.add(item);
      for (const selector of entry.ids) changes.push({ kind: "started", selector, item: item.id });
    }
    return changes;
  }

  /** Every entry that may match, each once. */
  #eachCandidate(labels: Labels, visit: (entry: Entry<S, I>) => void): void {
    for (const entry of this.#unfiled) visit(entry);
    const seen = new Set<Entry<S, I>>();
    for (const [label, value] of Object.entries(labels)) {
      for (const requirement of [{ label, value }, { label }]) {
        for (const entry of this.#filed.at(requirement) ?? []) {
          // One that is filed in several places may be found in several.
          if (entry.restriction !== undefined && entry.restriction.length > 1) {
            if (seen.has(entry)) continue;
            seen.add(entry);
          }
          visit(entry);
        }
      }
    }
  }

  #fileEntry(text: string, selector: Selector): Entry<S, I> {
    const restriction = restrictionOf(selector, (requirement) => this.#cost(requirement));
    const labels = labelsOf(selector);
    const entry: Entry<S, I> = { text, selector, labels, restriction, ids: new Set(), items: new Set() };
    this.#entries.set(text, entry);
    if (restriction === undefined) this.#unfiled.add(entry);
    for (const requirement of restriction ?? []) this.#filed.add(requirement, entry);
    for (const item of this.#itemsFor(restriction)) {
      if (!matchesSelector(selector, item.labels)) continue;
      entry.items.add(item);
      item.matches.add(entry);
    }
    return entry;
  }

  /** Selectors and items that would have to be tried against each other there; a label's mere presence is shared by most. */
  #cost(requirement: Requirement): number {
    const breadth = requirement.value === undefined ? presenceCost : 1;
    return breadth + this.#filed.size(requirement) + this.#itemsBy.size(requirement);
  }

  #itemsFor(restriction: Restriction): Iterable<Item<S, I>> {
    if (restriction === undefined) return this.#items.values();
    const found = new Set<Item<S, I>>();
    for (const requirement of restriction) {
      for (const item of this.#itemsBy.at(requirement) ?? []) found.add(item);
    }
    return found;
  }

  /** One who asked for an entry asks no more; nobody left, it goes. */
  #leave(entry: Entry<S, I>, id: S): void {
    entry.ids.delete(id);
    if (entry.ids.size > 0) return;
    this.#entries.delete(entry.text);
    this.#unfiled.delete(entry);
    for (const requirement of entry.restriction ?? []) this.#filed.delete(requirement, entry);
    for (const item of entry.items) item.matches.delete(entry);
  }

  #fileItem(item: Item<S, I>, label: string, action: "add" | "delete"): void {
    const value = Object.hasOwn(item.labels, label) ? item.labels[label] : undefined;
    if (value === undefined) return;
    this.#itemsBy[action]({ label, value }, item);
    this.#itemsBy[action]({ label }, item);
  }
}

/** What a label without a value is taken to cost before anything is filed under it. */
const presenceCost = 8;

/** The labels that are in one only, or have another value in the other. */
function changedLabels(before: Labels, after: Labels): readonly string[] {
  const changed = Object.keys(before).filter(
    (label) => !Object.hasOwn(after, label) || before[label] !== after[label],
  );
  for (const label of Object.keys(after)) if (!Object.hasOwn(before, label)) changed.push(label);
  return changed;
}
