import { keys } from "@caracal/datastore";
import { apiVersion, namespaceProfile, serviceAccountProfile } from "@caracal/resources";
import type { ApiObject } from "../api/api-object.ts";
import { type JsonObject, present, texts } from "../api/json-fields.ts";
import type { Address } from "../api/object-api.ts";
import type { Collection } from "./collection.ts";
import { readOnly } from "./read-only-writer.ts";

const prefix = keys.resources("profiles");
const writer = readOnly("Profile", "profiles are Kubernetes' namespaces and service accounts");
const allow = [{ action: "Allow", source: {}, destination: {} }];

/** The profiles of namespaces and service accounts. A revision names the versions of both, as Calico's does. */
export const profileCollections: readonly Collection[] = [
  {
    resource: { group: "", version: "v1", plural: "namespaces", kind: "Namespace", isNamespaced: false },
    prefix: `${prefix}${namespaceProfile("")}`,
    address: namespaceAddress,
    read: (object) => ({
      key: keys.resource("profiles", namespaceProfile(object.name)),
      value: profileText(object, namespaceProfile(object.name), {
        ingress: allow,
        egress: allow,
        labelsToApply: labelsToApply("pcns.", object),
      }),
    }),
    revision: (version) => `${version}/`,
    writer: () => writer,
  },
  {
    resource: {
      group: "",
      version: "v1",
      plural: "serviceaccounts",
      kind: "ServiceAccount",
      isNamespaced: true,
    },
    prefix: `${prefix}ksa.`,
    address: accountAddress,
    read: (object) => {
      const name = serviceAccountProfile(object.namespace ?? "", object.name);
      const value = profileText(object, name, { labelsToApply: labelsToApply("pcsa.", object) });
      return { key: keys.resource("profiles", name), value };
    },
    revision: (version) => `/${version}`,
    writer: () => writer,
  },
];

function namespaceAddress(key: string): Address | undefined {
  const start = `${prefix}${namespaceProfile("")}`;
  return key.startsWith(start) && key.length > start.length ? { name: key.slice(start.length) } : undefined;
}

/** `ksa.<namespace>.<name>`: a namespace has no dot. */
function accountAddress(key: string): Address | undefined {
  const start = `${prefix}ksa.`;
  const rest = key.slice(start.length);
  const dot = rest.indexOf(".");
  if (!key.startsWith(start) || dot <= 0 || dot === rest.length - 1) return undefined;
  return { namespace: rest.slice(0, dot), name: rest.slice(dot + 1) };
}

function labelsToApply(start: string, object: ApiObject): Readonly<Record<string, string>> {
  const labels = Object.entries(texts(object.metadata["labels"]));
  return {
    ...Object.fromEntries(labels.map(([name, value]) => [start + name, value])),
    [`${start}projectcalico.org/name`]: object.name,
  };
}

function profileText({ metadata, uid }: ApiObject, name: string, spec: JsonObject): string {
  const { creationTimestamp } = metadata;
  return JSON.stringify({
    kind: "Profile",
    apiVersion,
    metadata: present({ name, uid, creationTimestamp }),
    spec,
  });
}
