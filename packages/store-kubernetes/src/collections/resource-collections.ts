import { keys } from "@caracal/datastore";
import { apiVersion, isKindName, type KindName, kinds } from "@caracal/resources";
import { present, text, texts, unlessEmpty } from "../api/json-fields.ts";
import type { Address } from "../api/object-api.ts";
import type { ApiObject } from "../api/api-object.ts";
import { fields, type JsonObject } from "../api/json-fields.ts";
import {
  classicApiVersion,
  fromClassicMetadata,
  metadataAnnotation,
  toClassicMetadata,
} from "./classic-metadata.ts";
import type { Collection } from "./collection.ts";
import { ObjectWriter } from "./object-writer.ts";
import { readValue } from "./stored-json.ts";

/** The two groups of custom resources that Calico knows. */
export type ApiGroup = "crd.projectcalico.org" | "projectcalico.org";

/** Kinds that are views of Kubernetes' own objects or of IPAM's. */
const elsewhere: ReadonlySet<string> = new Set([
  "BlockAffinity",
  "IPAMConfiguration",
  "Node",
  "Profile",
  "WorkloadEndpoint",
] satisfies readonly KindName[]);

const policies: ReadonlySet<string> = new Set([
  "GlobalNetworkPolicy",
  "NetworkPolicy",
  "StagedGlobalNetworkPolicy",
  "StagedNetworkPolicy",
] satisfies readonly KindName[]);

/** The kinds that are custom resources of the same name. */
export const customKinds: readonly KindName[] = Object.keys(kinds)
  .filter(isKindName)
  .filter((kind) => !elsewhere.has(kind));

/** The custom resources of one group as entries: one collection a kind. */
export function resourceCollections(group: ApiGroup): readonly Collection[] {
  return customKinds.map((kind) => resourceCollection(kind, group));
}

/** Version of a group's API. */
export function versionOf(group: ApiGroup): string {
  return group === "crd.projectcalico.org" ? "v1" : "v3";
}

function resourceCollection(kind: KindName, group: ApiGroup): Collection {
  const { plural, isNamespaced } = kinds[kind];
  const isClassic = group === "crd.projectcalico.org";
  const isPolicy = policies.has(kind);
  const prefix = keys.resources(plural);
  const collection: Collection = {
    resource: { group, version: versionOf(group), plural, kind, isNamespaced },
    prefix,
    address: (key) => resourceAddress(key, prefix, isNamespaced),
    namespaceOf: (wanted) => (isNamespaced ? namespaceOf(wanted, prefix) : undefined),
    read: (object) => ({
      key: keys.resource(plural, object.name, object.namespace),
      value: writeResource(
        kind,
        isClassic ? fromClassicMetadata(object, isPolicy) : nativeMetadata(object),
        object,
      ),
    }),
    writer: (api) =>
      new ObjectWriter(api, collection, {
        build: (key, value, address) => {
          const { metadata, spec, status } = readValue(key, value);
          return present({
            apiVersion: isClassic ? classicApiVersion : apiVersion,
            kind,
            metadata: isClassic
              ? toClassicMetadata(fields(metadata), address, isPolicy)
              : toNativeMetadata(fields(metadata), address),
            spec: spec ?? {},
            status,
          });
        },
      }),
  };
  return collection;
}

/** The address in a resource's key; undefined where the number of its parts is not the kind's. */
export function resourceAddress(key: string, prefix: string, isNamespaced: boolean): Address | undefined {
  if (!key.startsWith(prefix)) return undefined;
  const [first, second, ...rest] = key.slice(prefix.length).split("/");
  if (first === undefined || first === "" || rest.length > 0) return undefined;
  if (!isNamespaced) return second === undefined ? { name: first } : undefined;
  return second === undefined || second === "" ? undefined : { name: second, namespace: first };
}

/** The namespace that a prefix names in full. */
export function namespaceOf(wanted: string, prefix: string): string | undefined {
  const rest = wanted.slice(prefix.length);
  return wanted.startsWith(prefix) && rest.includes("/") ? text(rest.slice(0, rest.indexOf("/"))) : undefined;
}

/** A resource as the store's value: Calico's JSON, in the order it has there. */
export function writeResource(kind: KindName, metadata: JsonObject, { document }: ApiObject): string {
  const { spec, status } = document;
  return JSON.stringify(present({ kind, apiVersion, metadata, spec: spec ?? {}, status }));
}

/** The metadata of an object that is stored as it is. */
export function nativeMetadata({ metadata, name, namespace, uid }: ApiObject): JsonObject {
  const { managedFields: _1, resourceVersion: _2, selfLink: _3, generation: _4, ...others } = metadata;
  return present({ ...others, name, namespace, uid });
}

function toNativeMetadata(stored: JsonObject, address: Address): JsonObject {
  const { labels, annotations, ownerReferences, finalizers } = stored;
  // The name is the object's own here, so nothing keeps it beside.
  const { [metadataAnnotation]: _name, ...others } = texts(annotations);
  return present({
    name: address.name,
    namespace: address.namespace,
    labels: unlessEmpty(texts(labels)),
    annotations: unlessEmpty(others),
    ownerReferences,
    finalizers,
  });
}
