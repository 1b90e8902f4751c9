// Aim: the quick reader returns nothing that the whole parser does not, and takes what manifests are written in.
// Method: texts by hand, resources of every kind as YAML and JSON, and both damaged at random; what the quick reader gives is
// compared with the whole parser's documents, value by value and line by line.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { validDocument } from "../test/arbitraries.ts";
import { AmbiguousScalar } from "./ambiguous-scalar.ts";
import { toJson } from "./json-text.ts";
import { toYaml } from "./manifest.ts";
import { readQuickYaml } from "./quick-yaml.ts";
import { isRecord } from "./schema-reader.ts";
import { readWholeYaml } from "./whole-yaml.ts";

const manifest = `---  # a pool
# and what is said of it
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy   # kind
metadata:
  name: "a.b"
  labels: {app: web, 'tier': front-end, "x":1}
  annotations:
    note: 'it''s # not a comment'
    "quoted key": "tab\\t \\u00e9 \\"x\\""

spec:
  order: 10.5
  selector: app == 'web' && role in {'a', 'b'}
  types: [Ingress, Egress]
  ingress:
  - action: Allow
    protocol: TCP
    source:
      nets: [10.0.0.0/16, fd00::/8,
             ::/0,  # all
             192.168.0.0/16]
    destination:
      ports:
        - 80
        - "8000:9000"
        -   443
  -
    action: Deny
  - - a
    - b: c
      d: e
  egress: []
  doNotTrack: no
  applyOnForward: True
  nothing: ~
  url: http://x/#y?z:1
  minus: -5
  words: two words, [and] {more}
  mac: 0a:1b:2c:3d:4e:5f
`;

/** Fails where the quick reader gives something else than the whole parser; tells whether it gave anything. */
function compare(text: string): boolean {
  const quick = readQuickYaml(text);
  if (quick === undefined) return false;
  const [whole, ...more] = readWholeYaml(text);
  assert.deepEqual(more, [], `taken as one:\n${text}`);
  if (whole === undefined) {
    assert.equal(quick.content, null);
    return true;
  }
  assert.ok(whole.kind === "ok", `taken, though it is refused:\n${text}`);
  assert.deepStrictEqual(quick.content, whole.content, text);
  if (quick.content === null) return true;
  for (const path of pathsOf(quick.content)) {
    assert.equal(quick.lineOf(path), whole.lineOf(path), `${path.join(".")} of\n${text}`);
  }
  return true;
}

type Path = readonly (string | number)[];

function pathsOf(value: unknown): readonly Path[] {
  if (value instanceof AmbiguousScalar || (!Array.isArray(value) && !isRecord(value))) return [[]];
  const entries: readonly (readonly [string | number, unknown])[] = Array.isArray(value)
    ? value.map((item: unknown, index) => [index, item] as const)
    : Object.entries(value);
  return [[], ["not", 5], ...entries.flatMap(([name, one]) => pathsOf(one).map((path) => [name, ...path]))];
}

test("everyday YAML and JSON are read quickly", () => {
  for (const text of [
    manifest,
    "",
    "# nothing\n",
    "---",
    "{}",
    "[1, 2]\n",
    '{"a": {"b": [1, "x", true, null]},\n "c": "d"}',
    "a:\n- b\n- c\nd: e",
    "- a\n-\n- b: 1\n  c: 2\n",
    "a: b # c",
    "key:\n    deep:\n          deeper: 1\n    back: 2\n",
  ]) {
    assert.ok(compare(text), text);
  }
});

test("what the quick reader has no eye for is left to the whole parser", () => {
  for (const text of [
    "a: &x 1\nb: *x",
    "a: |\n  text\n",
    "a: >-\n  text\n",
    "a: two\n  lines\n",
    'a: "two\n  lines"\n',
    "a: !!str 1",
    "? a\n: b",
    "a: b: c",
    "a: 1\na: 2",
    "a: 010",
    "a: 1e3",
    "a: 1_000",
    "a: 0x1F",
    "a: .5",
    "a: +1",
    "a: 1.10",
    "a: -0",
    "a: 12345678901234567890",
    "a: .inf",
    "a: \t1",
    "a: [b, c",
    "a: {b: c}}",
    "a: [b\n]",
    "a: 'x' y",
    "1: a",
    "null: a",
    "<<: {a: 1}",
    "__proto__: 1",
    "a:\n  b: 1\n c: 2\n",
    "--- a",
    "a\r\n",
    "\uFEFFa: 1",
  ]) {
    assert.equal(readQuickYaml(text), undefined, text);
  }
});

test("resources of every kind are read quickly, and alike", () => {
  const quick = new Set<unknown>();
  fc.assert(
    fc.property(validDocument, (resource) => {
      // Odd numbers, and random texts that need lines of their own, are for the whole parser.
      const isQuick = [compare(toJson(resource)), compare(toYaml(resource))].every(Boolean);
      if (isQuick && "kind" in resource) quick.add(resource.kind);
    }),
    { numRuns: 500 },
  );
  assert.ok(quick.size > 15, [...quick].join());
});

const snippets = [
  ...Array.from("\n -?:,[]{}#&*!|>'\"%@`~.0123456789ax"),
  "- ",
  ": ",
  " #",
  "\n  ",
  "\n- ",
  "---",
  "no",
  "null",
  "''",
  "{}",
];

test("damaged texts are read as the whole parser reads them, or left to it", () => {
  const text = fc.oneof(
    fc.constant(manifest),
    validDocument.map((one) => toYaml(one)),
    validDocument.map((one) => toJson(one)),
  );
  const damage = fc.array(
    fc.tuple(fc.nat(), fc.nat({ max: 3 }), fc.oneof(fc.constantFrom(...snippets), fc.constant(""))),
    { minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(text, damage, (whole, changes) => {
      let damaged = whole;
      for (const [at, length, insert] of changes) {
        const start = at % (damaged.length + 1);
        damaged = damaged.slice(0, start) + insert + damaged.slice(start + length);
      }
      // Documents are told apart before they are read.
      if (!/^(?:---|\.\.\.|%)/m.test(damaged)) compare(damaged);
    }),
    { numRuns: Number(process.env.FUZZ_RUNS ?? 1500) },
  );
});
