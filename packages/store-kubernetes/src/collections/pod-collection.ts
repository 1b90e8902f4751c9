import { type Entry, keys, type Revision, type WriteOutcome } from "@caracal/datastore";
import { parseWorkloadEndpointName } from "@caracal/resources";
import type { ApiObject } from "../api/api-object.ts";
import { fields, list, text } from "../api/json-fields.ts";
import type { Address, ObjectApi } from "../api/object-api.ts";
import { type Collection, type CollectionWriter, entryOf } from "./collection.ts";
import { podAnnotations, podEndpoint } from "./pod-endpoint.ts";
import { unsupported } from "./read-only-writer.ts";
import { namespaceOf, resourceAddress } from "./resource-collections.ts";
import { checkVersion } from "./revision-check.ts";
import { readValue } from "./stored-json.ts";

const prefix = keys.resources("workloadendpoints");

/** Calico's WorkloadEndpoint: a view of a pod, on which the CNI plugin leaves what it has done. */
export const podCollection: Collection = {
  resource: { group: "", version: "v1", plural: "pods", kind: "Pod", isNamespaced: true },
  prefix,
  address: (key) => {
    const address = resourceAddress(key, prefix, true);
    const named = address === undefined ? undefined : parseWorkloadEndpointName(address.name);
    if (named?.orchestrator !== "k8s") return undefined;
    return { name: named.workload, namespace: address?.namespace };
  },
  namespaceOf: (wanted) => namespaceOf(wanted, prefix),
  read: (object) => {
    const endpoint = podEndpoint(object);
    const name = text(fields(endpoint?.["metadata"])["name"]);
    if (name === undefined) return undefined;
    return {
      key: keys.resource("workloadendpoints", name, object.namespace),
      value: JSON.stringify(endpoint),
    };
  },
  writer: (api) => new PodWriter(api),
};

/**
 * An endpoint is there as soon as its pod is on a node, and goes with it: to write one is to note addresses and container
 * on the pod, to delete one is to note that it has no address any more.
 */
class PodWriter implements CollectionWriter {
  readonly #api: ObjectApi;

  constructor(api: ObjectApi) {
    this.#api = api;
  }

  async create(key: string): Promise<WriteOutcome> {
    const current = await this.#current(key);
    if (current !== undefined) return { kind: "exists", current };
    const reason = "Kubernetes has no such pod on that node";
    throw unsupported("Create", "WorkloadEndpoint", key, reason);
  }

  async update(key: string, value: string, revision: Revision): Promise<WriteOutcome> {
    const resourceVersion = checkVersion(revision);
    const { ipNetworks, containerID } = fields(readValue(key, value)["spec"]);
    const networks = list(ipNetworks).map(String);
    const [first = ""] = networks;
    const container = text(containerID);
    return this.#annotate(key, resourceVersion, {
      [podAnnotations.address]: first,
      [podAnnotations.addresses]: networks.join(","),
      ...(container === undefined ? {} : { [podAnnotations.containerId]: container }),
    });
  }

  async delete(key: string, revision: Revision | undefined): Promise<WriteOutcome> {
    const resourceVersion = revision === undefined ? undefined : checkVersion(revision);
    const before = await this.#current(key);
    if (before === undefined) return { kind: "missing" };
    // The container stays named: whoever deletes again can tell whether it is still the same one.
    const none = { [podAnnotations.address]: "", [podAnnotations.addresses]: "" };
    const outcome = await this.#annotate(key, resourceVersion, none);
    return outcome.kind === "ok" ? { kind: "ok", entry: before } : outcome;
  }

  async #annotate(
    key: string,
    resourceVersion: string | undefined,
    annotations: Readonly<Record<string, string>>,
  ): Promise<WriteOutcome> {
    const version = resourceVersion === undefined ? {} : { resourceVersion };
    const patch = { metadata: { ...version, annotations } };
    const answer = await this.#api.patch(this.#address(key), patch, "status");
    if (answer.kind === "ok") {
      const entry = entryIn(key, answer.object);
      return entry === undefined ? { kind: "missing" } : { kind: "ok", entry };
    }
    const current = await this.#current(key);
    return current === undefined ? { kind: "missing" } : { kind: "conflict", current };
  }

  async #current(key: string): Promise<Entry | undefined> {
    const object = await this.#api.get(this.#address(key));
    return object === undefined ? undefined : entryIn(key, object);
  }

  #address(key: string): Address {
    const address = podCollection.address(key);
    if (address === undefined) throw new RangeError(`${key} is no key of a pod's endpoint`);
    return address;
  }
}

/** The pod's entry, if the pod is on the node that the key names. */
function entryIn(key: string, object: ApiObject): Entry | undefined {
  const entry = entryOf(podCollection, object);
  return entry?.key === key ? entry : undefined;
}
