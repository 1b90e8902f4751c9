import { type Entry, keys, type Revision, StoreError, type WriteOutcome } from "@caracal/datastore";
import { apiVersion } from "@caracal/resources";
import type { ApiObject } from "../api/api-object.ts";
import type { ObjectApi } from "../api/object-api.ts";
import { type Collection, type CollectionWriter, entryOf } from "./collection.ts";
import { calicoNode, nodeAnnotations } from "./node-annotations.ts";
import { unsupported } from "./read-only-writer.ts";
import { resourceAddress } from "./resource-collections.ts";
import { checkVersion } from "./revision-check.ts";
import { readValue } from "./stored-json.ts";

const prefix = keys.resources("nodes");

/** Calico's Node: a view of Kubernetes' node, whose annotations hold what is Calico's. */
export const nodeCollection: Collection = {
  resource: { group: "", version: "v1", plural: "nodes", kind: "Node", isNamespaced: false },
  prefix,
  address: (key) => resourceAddress(key, prefix, false),
  read: (object) => ({
    key: keys.resource("nodes", object.name),
    value: JSON.stringify({ kind: "Node", apiVersion, ...calicoNode(object) }),
  }),
  writer: (api) => new NodeWriter(api),
};

/** Nodes come and go with Kubernetes: here they can only be changed. */
class NodeWriter implements CollectionWriter {
  readonly #api: ObjectApi;

  constructor(api: ObjectApi) {
    this.#api = api;
  }

  async create(key: string): Promise<WriteOutcome> {
    const current = await this.#get(key);
    if (current !== undefined) return { kind: "exists", current: entry(current) };
    throw unsupported("Create", "Node", key, "a node is made by Kubernetes when it joins the cluster");
  }

  async update(key: string, value: string, revision: Revision): Promise<WriteOutcome> {
    const version = checkVersion(revision);
    const node = readValue(key, value);
    const current = await this.#get(key);
    if (current === undefined) return { kind: "missing" };
    if (current.resourceVersion !== version) return { kind: "conflict", current: entry(current) };
    const metadata = { ...current.metadata, annotations: nodeAnnotations(current, node) };
    const answer = await this.#api.replace(current, { ...current.document, metadata }, "status");
    if (answer.kind === "ok") return { kind: "ok", entry: entry(answer.object) };
    const now = await this.#get(key);
    return now === undefined ? { kind: "missing" } : { kind: "conflict", current: entry(now) };
  }

  async delete(key: string): Promise<WriteOutcome> {
    throw unsupported("Delete", "Node", key, "delete it with kubectl");
  }

  #get(key: string): Promise<ApiObject | undefined> {
    const address = nodeCollection.address(key);
    if (address === undefined) throw new StoreError("invalid", `${key} is no key of a node`);
    return this.#api.get(address);
  }
}

function entry(object: ApiObject): Entry {
  const found = entryOf(nodeCollection, object);
  if (found === undefined) throw new RangeError(`${object.name} is no node`);
  return found;
}
