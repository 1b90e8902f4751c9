import { keys } from "@caracal/datastore";
import { apiVersion, calicoPolicySpec } from "@caracal/resources";
import type { ApiObject } from "../api/api-object.ts";
import { fields, type JsonObject, list, present, text, texts } from "../api/json-fields.ts";
import type { ApiResource } from "../api/object-api.ts";
import type { Collection } from "./collection.ts";
import { readOnly, readOnlyDocument } from "./read-only-writer.ts";
import { namespaceOf, resourceAddress } from "./resource-collections.ts";

/** What distinguishes Kubernetes' policies among Calico's. */
const policyStart = "knp.default.";
const policyPrefix = keys.resources("networkpolicies");

/** Kubernetes' own kinds that nodes read as they are, under the names that Calico has for them, and its policies. */
export function kubernetesCollections(sliceVersion: string): readonly Collection[] {
  const core = { group: "", version: "v1" };
  return [
    documents("kubernetesnamespaces", {
      ...core,
      plural: "namespaces",
      kind: "Namespace",
      isNamespaced: false,
    }),
    // Pods are listed as endpoints; their documents are for who asks about one.
    {
      ...documents("kubernetespods", { ...core, plural: "pods", kind: "Pod", isNamespaced: true }),
      excludes: () => true,
    },
    documents("kubernetesservices", { ...core, plural: "services", kind: "Service", isNamespaced: true }),
    documents(
      "kubernetesendpointslices",
      {
        group: "discovery.k8s.io",
        version: sliceVersion,
        plural: "endpointslices",
        kind: "EndpointSlice",
        isNamespaced: true,
      },
      currentSlice,
    ),
    kubernetesPolicies,
  ];
}

/** Objects as they are, but for what the API server notes for itself. */
function documents(
  plural: string,
  resource: ApiResource,
  convert: (document: JsonObject) => JsonObject = (document) => document,
): Collection {
  const prefix = keys.resources(plural);
  const { isNamespaced } = resource;
  return {
    resource,
    prefix,
    address: (key) => resourceAddress(key, prefix, isNamespaced),
    namespaceOf: (wanted) => (isNamespaced ? namespaceOf(wanted, prefix) : undefined),
    read: ({ name, namespace, metadata, document }) => {
      const { managedFields: _fields, ...others } = metadata;
      const version = resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
      // Lists leave kind and version out, watches do not: the value is the same for both.
      const { kind: _kind, apiVersion: _version, metadata: _metadata, ...rest } = convert(document);
      const value = { kind: resource.kind, apiVersion: version, metadata: others, ...rest };
      return { key: keys.resource(plural, name, namespace), value: JSON.stringify(value) };
    },
    writer: () => readOnlyDocument(resource.kind),
  };
}

/** Before discovery.k8s.io/v1, the node was one of an endpoint's places. */
function currentSlice(document: JsonObject): JsonObject {
  const endpoints = list(document["endpoints"]).map((endpoint) => {
    const found = fields(endpoint);
    const host = text(fields(found["topology"])["kubernetes.io/hostname"]);
    return host === undefined ? found : { nodeName: host, ...found };
  });
  return { ...document, endpoints };
}

const kubernetesPolicies: Collection = {
  resource: {
    group: "networking.k8s.io",
    version: "v1",
    plural: "networkpolicies",
    kind: "NetworkPolicy",
    isNamespaced: true,
  },
  prefix: policyPrefix,
  address: (key) => {
    const address = resourceAddress(key, policyPrefix, true);
    if (address?.name.startsWith(policyStart) !== true) return undefined;
    return { ...address, name: address.name.slice(policyStart.length) };
  },
  namespaceOf: (wanted) => namespaceOf(wanted, policyPrefix),
  excludes: (wanted) => {
    const [, name = ""] = wanted.slice(policyPrefix.length).split("/");
    return !name.startsWith(policyStart) && !policyStart.startsWith(name);
  },
  read: (object) => ({
    key: keys.resource("networkpolicies", `${policyStart}${object.name}`, object.namespace),
    value: policyText(object),
  }),
  writer: () => readOnly("NetworkPolicy", "it is a Kubernetes NetworkPolicy: use kubectl"),
};

function policyText({ name, namespace, uid, metadata, document }: ApiObject): string {
  const { creationTimestamp } = metadata;
  const shown = `${policyStart}${name}`;
  return JSON.stringify({
    kind: "NetworkPolicy",
    apiVersion,
    metadata: present({
      name: shown,
      namespace,
      uid,
      creationTimestamp,
      labels: metadata["labels"] === undefined ? undefined : texts(metadata["labels"]),
      // As for every policy: without it a reader takes the name for one that an older Calico made.
      annotations: { "projectcalico.org/metadata": JSON.stringify({ name: shown }) },
    }),
    spec: calicoPolicySpec(fields(document["spec"])),
  });
}
