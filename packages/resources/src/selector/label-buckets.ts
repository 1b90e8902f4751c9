import type { Requirement } from "./restriction.ts";

/** Members filed under labels: under a value each, and under the label whatever its value. */
interface Drawer<M> {
  readonly byValue: Map<string, Set<M>>;
  readonly present: Set<M>;
}

/** A multimap from requirements to members; empty places are taken away again. */
export class LabelBuckets<M> {
  readonly #drawers = new Map<string, Drawer<M>>();

  add({ label, value }: Requirement, member: M): void {
    let drawer = this.#drawers.get(label);
    if (drawer === undefined) {
      drawer = { byValue: new Map(), present: new Set() };
      this.#drawers.set(label, drawer);
    }
    if (value === undefined) {
      drawer.present.add(member);
      return;
    }
    const bucket = drawer.byValue.get(value);
    if (bucket === undefined) drawer.byValue.set(value, new Set([member]));
    else bucket.add(member);
  }

  delete({ label, value }: Requirement, member: M): void {
    const drawer = this.#drawers.get(label);
    if (drawer === undefined) return;
    if (value === undefined) drawer.present.delete(member);
    else {
      const bucket = drawer.byValue.get(value);
      bucket?.delete(member);
      if (bucket?.size === 0) drawer.byValue.delete(value);
    }
    if (drawer.present.size === 0 && drawer.byValue.size === 0) this.#drawers.delete(label);
  }

  /** Members filed under exactly this. */
  at({ label, value }: Requirement): ReadonlySet<M> | undefined {
    const drawer = this.#drawers.get(label);
    return value === undefined ? drawer?.present : drawer?.byValue.get(value);
  }

  size(requirement: Requirement): number {
    return this.at(requirement)?.size ?? 0;
  }
}
