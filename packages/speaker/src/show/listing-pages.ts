/** Entries in one answer. */
const pageEntries = 250;
/** Characters in one answer, or little more: with the longest attributes that a message can carry, a control line holds it. */
const pageCharacters = 1 << 20;
/** Listings that clients may be in the middle of; beginning one more drops the oldest. */
const maxListings = 4;
/** A client that asks for nothing for this long is gone. */
const idleMs = 30_000;

/** A listing as it is read; `undefined` is a pause. */
type Entries = Iterator<unknown, void, undefined>;

interface Listing {
  readonly entries: Entries;
  readonly timer: NodeJS.Timeout;
  /** What the next request must say: asked twice, a part would be lost. */
  cursor: string;
}

/** Part of a listing; `next` asks for the rest. A part may be empty. */
export interface ListingPage {
  readonly entries: readonly unknown[];
  readonly next?: string;
}

/** Long listings in parts, each read from the table when it is asked for, so that no part holds the speaker up. */
export class ListingPages {
  readonly #listings = new Map<string, Listing>();
  #lastId = 0;

  begin(entries: Iterable<unknown, void, undefined>): ListingPage {
    const iterator = entries[Symbol.iterator]();
    const page = readPage(iterator);
    if (page.isLast) return { entries: page.entries };
    this.#lastId += 1;
    const id = String(this.#lastId);
    const [oldest] = this.#listings.keys();
    if (oldest !== undefined && this.#listings.size >= maxListings) this.#drop(oldest);
    const timer = setTimeout(() => this.#drop(id), idleMs).unref();
    const cursor = `${id}:1`;
    this.#listings.set(id, { entries: iterator, timer, cursor });
    return { entries: page.entries, next: cursor };
  }

  /** The part that `next` of the part before asked for, or `undefined` when the listing was dropped. */
  continue(cursor: string): ListingPage | undefined {
    const [id = "", part] = cursor.split(":");
    const listing = this.#listings.get(id);
    if (listing?.cursor !== cursor) return undefined;
    listing.timer.refresh();
    const page = readPage(listing.entries);
    if (page.isLast) {
      this.#drop(id);
      return { entries: page.entries };
    }
    listing.cursor = `${id}:${Number(part) + 1}`;
    return { entries: page.entries, next: listing.cursor };
  }

  #drop(id: string): void {
    const listing = this.#listings.get(id);
    clearTimeout(listing?.timer);
    this.#listings.delete(id);
  }
}

function readPage(iterator: Entries): { readonly entries: readonly unknown[]; readonly isLast: boolean } {
  const entries: unknown[] = [];
  let characters = 0;
  while (entries.length < pageEntries && characters < pageCharacters) {
    const { value, done } = iterator.next();
    if (done === true) return { entries, isLast: true };
    if (value === undefined) break;
    entries.push(value);
    characters += JSON.stringify(value).length;
  }
  return { entries, isLast: false };
}
