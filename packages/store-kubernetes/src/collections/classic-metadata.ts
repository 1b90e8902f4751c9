import { apiVersion } from "@caracal/resources";
import type { ApiObject } from "../api/api-object.ts";
import { fields, type JsonObject, list, present, text, texts, unlessEmpty } from "../api/json-fields.ts";
import type { Address } from "../api/object-api.ts";
import { mirrorUid } from "./uid.ts";

/** The API version of Calico's classic custom resources. */
export const classicApiVersion = "crd.projectcalico.org/v1";

/** Where a classic custom resource keeps the metadata of the resource that it stands for. */
export const metadataAnnotation = "projectcalico.org/metadata";

/** Metadata of a reading, or of the API server alone. */
const unstored: readonly string[] = ["managedFields", "resourceVersion", "selfLink", "generation"];

/**
 * The metadata of the custom resource that a resource is written as. Calico's rules: it goes into one annotation as JSON,
 * without what the custom resource itself has; a policy's name, which the custom resource's may differ from, stays in it.
 */
export function toClassicMetadata(stored: JsonObject, address: Address, isPolicy: boolean): JsonObject {
  const { name: _name, namespace: _namespace, uid: _uid, labels, annotations, ...others } = stored;
  const { [metadataAnnotation]: kept, ...visible } = texts(annotations);
  const inAnnotation = present({
    ...(isPolicy ? { name: policyName(kept) ?? address.name } : {}),
    ...without(others, unstored),
    labels: unlessEmpty(texts(labels)),
    annotations: unlessEmpty(visible),
    ownerReferences: owners(others["ownerReferences"], { from: apiVersion, to: classicApiVersion }),
  });
  return present({
    name: address.name,
    namespace: address.namespace,
    labels: unlessEmpty(ours(texts(labels))),
    annotations: { ...ours(visible), [metadataAnnotation]: JSON.stringify(inAnnotation) },
  });
}

/** The metadata of the resource that a custom resource stands for; one written by hand has no annotation and is as it is. */
export function fromClassicMetadata(object: ApiObject, isPolicy: boolean): JsonObject {
  const { metadata, name, namespace, uid } = object;
  const own = texts(metadata["annotations"]);
  const { [metadataAnnotation]: kept, ...others } = own;
  const inAnnotation = kept === undefined ? {} : parsed(kept);
  const shownName = isPolicy ? text(inAnnotation["name"]) : undefined;
  const annotations = {
    ...others,
    ...texts(inAnnotation["annotations"]),
    ...(shownName === undefined ? {} : { [metadataAnnotation]: JSON.stringify({ name: shownName }) }),
  };
  const base = kept === undefined ? metadata : inAnnotation;
  const from = kept === undefined ? undefined : { from: classicApiVersion, to: apiVersion };
  const ownerReferences =
    from === undefined ? base["ownerReferences"] : owners(base["ownerReferences"], from);
  return present({
    ...without(base, unstored),
    name,
    namespace,
    uid: mirrorUid(uid),
    creationTimestamp: text(base["creationTimestamp"]) ?? metadata["creationTimestamp"],
    deletionTimestamp: metadata["deletionTimestamp"],
    labels: unlessEmpty({ ...texts(metadata["labels"]), ...texts(base["labels"]) }),
    annotations: unlessEmpty(annotations),
    ownerReferences,
  });
}

/** Labels and annotations that are Calico's own stay visible on the custom resource. */
function ours(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(map).filter(
      ([name]) => name.includes("projectcalico.org/") || name.includes("operator.tigera.io/"),
    ),
  );
}

/** Owners that are Calico's are named by the other API's version and uid. */
function owners(references: unknown, { from, to }: { readonly from: string; readonly to: string }): unknown {
  if (references === undefined) return undefined;
  return list(references).map((reference) => {
    const found = fields(reference);
    const uid = text(found["uid"]);
    return found["apiVersion"] === from && uid !== undefined
      ? { ...found, apiVersion: to, uid: mirrorUid(uid) }
      : found;
  });
}

function policyName(annotation: string | undefined): string | undefined {
  return annotation === undefined ? undefined : text(parsed(annotation)["name"]);
}

function parsed(json: string): JsonObject {
  try {
    return fields(JSON.parse(json));
  } catch {
    return {};
  }
}

function without(object: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}
