import { type Entry, type Revision, StoreError, type WriteOutcome } from "@caracal/datastore";
import type { ApiObject } from "../api/api-object.ts";
import type { JsonObject } from "../api/json-fields.ts";
import type { Address, ObjectApi } from "../api/object-api.ts";
import { type Collection, type CollectionWriter, entryOf } from "./collection.ts";
import { checkVersion } from "./revision-check.ts";

/** How a collection's values become objects. */
export interface ObjectForm {
  /** The object without its version. Throws `StoreError` "invalid" for a value that cannot be one. */
  readonly build: (key: string, value: string, address: Address) => JsonObject;
  /** For objects of which the value is only a part: what is built, with the rest of what is there. */
  readonly amend?: (current: JsonObject, built: JsonObject) => JsonObject;
  /** For kinds that are deleted in two steps: the object marked as deleted. */
  readonly markDeleted?: (document: JsonObject) => JsonObject;
}

/** Attempts of a change that was not told a version, when others write at the same time. */
const maxAttempts = 5;

/**
 * Entries that are whole objects of their own: created, replaced at a version, and deleted. The API server compares the
 * version on PUT, and version and uid on DELETE.
 */
export class ObjectWriter implements CollectionWriter {
  readonly #api: ObjectApi;
  readonly #collection: Collection;
  readonly #form: ObjectForm;

  constructor(api: ObjectApi, collection: Collection, form: ObjectForm) {
    this.#api = api;
    this.#collection = collection;
    this.#form = form;
  }

  async create(key: string, value: string): Promise<WriteOutcome> {
    const address = this.#address(key);
    const body = this.#form.build(key, value, address);
    for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
      const answer = await this.#api.create(body, address.namespace);
      if (answer.kind === "ok") return this.#written(key, answer.object, body);
      const current = await this.#api.get(address);
      // It went between the two requests, or someone has begun to delete it.
      if (current === undefined) continue;
      if (this.#isDeleted(current)) await this.finishDelete(current);
      else return { kind: "exists", current: this.#entry(key, current) };
    }
    throw this.#tooMany(key);
  }

  async update(key: string, value: string, revision: Revision): Promise<WriteOutcome> {
    const address = this.#address(key);
    const resourceVersion = checkVersion(revision);
    // Kubernetes' API conventions: version 0 means any, which is not what a caller that names a revision wants.
    if (resourceVersion === "0") return this.#refusal(key, address);
    const built = this.#form.build(key, value, address);
    const current = this.#form.amend === undefined ? undefined : await this.#api.get(address);
    const amended = current === undefined ? built : (this.#form.amend?.(current.document, built) ?? built);
    const body = withVersion(amended, resourceVersion);
    const answer = await this.#api.replace(address, body);
    if (answer.kind === "ok") return this.#written(key, answer.object, body);
    return answer.kind === "missing" ? { kind: "missing" } : this.#refusal(key, address);
  }

  async delete(key: string, revision: Revision | undefined): Promise<WriteOutcome> {
    const address = this.#address(key);
    const version = revision === undefined ? undefined : checkVersion(revision);
    for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
      const current = await this.#api.get(address);
      if (current === undefined) return { kind: "missing" };
      const entry = await this.#shown(current);
      if (entry === undefined || entry.key !== key) return { kind: "missing" };
      if (version !== undefined && current.resourceVersion !== version) {
        return { kind: "conflict", current: entry };
      }
      const done = await this.#remove(address, current);
      if (done === "missing") return { kind: "missing" };
      if (done === "ok") return { kind: "ok", entry };
    }
    throw this.#tooMany(key);
  }

  async finishDelete(object: ApiObject): Promise<void> {
    const { uid, resourceVersion } = object;
    // Whoever changed it meanwhile has seen the mark: what they left is theirs to finish.
    await this.#api.remove(object, { uid, resourceVersion });
  }

  async #remove(address: Address, current: ApiObject): Promise<"ok" | "conflict" | "missing"> {
    const { uid, resourceVersion } = current;
    const { markDeleted } = this.#form;
    if (markDeleted === undefined) return this.#api.remove(address, { uid, resourceVersion });
    // Calico's rule for what IPAM compares and swaps: the mark is the delete; removing the object only tidies up.
    const marked = await this.#api.replace(address, markDeleted(current.document));
    if (marked.kind === "ok") await this.finishDelete(marked.object);
    return marked.kind === "exists" ? "conflict" : marked.kind;
  }

  async #refusal(key: string, address: Address): Promise<WriteOutcome> {
    const current = await this.#api.get(address);
    const entry = current === undefined ? undefined : await this.#shown(current);
    return entry === undefined || entry.key !== key
      ? { kind: "missing" }
      : { kind: "conflict", current: entry };
  }

  async #shown(object: ApiObject): Promise<Entry | undefined> {
    if (!this.#isDeleted(object)) return entryOf(this.#collection, object);
    await this.finishDelete(object);
    return undefined;
  }

  /** A status that is a resource of its own is left out of what was written, and follows. */
  async #written(key: string, object: ApiObject, body: JsonObject): Promise<WriteOutcome> {
    const { status } = body;
    const isWritten =
      status === undefined || JSON.stringify(status) === JSON.stringify(object.document["status"]);
    if (isWritten) return { kind: "ok", entry: this.#entry(key, object) };
    const answer = await this.#api.replace(object, { ...object.document, status }, "status");
    return { kind: "ok", entry: this.#entry(key, answer.kind === "ok" ? answer.object : object) };
  }

  #isDeleted(object: ApiObject): boolean {
    return this.#collection.isDeleted?.(object) === true;
  }

  #entry(key: string, object: ApiObject): Entry {
    const entry = entryOf(this.#collection, object);
    if (entry?.key === key) return entry;
    const { kind } = this.#api.resource;
    throw new StoreError(
      "invalid",
      `${key} would be ${kind} ${object.name}, which is taken by another entry`,
    );
  }

  #address(key: string): Address {
    const address = this.#collection.address(key);
    if (address === undefined)
      throw new StoreError("invalid", `${key} is no key of the Kubernetes datastore`);
    return address;
  }

  #tooMany(key: string): StoreError {
    return new StoreError(
      "unavailable",
      `${key} was changed by others during each of ${maxAttempts} attempts`,
    );
  }
}

function withVersion(document: JsonObject, resourceVersion: string): JsonObject {
  const { metadata } = document;
  return { ...document, metadata: { ...(typeof metadata === "object" ? metadata : {}), resourceVersion } };
}
