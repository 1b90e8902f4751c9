/** Aim: patches change what they say and nothing else. Method: the examples of RFC 7396 and RFC 6902, and hostile input. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonPatch } from "./json-patch.ts";
import { mergePatch } from "./merge-patch.ts";
import { strategicPatch } from "./strategic-patch.ts";

test("a merge patch sets, removes and replaces lists (RFC 7396 appendix A)", () => {
  for (const [target, patch, result] of [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ]) {
    assert.deepEqual(mergePatch(target, patch), result);
  }
});

test("a strategic patch follows Kubernetes' directives", () => {
  const owner = { uid: "1", name: "a" };
  for (const [target, patch, result] of [
    [{ a: { b: 1, c: 2 } }, { a: { b: null, d: 3 } }, { a: { c: 2, d: 3 } }],
    [{ a: { b: 1, c: 2 } }, { a: { $patch: "replace", d: 3 } }, { a: { d: 3 } }],
    [{ a: { b: 1 }, e: 1 }, { a: { $patch: "delete" } }, { e: 1 }],
    [{ a: { b: 1, c: 2 } }, { a: { $retainKeys: ["c", "d"], d: 3 } }, { a: { c: 2, d: 3 } }],
    [{ a: ["x", "y"] }, { "$deleteFromPrimitiveList/a": ["x"] }, { a: ["y"] }],
    [{ a: ["x", "y"] }, { a: ["z"], "$setElementOrder/a": ["z"] }, { a: ["z"] }],
    [
      { metadata: { finalizers: ["x"] } },
      { metadata: { finalizers: ["y", "x"] } },
      { metadata: { finalizers: ["x", "y"] } },
    ],
    [
      { metadata: { ownerReferences: [owner, { uid: "2" }] } },
      {
        metadata: {
          ownerReferences: [{ uid: "1", name: "b" }, { uid: "2", $patch: "delete" }, { uid: "3" }],
        },
      },
      { metadata: { ownerReferences: [{ uid: "1", name: "b" }, { uid: "3" }] } },
    ],
    [{}, { a: { b: { c: null } } }, { a: { b: {} } }],
  ] as const) {
    assert.deepEqual(strategicPatch(target, patch), result);
  }
  assert.throws(() => strategicPatch({}, { a: { $patch: "x" } }), /unknown \$patch 'x'/);
});

test("a field named __proto__ stays data", () => {
  const patch: unknown = JSON.parse('{"__proto__": {"polluted": true}}');
  const result = mergePatch({}, patch);
  assert.equal(Object.getPrototypeOf(result), Object.prototype);
  assert.equal(JSON.stringify(result), '{"__proto__":{"polluted":true}}');
});

test("a JSON patch does its operations in order (RFC 6902 appendix A)", () => {
  const document = { foo: ["bar", "baz"], spec: { a: 1 } };
  for (const [operations, result] of [
    [[{ op: "add", path: "/baz", value: "q" }], { ...document, baz: "q" }],
    [[{ op: "add", path: "/foo/1", value: "q" }], { ...document, foo: ["bar", "q", "baz"] }],
    [[{ op: "add", path: "/foo/-", value: "q" }], { ...document, foo: ["bar", "baz", "q"] }],
    [[{ op: "remove", path: "/foo/0" }], { ...document, foo: ["baz"] }],
    [[{ op: "replace", path: "/spec/a", value: 2 }], { ...document, spec: { a: 2 } }],
    [[{ op: "replace", path: "/foo/0", value: "x" }], { ...document, foo: ["x", "baz"] }],
    [[{ op: "move", from: "/spec/a", path: "/b~1c" }], { ...document, spec: {}, "b/c": 1 }],
    [[{ op: "copy", from: "/foo", path: "/spec/foo" }], { ...document, spec: { a: 1, foo: ["bar", "baz"] } }],
    [
      [
        { op: "test", path: "/spec", value: { a: 1 } },
        { op: "remove", path: "/spec" },
      ],
      { foo: ["bar", "baz"] },
    ],
  ]) {
    assert.deepEqual(jsonPatch(document, operations), result);
  }
  assert.deepEqual(document, { foo: ["bar", "baz"], spec: { a: 1 } }, "the document itself is left alone");
});

test("a JSON patch that cannot be done says why", () => {
  for (const [operations, message] of [
    [{ op: "add" }, /list of operations/],
    [[1], /mapping of fields/],
    [[{ op: "add", path: "spec", value: 1 }], /needs a path such as/],
    [[{ op: "remove", path: "/nope" }], /nope is not there/],
    [[{ op: "replace", path: "/nope", value: 1 }], /\/nope is not there/],
    [[{ op: "add", path: "/a/b", value: 1 }], /\/a is not there/],
    [[{ op: "add", path: "/foo/9", value: 1 }], /index 9 is outside/],
    [[{ op: "test", path: "/foo", value: 1 }], /test of \/foo failed/],
    [[{ op: "burn", path: "/foo" }], /unknown operation 'burn'/],
  ] as const) {
    assert.throws(() => jsonPatch({ foo: [] }, operations), { message });
  }
});
