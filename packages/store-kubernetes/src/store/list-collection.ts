import { type Entry, StoreError } from "@caracal/datastore";
import type { ObjectApi } from "../api/object-api.ts";
import { type Collection, entryOf } from "../collections/collection.ts";

/** Listings begun anew because they expired between two pages. */
const maxRestarts = 5;

/** All entries of a collection at one moment; undefined when the server does not know the kind. */
export interface CollectionListing {
  readonly resourceVersion: string;
  readonly entries: readonly Entry[];
}

/** Lists a collection page by page, all of them as of the first. */
export async function listCollection(
  api: ObjectApi,
  collection: Collection,
  prefix: string,
): Promise<CollectionListing | undefined> {
  const namespace = collection.namespaceOf?.(prefix);
  for (let restarts = 0; restarts <= maxRestarts; restarts += 1) {
    const listing = await listOnce(api, collection, prefix, namespace);
    if (listing !== "expired") return listing;
  }
  const { plural } = collection.resource;
  throw new StoreError("unavailable", `the listing of ${plural} expired each of ${maxRestarts + 1} times`);
}

async function listOnce(
  api: ObjectApi,
  collection: Collection,
  prefix: string,
  namespace: string | undefined,
): Promise<CollectionListing | "expired" | undefined> {
  const entries: Entry[] = [];
  let next: string | undefined;
  for (;;) {
    const page = await api.page(namespace, next);
    if (page === undefined || page === "expired") return page;
    for (const object of page.objects) {
      const entry = entryOf(collection, object);
      if (entry?.key.startsWith(prefix) === true) entries.push(entry);
    }
    if (page.next === undefined) return { resourceVersion: page.resourceVersion, entries };
    next = page.next;
  }
}
