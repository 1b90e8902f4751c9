import { keys } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import { writeJson } from "@caracal/resources";
import type { ApiObject } from "../api/api-object.ts";
import { fields, type JsonObject, present, text } from "../api/json-fields.ts";
import type { ApiResource } from "../api/object-api.ts";
import { affinityLabels, affinityName, blockName } from "./affinity-names.ts";
import type { Collection, Keyed } from "./collection.ts";
import { ObjectWriter } from "./object-writer.ts";
import {
  type ApiGroup,
  nativeMetadata,
  resourceAddress,
  versionOf,
  writeResource,
} from "./resource-collections.ts";
import { fromClassicMetadata } from "./classic-metadata.ts";
import { readValue } from "./stored-json.ts";
import { mirrorUid } from "./uid.ts";

/** IPAM's records, and the resources that show them to people. */
export function ipamCollections(group: ApiGroup): readonly Collection[] {
  return [
    blocks(group),
    affinities(group, "host"),
    affinities(group, "virtual"),
    affinityResources(group),
    handles(group),
    settings(group),
    settingsResources(group),
  ];
}

function blocks(group: ApiGroup): Collection {
  const resource = ipamResource(group, "ipamblocks", "IPAMBlock");
  const collection: Collection = {
    resource: { ...resource, hasBigNumbers: true },
    prefix: keys.blocks(),
    address: (key) => {
      const named = keys.parse(key);
      return named?.kind === "block" ? { name: blockName(named.cidr) } : undefined;
    },
    read: readBlock,
    isDeleted,
    writer: (api) =>
      new ObjectWriter(api, collection, {
        build: (key, value, { name }) => {
          const { affinity, affinity_claim_time, hostAffinity: _old, ...record } = readValue(key, value);
          const owner = { affinity: text(affinity), affinityClaimTime: affinity_claim_time };
          const spec = { ...record, ...owner, strictAffinity: false };
          return objectOf(resource, { name }, present(spec));
        },
        markDeleted: (document) => withSpec(document, { deleted: true }),
      }),
  };
  return collection;
}

function readBlock({ document }: ApiObject): Keyed | undefined {
  const { affinityClaimTime, strictAffinity: _legacy, cidr, affinity, ...spec } = fields(document["spec"]);
  const prefix = Prefix.parse(text(cidr) ?? "");
  if (prefix === undefined) return undefined;
  const { allocations, unallocated, attributes, deleted, ...numbers } = spec;
  const record = present({
    cidr,
    affinity: text(affinity) ?? null,
    affinity_claim_time: text(affinityClaimTime),
    allocations: allocations ?? [],
    unallocated: unallocated ?? [],
    attributes: attributes ?? [],
    deleted: deleted ?? false,
    ...numbers,
  });
  return { key: keys.block(prefix), value: writeJson(record) };
}

/** A block's owner: Calico's classic custom resource has `deleted` as text. */
function affinities(group: ApiGroup, kind: "host" | "virtual"): Collection {
  const resource = ipamResource(group, "blockaffinities", "BlockAffinity");
  const deletedAs = (deleted: boolean): boolean | string =>
    group === "crd.projectcalico.org" ? String(deleted) : deleted;
  const collection: Collection = {
    resource,
    prefix: keys.affinities(kind),
    address: (key) => {
      const named = keys.parse(key);
      if (named?.kind !== "affinity" || named.owner.kind !== kind) return undefined;
      return { name: affinityName(named.owner.name, named.cidr) };
    },
    read: ({ document }) => {
      const { node, type, cidr, state } = fields(document["spec"]);
      const prefix = Prefix.parse(text(cidr) ?? "");
      const name = text(node);
      if (prefix === undefined || name === undefined || (type === "virtual" ? "virtual" : "host") !== kind) {
        return undefined;
      }
      const record = { state: text(state) ?? "confirmed", deleted: false };
      return { key: keys.affinity({ kind, name }, prefix), value: JSON.stringify(record) };
    },
    isDeleted,
    writer: (api) =>
      new ObjectWriter(api, collection, {
        build: (key, value, { name }) => {
          const named = keys.parse(key);
          if (named?.kind !== "affinity") throw new RangeError(`${key} is no affinity`);
          const { state, deleted } = readValue(key, value);
          const labels = affinityLabels(named.owner, named.cidr);
          const spec = {
            state: state ?? "confirmed",
            node: named.owner.name,
            type: kind,
            cidr: Prefix.format(named.cidr),
            deleted: deletedAs(deleted === true),
          };
          return objectOf(resource, { name, labels }, spec);
        },
        markDeleted: (document) => withSpec(document, { deleted: deletedAs(true) }),
      }),
  };
  return collection;
}

/** The same objects as `BlockAffinity` resources, to be read. */
function affinityResources(group: ApiGroup): Collection {
  const prefix = keys.resources("blockaffinities");
  const collection: Collection = {
    resource: ipamResource(group, "blockaffinities", "BlockAffinity"),
    prefix,
    address: (key) => resourceAddress(key, prefix, false),
    read: (object) => ({
      key: `${prefix}${object.name}`,
      value: writeResource("BlockAffinity", ipamMetadata(group, object), object),
    }),
    isDeleted,
    writer: (api) =>
      new ObjectWriter(api, collection, {
        build: (key, value, { name }) =>
          objectOf(collection.resource, { name }, fields(readValue(key, value)["spec"])),
        markDeleted: (document) =>
          withSpec(document, { deleted: group === "crd.projectcalico.org" ? "true" : true }),
      }),
  };
  return collection;
}

function handles(group: ApiGroup): Collection {
  const resource = ipamResource(group, "ipamhandles", "IPAMHandle");
  const collection: Collection = {
    resource,
    prefix: keys.handles,
    address: (key) => {
      const named = keys.parse(key);
      return named?.kind === "handle" ? { name: named.id.toLowerCase() } : undefined;
    },
    read: ({ document, name, uid }) => {
      const { handleID, block } = fields(document["spec"]);
      const value = JSON.stringify({ block: block ?? {}, deleted: false });
      const shownUid = group === "crd.projectcalico.org" ? mirrorUid(uid) : uid;
      return { key: keys.handle(text(handleID) ?? name), value, uid: shownUid };
    },
    isDeleted,
    writer: (api) =>
      new ObjectWriter(api, collection, {
        build: (key, value, { name }) => {
          const { block, deleted } = readValue(key, value);
          const handleID = key.slice(keys.handles.length);
          return objectOf(resource, { name }, { handleID, block: block ?? {}, deleted: deleted ?? false });
        },
        markDeleted: (document) => withSpec(document, { deleted: true }),
      }),
  };
  return collection;
}

/** Names of the settings in the record, and in the custom resource. */
const settingNames: readonly (readonly [string, string])[] = [
  ["strict_affinity", "strictAffinity"],
  ["auto_allocate_blocks", "autoAllocateBlocks"],
  ["maxBlocksPerHost", "maxBlocksPerHost"],
  ["kubeVirtVMAddressPersistence", "kubeVirtVMAddressPersistence"],
  ["ipCooldownSeconds", "ipCooldownSeconds"],
];

function settings(group: ApiGroup): Collection {
  const resource = settingsResource(group);
  const collection: Collection = {
    resource,
    prefix: keys.ipamConfig,
    address: (key) => (key === keys.ipamConfig ? { name: "default" } : undefined),
    read: ({ name, document }) => {
      if (name !== "default") return undefined;
      const spec = fields(document["spec"]);
      const found = settingNames.map(([inRecord, inSpec]) => [inRecord, spec[inSpec]] as const);
      // Calico leaves out what is false or 0.
      const set = found.filter(([, value]) => Boolean(value));
      return { key: keys.ipamConfig, value: JSON.stringify(Object.fromEntries(set)) };
    },
    writer: (api) =>
      new ObjectWriter(api, collection, {
        build: (key, value, address) => {
          const record = readValue(key, value);
          const found = settingNames.map(([inRecord, inSpec]) => [inSpec, record[inRecord]] as const);
          const spec = { strictAffinity: false, autoAllocateBlocks: false, maxBlocksPerHost: 0 };
          return objectOf(resource, address, { ...spec, ...present(Object.fromEntries(found)) });
        },
        // Labels and annotations are people's, and the record knows nothing of them.
        amend: (current, built) => ({ ...built, metadata: current["metadata"] }),
      }),
  };
  return collection;
}

/** The same object as the `IPAMConfiguration` resource. */
function settingsResources(group: ApiGroup): Collection {
  const prefix = keys.resources("ipamconfigurations");
  const resource = settingsResource(group);
  const collection: Collection = {
    resource,
    prefix,
    address: (key) => resourceAddress(key, prefix, false),
    read: (object) => ({
      key: `${prefix}${object.name}`,
      value: writeResource("IPAMConfiguration", ipamMetadata(group, object), object),
    }),
    writer: (api) =>
      new ObjectWriter(api, collection, {
        build: (key, value, address) => {
          const { spec: given, metadata } = readValue(key, value);
          const { labels, annotations } = fields(metadata);
          const none = { strictAffinity: false, autoAllocateBlocks: false, maxBlocksPerHost: 0 };
          return objectOf(resource, present({ ...address, labels, annotations }), {
            ...none,
            ...fields(given),
          });
        },
        amend: (current, built) => ({
          ...built,
          metadata: {
            ...fields(current["metadata"]),
            labels: undefined,
            annotations: undefined,
            ...fields(built["metadata"]),
          },
        }),
      }),
  };
  return collection;
}

/** The classic group calls the settings by a shorter name. */
function settingsResource(group: ApiGroup): ApiResource {
  return group === "crd.projectcalico.org"
    ? ipamResource(group, "ipamconfigs", "IPAMConfig")
    : ipamResource(group, "ipamconfigurations", "IPAMConfiguration");
}

function ipamResource(group: ApiGroup, plural: string, kind: string): ApiResource {
  return { group, version: versionOf(group), plural, kind, isNamespaced: false };
}

function ipamMetadata(group: ApiGroup, object: ApiObject): JsonObject {
  return group === "crd.projectcalico.org" ? fromClassicMetadata(object, false) : nativeMetadata(object);
}

function objectOf({ group, version, kind }: ApiResource, metadata: object, spec: JsonObject): JsonObject {
  return { apiVersion: `${group}/${version}`, kind, metadata, spec };
}

function withSpec(document: JsonObject, changes: JsonObject): JsonObject {
  return { ...document, spec: { ...fields(document["spec"]), ...changes } };
}

function isDeleted({ document }: ApiObject): boolean {
  const { deleted } = fields(document["spec"]);
  return deleted === true || deleted === "true";
}
