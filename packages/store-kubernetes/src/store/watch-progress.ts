import { Revision, StoreError, type StoreEvent } from "@caracal/datastore";
import { parseAnswer } from "../api/api-client.ts";
import { type ApiObject, readApiObject } from "../api/api-object.ts";
import { fields, text } from "../api/json-fields.ts";
import { type Collection, entryOf } from "../collections/collection.ts";

/** How far a watch has come, and what its lines mean for the store. */
export class WatchProgress {
  readonly #collection: Collection;
  readonly #prefix: string;
  /** Objects whose delete has been told, because they were marked, and that are still there. */
  readonly #marked = new Set<string>();
  #version: string;

  constructor(collection: Collection, prefix: string, version: string) {
    this.#collection = collection;
    this.#prefix = prefix;
    this.#version = version;
  }

  /** Everything up to it has been told. */
  get version(): string {
    return this.#version;
  }

  /**
   * The events of lines that came together, up to the first that is a failure: "compacted" when the server forgot the version. What
   * came before it counts: the next stream does not tell it again.
   */
  take(
    lines: readonly string[],
    where: string,
  ): { readonly events: readonly StoreEvent[]; readonly failure?: StoreError } {
    const events: StoreEvent[] = [];
    for (const line of lines) {
      const taken = this.#takeLine(line, where);
      if (taken instanceof StoreError) return { events, failure: taken };
      if (taken !== undefined) events.push(taken);
    }
    return { events };
  }

  #takeLine(line: string, where: string): StoreEvent | StoreError | undefined {
    const { type, object } = fields(parseAnswer(line, this.#collection.resource.hasBigNumbers ?? false));
    if (type === "ERROR") return failureOf(object, where);
    if (type === "BOOKMARK") {
      this.#version = text(fields(fields(object)["metadata"])["resourceVersion"]) ?? this.#version;
      return undefined;
    }
    const found = readApiObject(object);
    if (found === undefined || (type !== "ADDED" && type !== "MODIFIED" && type !== "DELETED")) {
      return new StoreError("unavailable", `${where}: it does not answer as a Kubernetes API server does`);
    }
    this.#version = found.resourceVersion;
    return this.#event(type, found);
  }

  #event(type: "ADDED" | "MODIFIED" | "DELETED", object: ApiObject): StoreEvent | undefined {
    const isMarked = this.#collection.isDeleted?.(object) === true;
    if (isMarked && type === "MODIFIED" && !this.#marked.has(object.uid)) {
      this.#marked.add(object.uid);
      return this.#deletion(object);
    }
    if (type === "DELETED") {
      this.#marked.delete(object.uid);
      // The mark was told when it was set, or the listing before this watch left the object out.
      return isMarked ? undefined : this.#deletion(object);
    }
    if (isMarked) return undefined;
    this.#marked.delete(object.uid);
    const entry = entryOf(this.#collection, object);
    if (entry?.key.startsWith(this.#prefix) !== true) return undefined;
    return { kind: "put", entry, created: type === "ADDED" };
  }

  #deletion(object: ApiObject): StoreEvent | undefined {
    const key = this.#collection.read(object)?.key;
    if (key?.startsWith(this.#prefix) !== true) return undefined;
    return { kind: "delete", key, revision: Revision.of(object.resourceVersion) };
  }
}

function failureOf(status: unknown, where: string): StoreError {
  const { code, message } = fields(status);
  const reason = text(message) ?? "no reason given";
  if (code === 410) return new StoreError("compacted", reason);
  if (code === 401 || code === 403) return new StoreError("unauthorized", reason);
  return new StoreError("unavailable", `${where}: ${reason}`);
}
