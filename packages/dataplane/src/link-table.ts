import { Iff, type Link } from "@caracal/netlink";

/** What a link notice means for routes. */
export type LinkEffect =
  /** An interface that routes may wait for is there or is up. */
  | "gained"
  /** An interface lost its routes: it went, went down or has another name. */
  | "lost"
  | "none";

/** The interfaces of a namespace by name and index. */
export class LinkTable {
  readonly #byIndex = new Map<number, Link>();
  readonly #byName = new Map<string, Link>();

  constructor(links: Iterable<Link> = []) {
    for (const link of links) this.#set(link);
  }

  index(name: string): number | undefined {
    return this.#byName.get(name)?.index;
  }

  name(index: number): string | undefined {
    return this.#byIndex.get(index)?.name;
  }

  /** Takes a notice in and says what it means. */
  absorb(link: Link, gone: boolean): LinkEffect {
    const before = this.#byIndex.get(link.index);
    if (before !== undefined) {
      this.#byIndex.delete(link.index);
      // Another interface may have got the name in the meantime.
      if (this.#byName.get(before.name) === before) this.#byName.delete(before.name);
    }
    if (gone) return before === undefined ? "none" : "lost";
    this.#set(link);
    if (before === undefined) return "gained";
    if (before.name !== link.name || (isUp(before) && !isUp(link))) return "lost";
    return isUp(link) && !isUp(before) ? "gained" : "none";
  }

  #set(link: Link): void {
    this.#byIndex.set(link.index, link);
    this.#byName.set(link.name, link);
  }
}

function isUp(link: Link): boolean {
  return (link.flags & Iff.IFF_UP) !== 0;
}
