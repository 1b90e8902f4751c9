import { type Entry, Revision, type WriteOutcome } from "@caracal/datastore";
import type { ApiObject } from "../api/api-object.ts";
import type { Address, ApiResource, ObjectApi } from "../api/object-api.ts";

/** A key of the store's layout and its value, which an object stands for. */
export interface Keyed {
  readonly key: string;
  readonly value: string;
  /** As Calico shows it, where others ask for it. */
  readonly uid?: string;
}

/** The objects of one kind of the API server as entries of the store. */
export interface Collection {
  readonly resource: ApiResource;
  /** What every key of it begins with. */
  readonly prefix: string;
  /** The object that a key names; undefined for a key of another collection. */
  readonly address: (key: string) => Address | undefined;
  /** The namespace that all keys with a prefix are in, when there is but one. */
  readonly namespaceOf?: (prefix: string) => string | undefined;
  /** Whether no key with a prefix is in it, although it is compatible with the collection's own. */
  readonly excludes?: (prefix: string) => boolean;
  /** Undefined for an object that is no entry. */
  readonly read: (object: ApiObject) => Keyed | undefined;
  /** The object is no entry any more: only its removal is left to be done. */
  readonly isDeleted?: (object: ApiObject) => boolean;
  /** An object's version as a revision; the same text unless told. */
  readonly revision?: (resourceVersion: string) => string;
  readonly writer: (api: ObjectApi) => CollectionWriter;
}

/** Changes entries of one collection. */
export interface CollectionWriter {
  create(key: string, value: string): Promise<WriteOutcome>;
  update(key: string, value: string, revision: Revision): Promise<WriteOutcome>;
  delete(key: string, revision: Revision | undefined): Promise<WriteOutcome>;
  /** Does what is left of a delete that stopped halfway. */
  finishDelete?(object: ApiObject): Promise<void>;
}

/** The entry that an object is; undefined when it is none. */
export function entryOf(collection: Collection, object: ApiObject): Entry | undefined {
  if (collection.isDeleted?.(object) === true) return undefined;
  const keyed = collection.read(object);
  if (keyed === undefined) return undefined;
  const revision = collection.revision?.(object.resourceVersion) ?? object.resourceVersion;
  return { ...keyed, revision: Revision.of(revision) };
}

/** Whether entries with that prefix may be among the collection's. */
export function mayHold({ prefix, excludes }: Collection, wanted: string): boolean {
  return (prefix.startsWith(wanted) || wanted.startsWith(prefix)) && excludes?.(wanted) !== true;
}
