import { fields, type JsonObject, text } from "./json-fields.ts";

/** An object of the Kubernetes API: what every kind has, and all of it. */
export interface ApiObject {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly metadata: JsonObject;
  readonly document: JsonObject;
}

/** An answer as an object, or undefined when it is none. */
export function readApiObject(value: unknown): ApiObject | undefined {
  const document = fields(value);
  const metadata = fields(document["metadata"]);
  const { name, namespace, uid, resourceVersion } = metadata;
  if (typeof name !== "string" || name === "" || typeof resourceVersion !== "string") return undefined;
  return {
    name,
    namespace: text(namespace),
    uid: text(uid) ?? "",
    resourceVersion,
    metadata,
    document,
  };
}
