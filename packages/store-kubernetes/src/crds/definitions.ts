import { type KindName, kinds } from "@caracal/resources";
import type { JsonObject } from "../api/json-fields.ts";
import { fields } from "../api/json-fields.ts";
import { entryResource } from "../collections/own-entries.ts";
import { type ApiGroup, customKinds, versionOf } from "../collections/resource-collections.ts";
import { structuralSchema } from "./structural-schema.ts";

interface Definition {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly isNamespaced: boolean;
  readonly spec: JsonObject;
  readonly status?: JsonObject;
}

/**
 * The CustomResourceDefinitions that a Kubernetes datastore needs, as documents for `kubectl apply`: Calico's kinds in one
 * of its two groups, IPAM's records, and Caracal's own entries.
 */
export function crdDocuments(group: ApiGroup): readonly JsonObject[] {
  const version = versionOf(group);
  const customs = customKinds.map((kind): Definition => {
    const { spec, status } = schemaParts(kind);
    const { plural, isNamespaced } = kinds[kind];
    return { group, version, kind, plural, isNamespaced, spec, ...(status === undefined ? {} : { status }) };
  });
  return [...[...customs, ...ipamDefinitions(group)].map(documentOf), ownCrdDocument];
}

function schemaParts(kind: KindName): { readonly spec: JsonObject; readonly status: JsonObject | undefined } {
  const { spec, status } = fields(fields(kinds[kind].schema)["properties"]);
  return {
    spec: structuralSchema(spec),
    status: status === undefined ? undefined : structuralSchema(status),
  };
}

function ipamDefinitions(group: ApiGroup): readonly Definition[] {
  const isClassic = group === "crd.projectcalico.org";
  const base = { group, version: versionOf(group), isNamespaced: false };
  const affinity = schemaParts("BlockAffinity").spec;
  const settings = schemaParts("IPAMConfiguration").spec;
  return [
    { ...base, kind: "IPAMBlock", plural: "ipamblocks", spec: blockSchema },
    { ...base, kind: "IPAMHandle", plural: "ipamhandles", spec: handleSchema },
    {
      ...base,
      kind: "BlockAffinity",
      plural: "blockaffinities",
      // The classic kind has this as text.
      spec: isClassic ? withProperty(affinity, "deleted", { type: "string" }) : affinity,
    },
    isClassic
      ? { ...base, kind: "IPAMConfig", plural: "ipamconfigs", spec: settings }
      : { ...base, kind: "IPAMConfiguration", plural: "ipamconfigurations", spec: settings },
  ];
}

const int64 = { type: "integer", format: "int64" };
const textMap = { type: "object", additionalProperties: { type: "string" } };

const blockSchema: JsonObject = {
  type: "object",
  required: ["allocations", "attributes", "cidr", "unallocated"],
  properties: {
    affinity: { type: "string", nullable: true },
    affinityClaimTime: { type: "string", format: "date-time", nullable: true },
    allocations: { type: "array", items: { type: "integer", nullable: true } },
    attributes: {
      type: "array",
      items: {
        type: "object",
        properties: {
          handle_id: { type: "string", nullable: true },
          secondary: { ...textMap, nullable: true },
          alternateOwnerAttrs: { ...textMap, nullable: true },
          releasedAt: { type: "string", format: "date-time", nullable: true },
        },
      },
    },
    cidr: { type: "string" },
    deleted: { type: "boolean" },
    sequenceNumber: int64,
    sequenceNumberForAllocation: { type: "object", additionalProperties: int64 },
    strictAffinity: { type: "boolean" },
    unallocated: { type: "array", items: { type: "integer" } },
  },
};

const handleSchema: JsonObject = {
  type: "object",
  required: ["block", "handleID"],
  properties: {
    block: { type: "object", additionalProperties: { type: "integer" } },
    deleted: { type: "boolean" },
    handleID: { type: "string" },
  },
};

const ownDefinition: Definition = {
  ...entryResource,
  spec: {
    type: "object",
    required: ["key", "value"],
    // Older API servers take an empty text for none.
    properties: { key: { type: "string" }, value: { type: "string", nullable: true } },
  },
};

/** The definition of what only Caracal has. */
export const ownCrdDocument: JsonObject = documentOf(ownDefinition);

function withProperty(schema: JsonObject, name: string, part: JsonObject): JsonObject {
  return { ...schema, properties: { ...fields(schema["properties"]), [name]: part } };
}

function documentOf({ group, version, kind, plural, isNamespaced, spec, status }: Definition): JsonObject {
  const openAPIV3Schema = {
    type: "object",
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { type: "object" },
      spec,
      ...(status === undefined ? {} : { status }),
    },
  };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
      scope: isNamespaced ? "Namespaced" : "Cluster",
      preserveUnknownFields: false,
      versions: [{ name: version, served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  };
}
