import type { RouteSnapshot } from "@caracal/bgp";

/** Routes in one answer: below a control line's bound with the longest attributes that a message can carry. */
const pageRoutes = 250;
/** Listings that clients may be in the middle of; beginning one more drops the oldest. */
const maxListings = 4;
/** A client that asks for nothing for this long is gone. */
const idleMs = 30_000;

interface Listing {
  readonly routes: readonly RouteSnapshot[];
  readonly timer: NodeJS.Timeout;
}

/** Part of a listing; `next` asks for the rest. */
export interface RoutePage {
  readonly routes: readonly RouteSnapshot[];
  readonly next?: string;
}

/** Long listings in parts, each listing as the table was when it began. */
export class RoutePages {
  readonly #listings = new Map<string, Listing>();
  #lastId = 0;

  begin(routes: readonly RouteSnapshot[]): RoutePage {
    if (routes.length <= pageRoutes) return { routes };
    this.#lastId += 1;
    const id = String(this.#lastId);
    const [oldest] = this.#listings.keys();
    if (oldest !== undefined && this.#listings.size >= maxListings) this.#drop(oldest);
    const timer = setTimeout(() => this.#drop(id), idleMs).unref();
    this.#listings.set(id, { routes, timer });
    return this.#page(id, routes, 0);
  }

  /** The part that `next` of the part before asked for, or `undefined` when the listing was dropped. */
  continue(cursor: string): RoutePage | undefined {
    const [id = "", offset] = cursor.split(":");
    const listing = this.#listings.get(id);
    listing?.timer.refresh();
    return listing === undefined ? undefined : this.#page(id, listing.routes, Number(offset));
  }

  #page(id: string, routes: readonly RouteSnapshot[], from: number): RoutePage {
    const end = from + pageRoutes;
    const page = routes.slice(from, end);
    if (end < routes.length) return { routes: page, next: `${id}:${end}` };
    this.#drop(id);
    return { routes: page };
  }

  #drop(id: string): void {
    clearTimeout(this.#listings.get(id)?.timer);
    this.#listings.delete(id);
  }
}
