/**
 * Aim: the exported JSON Schemas say what the reader does, and the node agent's settings are all there with their defaults.
 * Method: a validator of JSON Schema that is not ours takes what the reader took and refuses what breaks types; the settings
 * are compared with the documented list, one by one.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import Schema from "typebox/schema";
import { validDocument } from "../test/arbitraries.ts";
import { felixSettings } from "../test/felix-settings.ts";
import { jsonSchemaOf } from "./json-schema.ts";
import { isKindName, kinds, parseResource } from "./kinds.ts";
import { isRecord } from "./schema-reader.ts";

/** What is at a path of plain data. */
function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce((found: unknown, name) => (isRecord(found) ? found[name] : undefined), value);
}

test("what the reader took, the exported schema takes", () => {
  fc.assert(
    fc.property(validDocument, (document) => {
      const reading = parseResource(document, "user");
      assert.ok(reading.kind === "ok");
      const schema = jsonSchemaOf(reading.value.kind);
      assert.ok(Schema.Check(schema, reading.value), JSON.stringify(reading.value));
    }),
    { numRuns: 500 },
  );
});

test("a schema refuses what is of another kind, type or word", () => {
  const policy = (rule: object): object => ({
    kind: "GlobalNetworkPolicy",
    apiVersion: "projectcalico.org/v3",
    metadata: { name: "a" },
    spec: { ingress: [rule] },
  });
  const schema = jsonSchemaOf("GlobalNetworkPolicy");
  assert.ok(Schema.Check(schema, policy({ action: "Allow", protocol: "TCP" })));
  for (const rule of [
    {},
    { action: "allow" },
    { action: "Allow", ipVersion: 5 },
    { action: "Allow", source: [] },
  ]) {
    assert.ok(!Schema.Check(schema, policy(rule)), JSON.stringify(rule));
  }
  assert.ok(!Schema.Check(jsonSchemaOf("NetworkPolicy"), policy({ action: "Allow" })));
  const felix = {
    kind: "FelixConfiguration",
    apiVersion: "projectcalico.org/v3",
    metadata: { name: "default" },
  };
  const settings = jsonSchemaOf("FelixConfiguration");
  assert.ok(Schema.Check(settings, { ...felix, spec: { chainInsertMode: "insert" } }));
  assert.ok(!Schema.Check(settings, { ...felix, spec: { chainInsertMode: "prepend" } }));
});

test("every setting of the node agent has its type and tells its default", () => {
  const settings = at(jsonSchemaOf("FelixConfiguration"), "properties", "spec", "properties");
  assert.ok(isRecord(settings));
  for (const [name, type, absent] of felixSettings) {
    const schema: unknown = settings[name];
    assert.ok(isRecord(schema), name);
    const found =
      schema.format === "goDuration"
        ? "duration"
        : schema.enum !== undefined
          ? "string"
          : schema.anyOf !== undefined
            ? "port"
            : schema.type;
    assert.equal(found, type, name);
    assert.equal(schema.description, absent === "" ? undefined : `${absent} where absent.`, name);
  }
  // One that says which nodes it is all for, and one that older versions had.
  const others = ["nodeSelector", "bpfKubeProxyEndpointSlicesEnabled"];
  assert.deepEqual(
    Object.keys(settings).toSorted(),
    [...felixSettings.map(([name]) => name), ...others].toSorted(),
  );
});

test("every field of every kind is of a form that the reader knows", () => {
  for (const name of Object.keys(kinds)) {
    assert.ok(isKindName(name));
    const text = JSON.stringify(jsonSchemaOf(name));
    assert.doesNotMatch(text, /"(allOf|oneOf|not|if|\$ref|exclusiveMinimum)":/, name);
  }
});
