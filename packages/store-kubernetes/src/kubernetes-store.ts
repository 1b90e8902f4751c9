import type { Cancellation } from "@caracal/net";
import {
  compareKeys,
  type Entry,
  keys,
  type Listing,
  type Revision,
  type Store,
  StoreError,
  type StoreEvent,
  type WriteOutcome,
} from "@caracal/datastore";
import { isKindName, kinds } from "@caracal/resources";
import { ApiClient } from "./api/api-client.ts";
import type { ApiServer } from "./api/api-server.ts";
import { ObjectApi } from "./api/object-api.ts";
import { catalogue } from "./collections/catalogue.ts";
import { type Collection, type CollectionWriter, entryOf, mayHold } from "./collections/collection.ts";
import { type Operation, unsupported } from "./collections/read-only-writer.ts";
import type { ApiGroup } from "./collections/resource-collections.ts";
import { discover } from "./store/discover.ts";
import { listCollection } from "./store/list-collection.ts";
import { mergeWatches } from "./store/merge-watches.ts";
import { joinRevision, splitRevision } from "./store/revision-parts.ts";
import { watchCollection } from "./store/watch-collection.ts";

/** As for etcd: a request that has no answer by then has failed. */
const defaultRequestTimeoutMs = 10_000;

export interface KubernetesStoreOptions {
  readonly server: ApiServer;
  /** Where Calico's resources are; what the server has unless told. */
  readonly apiGroup?: ApiGroup;
  readonly requestTimeoutMs?: number;
}

/** One collection, and how it is reached. */
interface Shelf {
  readonly collection: Collection;
  readonly api: ObjectApi;
  readonly writer: CollectionWriter;
}

/** The `Store` port over a Kubernetes API server: Calico's keys on the outside, objects of the API inside. */
export class KubernetesStore implements Store {
  readonly #client: ApiClient;
  readonly #apiGroup: ApiGroup | undefined;
  #shelves: Promise<readonly Shelf[]> | undefined;

  /** Connects when first used. A URL that makes no sense throws `StoreError` "invalid". */
  constructor({ server, apiGroup, requestTimeoutMs }: KubernetesStoreOptions) {
    if (!URL.canParse(server.url) || !/^https?:/.test(server.url)) {
      throw new StoreError(
        "invalid",
        `'${server.url}' is not the URL of an API server: use https://HOST:PORT`,
      );
    }
    this.#client = new ApiClient(server, requestTimeoutMs ?? defaultRequestTimeoutMs);
    this.#apiGroup = apiGroup;
  }

  async get(key: string): Promise<Entry | undefined> {
    const found = await this.#shelfOf(key);
    const address = found?.collection.address(key);
    if (found === undefined || address === undefined) return undefined;
    const { api, collection, writer } = found;
    const object = await api.get(address);
    if (object === undefined) return undefined;
    if (collection.isDeleted?.(object) === true) {
      await writer.finishDelete?.(object);
      return undefined;
    }
    const entry = entryOf(collection, object);
    return entry?.key === key ? entry : undefined;
  }

  async list(prefix: string): Promise<Listing> {
    const shelves = await this.#shelvesUnder(prefix);
    const listings = await Promise.all(
      shelves.map(({ api, collection }) => listCollection(api, collection, prefix)),
    );
    const entries = listings.flatMap((listing) => listing?.entries ?? []);
    return {
      revision: joinRevision(listings.map((listing) => listing?.resourceVersion)),
      entries: entries.toSorted((a, b) => compareKeys(a.key, b.key)),
    };
  }

  async create(key: string, value: string): Promise<WriteOutcome> {
    return (await this.#writerOf(key, "Create")).create(key, value);
  }

  async update(key: string, value: string, revision: Revision): Promise<WriteOutcome> {
    return (await this.#writerOf(key, "Update")).update(key, value, revision);
  }

  async delete(key: string, revision?: Revision): Promise<WriteOutcome> {
    return (await this.#writerOf(key, "Delete")).delete(key, revision);
  }

  async *watch(
    prefix: string,
    after: Revision,
    signal: Cancellation,
  ): AsyncGenerator<readonly StoreEvent[], void> {
    const shelves = await this.#shelvesUnder(prefix);
    const versions = splitRevision(after, shelves.length);
    const stop = new AbortController();
    const abort = (): void => stop.abort();
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    const { where, closed } = this.#client;
    closed.addEventListener("abort", abort);
    const watches = shelves.map(({ api, collection }, index) =>
      watchCollection({ api, collection, prefix, after: versions[index], signal: stop.signal, where }),
    );
    try {
      yield* mergeWatches(watches);
      if (closed.aborted) throw new StoreError("unavailable", "the store is closed");
    } finally {
      signal.removeEventListener("abort", abort);
      closed.removeEventListener("abort", abort);
      abort();
      await Promise.allSettled(watches.map((watch) => watch.return()));
    }
  }

  /** As the API server answers 404 and 409: `ippools.crd.projectcalico.org "p1" not found`. */
  async wording(key: string, state: "missing" | "exists"): Promise<string | undefined> {
    const found = await this.#shelfOf(key);
    const address = found?.collection.address(key);
    if (found === undefined || address === undefined) return undefined;
    const { plural, group } = found.collection.resource;
    const what = group === "" ? plural : `${plural}.${group}`;
    return `${what} "${address.name}" ${state === "missing" ? "not found" : "already exists"}`;
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  async #writerOf(key: string, operation: Operation): Promise<CollectionWriter> {
    const found = await this.#shelfOf(key);
    if (found !== undefined) return found.writer;
    const named = keys.parse(key);
    const plural = named?.kind === "resource" ? named.plural : undefined;
    const kind = Object.keys(kinds)
      .filter(isKindName)
      .find((name) => kinds[name].plural === plural);
    if (kind !== undefined)
      throw unsupported(operation, kind, key, "Kubernetes has no object that it could be");
    throw new StoreError("invalid", `the Kubernetes datastore has no place for the key ${key}`);
  }

  async #shelfOf(key: string): Promise<Shelf | undefined> {
    const shelves = await this.#all();
    return shelves.find(
      ({ collection }) => key.startsWith(collection.prefix) && collection.address(key) !== undefined,
    );
  }

  async #shelvesUnder(prefix: string): Promise<readonly Shelf[]> {
    const shelves = await this.#all();
    return shelves.filter(({ collection }) => mayHold(collection, prefix));
  }

  async #ask(): Promise<{ readonly shelves: readonly Shelf[]; readonly isCertain: boolean }> {
    const findings = await discover(this.#client, this.#apiGroup);
    const shelves = catalogue(findings).map((collection) => {
      const api = new ObjectApi(this.#client, collection.resource);
      return { collection, api, writer: collection.writer(api) };
    });
    return { shelves, isCertain: findings.isCertain };
  }

  /** What the server has is asked once; a failure is not remembered. */
  #all(): Promise<readonly Shelf[]> {
    if (this.#client.isClosed) throw new StoreError("unavailable", "the store is closed");
    const known = this.#shelves;
    if (known !== undefined) return known;
    const asked = this.#ask();
    this.#shelves = asked.then(({ shelves }) => shelves);
    const forget = (): void => void (this.#shelves = undefined);
    asked.then(({ isCertain }) => (isCertain ? undefined : forget()), forget);
    return this.#shelves;
  }
}
