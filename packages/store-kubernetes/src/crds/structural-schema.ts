import { fields, type JsonObject, list } from "../api/json-fields.ts";

/** Words that mean the same in a JSON Schema and in a CustomResourceDefinition. */
const kept: readonly string[] = [
  "description",
  "enum",
  "maxItems",
  "maxLength",
  "maximum",
  "minItems",
  "minLength",
  "minimum",
  "pattern",
  "type",
];

/**
 * A JSON Schema of ours as the structural schema that Kubernetes wants of a custom resource: every part has a type, and a
 * part is described once. Defaults stay with the clients, so that what is stored is what was written; a field with a
 * default is therefore not required. Text forms have no name that the API server knows.
 */
export function structuralSchema(schema: unknown): JsonObject {
  const source = fields(schema);
  if ("anyOf" in source) return eitherOf(list(source["anyOf"]), source["description"]);
  const found: Record<string, unknown> = {};
  for (const word of kept) {
    if (source[word] !== undefined) found[word] = source[word];
  }
  if (source["const"] !== undefined) found["enum"] = [source["const"]];
  found["type"] ??= typeof list(found["enum"])[0] === "string" ? "string" : undefined;
  if (found["type"] === undefined) return { ...found, "x-kubernetes-preserve-unknown-fields": true };
  if (found["type"] === "integer") found["format"] = "int64";
  if (source["items"] !== undefined) found["items"] = structuralSchema(source["items"]);
  const [pattern] = Object.values(fields(source["patternProperties"]));
  if (pattern !== undefined) found["additionalProperties"] = structuralSchema(pattern);
  else if (found["type"] === "object") Object.assign(found, objectParts(source));
  return found;
}

function objectParts(source: JsonObject): JsonObject {
  const properties = Object.entries(fields(source["properties"]));
  if (properties.length === 0) return { "x-kubernetes-preserve-unknown-fields": true };
  const required = list(source["required"]).filter(
    (name) => fields(fields(source["properties"])[String(name)])["default"] === undefined,
  );
  return {
    properties: Object.fromEntries(properties.map(([name, part]) => [name, structuralSchema(part)])),
    ...(required.length === 0 ? {} : { required }),
  };
}

/** Kubernetes knows one union: a number or text. Any other is left open. */
function eitherOf(parts: readonly unknown[], description: unknown): JsonObject {
  const types = new Set(parts.map((part) => fields(part)["type"] ?? "string"));
  const more = description === undefined ? {} : { description };
  const [first] = parts;
  if (types.size === 1) {
    const { description: _own, ...only } =
      parts.length === 1 ? structuralSchema(first) : { type: [...types][0] };
    return { ...more, ...only };
  }
  const isNumberOrText = [...types].every((type) => type === "integer" || type === "string");
  return isNumberOrText
    ? { ...more, "x-kubernetes-int-or-string": true }
    : { ...more, "x-kubernetes-preserve-unknown-fields": true };
}
