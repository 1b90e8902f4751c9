/**
 * Aim: the definitions are such as an API server takes: every part of a schema has one type, and every kind that the store
 * keeps has one. Method: a walk through all of them by Kubernetes' rules for structural schemas.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApiGroup } from "../collections/resource-collections.ts";
import { catalogue } from "../collections/catalogue.ts";
import { fields, type JsonObject, list } from "../api/json-fields.ts";
import { crdDocuments } from "./definitions.ts";
import { structuralSchema } from "./structural-schema.ts";

const groups = ["crd.projectcalico.org", "projectcalico.org"] as const satisfies readonly ApiGroup[];
const types = ["array", "boolean", "integer", "number", "object", "string"];
const words: ReadonlySet<string> = new Set([
  "additionalProperties",
  "description",
  "enum",
  "format",
  "items",
  "maxItems",
  "maxLength",
  "maximum",
  "minItems",
  "minLength",
  "minimum",
  "nullable",
  "pattern",
  "properties",
  "required",
  "type",
  "x-kubernetes-int-or-string",
  "x-kubernetes-preserve-unknown-fields",
]);

function walk(schema: JsonObject, path: string): void {
  const { type, properties, additionalProperties, items, required } = schema;
  for (const word of Object.keys(schema)) assert.ok(words.has(word), `${path} has ${word}`);
  const isOpen =
    schema["x-kubernetes-int-or-string"] === true || schema["x-kubernetes-preserve-unknown-fields"] === true;
  assert.ok(isOpen || types.includes(String(type)), `${path} has no type`);
  assert.ok(properties === undefined || additionalProperties === undefined, `${path} is map and object`);
  for (const name of list(required))
    assert.ok(String(name) in fields(properties), `${path} requires ${String(name)}`);
  if (type === "array") walk(fields(items), `${path}[]`);
  if (additionalProperties !== undefined) walk(fields(additionalProperties), `${path}{}`);
  for (const [name, part] of Object.entries(fields(properties))) walk(fields(part), `${path}.${name}`);
}

for (const group of groups) {
  test(`${group}: every part of every schema is structural`, () => {
    for (const document of crdDocuments(group)) {
      const spec = fields(document["spec"]);
      const [version] = list(spec["versions"]);
      walk(
        fields(fields(fields(version)["schema"])["openAPIV3Schema"]),
        String(fields(spec["names"])["kind"]),
      );
    }
  });

  test(`${group}: every custom kind of the store has a definition, of its scope`, () => {
    const defined = new Map(
      crdDocuments(group).map((one) => [String(fields(one["metadata"])["name"]), fields(one["spec"])]),
    );
    const customs = catalogue({ apiGroup: group, sliceVersion: "v1" })
      .map(({ resource }) => resource)
      .filter((resource) => resource.group.endsWith("projectcalico.org"));
    for (const { plural, group: own, kind, isNamespaced } of customs) {
      const spec = defined.get(`${plural}.${own}`);
      assert.ok(spec !== undefined, plural);
      assert.equal(fields(spec["names"])["kind"], kind);
      assert.equal(spec["scope"], isNamespaced ? "Namespaced" : "Cluster");
    }
    assert.equal(new Set(customs.map(({ plural, group: own }) => `${plural}.${own}`)).size, defined.size);
  });
}

test("a number or text is that, and a field with a default may be left out", () => {
  const schema = {
    type: "object",
    required: ["a", "b"],
    properties: { a: { enum: ["x"], default: "x" }, b: { anyOf: [{ type: "integer" }, { type: "string" }] } },
  };
  assert.deepEqual(structuralSchema(schema), {
    type: "object",
    required: ["b"],
    properties: { a: { type: "string", enum: ["x"] }, b: { "x-kubernetes-int-or-string": true } },
  });
});
