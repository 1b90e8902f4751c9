/** Aim: `explain` tells of every kind and field from the schemas, and `explain route` stays what it was. Method: whole command lines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isKindName, isRecord, jsonSchemaOf, kinds } from "@caracal/resources";
import { run } from "../../test/test-context.ts";

test("a kind, a field, and the fields inside", async () => {
  const { exitCode, stdout } = await run("explain ippool.spec.ipipMode");
  assert.equal(exitCode, 0);
  assert.deepEqual(stdout.split("\n"), [
    "GROUP:      projectcalico.org",
    "KIND:       IPPool",
    "VERSION:    v3",
    "",
    "FIELD: ipipMode <string>",
    "",
    "DESCRIPTION:",
    "    One of: Never, Always, CrossSubnet.",
    "    Default: Never.",
    "",
  ]);
  const spec = (await run("explain pools.spec")).stdout;
  assert.match(spec, /^FIELDS:\n {2}cidr\t<string> -required-\n {4}The range addresses are taken from\./m);
  assert.match(spec, /^ {2}allowedUses\t<\[\]string>$/m);
  // A list is passed through to what it is made of.
  assert.match((await run("explain node.spec.addresses.address")).stdout, /^FIELD: address <string>/m);
  assert.match((await run("explain node --recursive")).stdout, /^ {4}labels\t<map\[string\]string>$/m);
});

test("every kind is explained, to its last field", async () => {
  for (const { name, aliases } of Object.values(kinds)) {
    for (const word of [name, ...aliases]) {
      const { exitCode, stdout } = await run(["explain", word, "--recursive"]);
      assert.equal(exitCode, 0, word);
      assert.match(stdout, new RegExp(`^KIND: {7}${name}$`, "m"));
    }
  }
});

test("a kind's JSON Schema is exported, and a field's", async () => {
  for (const name of Object.keys(kinds)) {
    const schema: unknown = JSON.parse((await run(["explain", name, "-o", "json-schema"])).stdout);
    assert.ok(isKindName(name));
    assert.deepEqual(schema, jsonSchemaOf(name));
  }
  const field: unknown = JSON.parse((await run("explain pool.spec.allowedUses -o json-schema")).stdout);
  assert.ok(isRecord(field));
  assert.deepEqual([field.type, field.uniqueItems], ["array", true]);
});

test("what is not there is one line, with what was probably meant", async () => {
  for (const [line, stderr] of [
    ["explain ippol", "resource type 'ippol' is not supported; did you mean IPPool?"],
    ["explain roue", "resource type 'roue' is not supported; did you mean route?"],
    ["explain pool.spec.cird", 'field "cird" does not exist in pool.spec.cird; did you mean cidr?'],
    ["explain pool.spec.cidr.x", 'field "x" does not exist in pool.spec.cidr.x'],
    ["explain pool -o json-shema", "unrecognized output format 'json-shema'; did you mean json-schema?"],
    ["explain pool -o yaml", "unrecognized output format 'yaml'; it is json-schema"],
    ["explain", "usage: explain KIND[.FIELD]…, or explain route PREFIX|IP|POD|NODE"],
    ["explain route", "usage: explain route PREFIX|IP|POD|NODE [--node NODE]"],
  ] as const) {
    assert.deepEqual(await run(line), { exitCode: 1, stdout: "", stderr: `${stderr}\n` }, line);
  }
});
