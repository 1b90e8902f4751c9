/**
 * Aim: what YAML makes of innocent text never gets into a resource, and hostile text is refused in one line.
 * Method: each trap in a field of truth, number and text; anchors, duplicate keys, depth, control characters and size.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseResource } from "./kinds.ts";
import { parseManifest } from "./manifest.ts";

function pool(line: string): string {
  const head =
    "apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: p}\nspec:\n  cidr: 10.0.0.0/16\n";
  return `${head}  ${line}\n`;
}

function node(metadata: string): string {
  return `apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: ${metadata}\n`;
}

function refusal(text: string): string {
  const { resources, errors } = parseManifest(text);
  assert.equal(resources.length, 0, text.slice(0, 200));
  assert.equal(errors.length, 1);
  const message = `${errors[0]?.line}: ${errors[0]?.message}`;
  assert.doesNotMatch(message, /\n/);
  return message;
}

test("a truth may be written in the words of older YAML", () => {
  for (const [word, expected] of [
    ["no", false],
    ["Off", false],
    ["yes", true],
    ["ON", true],
    ["true", true],
  ] as const) {
    const { resources, errors } = parseManifest(pool(`disabled: ${word}`));
    assert.deepEqual(errors, []);
    const spec: object | undefined = resources[0]?.resource.spec;
    assert.ok(spec !== undefined && "disabled" in spec && spec.disabled === expected, word);
  }
  assert.match(
    refusal(pool('disabled: "no"')),
    /6: error with field disabled = 'no' \(must be true or false\)/,
  );
});

test("a number is taken however it is written, but never with a leading zero", () => {
  for (const text of ["26", "2.6e1", "0x1a", "2_6", "26.0"]) {
    const { resources, errors } = parseManifest(pool(`blockSize: ${text}`));
    assert.deepEqual(errors, []);
    assert.match(JSON.stringify(resources[0]?.resource.spec), /"blockSize":26/, text);
  }
  assert.match(
    refusal(pool("blockSize: 032")),
    /6: .*'032' \(is octal to some readers of YAML: write it without/,
  );
});

test("text that YAML would change is refused with the way to write it", () => {
  for (const [text, reading] of [
    ["no", "false"],
    ["yes", "true"],
    ["1e3", "1000"],
    ["010", "an octal number"],
    ["0x1F", "31"],
    ["1.10", "1.1"],
  ] as const) {
    const expected = `= '${text}' (YAML reads it as ${reading}: write "${text}" in quotes)`;
    assert.ok(refusal(node(`{name: ${text}}`)).includes(expected), text);
    assert.ok(refusal(node(`{name: a, labels: {x: ${text}}}`)).includes(expected), text);
    const quoted = parseManifest(node(`{name: a, labels: {x: "${text}"}}`));
    assert.equal(quoted.resources[0]?.resource.metadata.labels?.x, text);
  }
  const { resources } = parseManifest(node("{name: 12, labels: {x: true, y: 7}}"));
  assert.deepEqual(resources[0]?.resource.metadata, { name: "12", labels: { x: "true", y: "7" } });
});

test("words of an enumeration stay words", () => {
  const text =
    "apiVersion: projectcalico.org/v3\nkind: FelixConfiguration\nmetadata: {name: default}\nspec: ";
  assert.deepEqual(parseManifest(`${text}{bpfLogLevel: Off}\n`).errors, []);
  assert.match(
    refusal(`${text}{floatingIPs: on}\n`),
    /'on' \(is not an allowed value; allowed: Enabled, Disabled\)/,
  );
});

test("anchors, merges and duplicate keys do what they do in Calico's tools", () => {
  const merged = parseManifest(
    node("\n  name: a\n  labels: &l {a: b}\n  annotations:\n    <<: *l\n    c: d"),
  );
  assert.deepEqual(merged.resources[0]?.resource.metadata.annotations, { a: "b", c: "d" });
  assert.match(refusal(pool("cidr: 10.1.0.0/16")), /^6: line 6: Map keys must be unique$/);
  assert.match(refusal(node("*m")), /^3: line 3: Unresolved alias/);
  assert.match(
    refusal(node("&m {name: a, labels: *m}")),
    /^3: line 3: An alias stands inside of its own anchor$/,
  );
  const bomb = ["b", "c", "d", "e", "f", "g", "h"].reduce(
    ({ text, last }, name) => ({
      text: `${text}${name}: &${name} [${Array.from({ length: 9 }, () => `*${last}`).join()}]\n`,
      last: name,
    }),
    { text: "a: &a [1, 1]\n", last: "a" },
  ).text;
  assert.match(refusal(bomb), /Excessive alias count/);
});

test("deep nesting, control characters and tabs are each one line", () => {
  const deep = /is nested more than 100 levels deep$/;
  assert.match(refusal(`a: ${"[".repeat(150)}${"]".repeat(150)}`), deep);
  assert.match(refusal(`${'{"a":'.repeat(20000)}1${"}".repeat(20000)}`), deep);
  assert.match(
    refusal(Array.from({ length: 2000 }, (_, level) => `${" ".repeat(level)}a:`).join("\n")),
    deep,
  );
  assert.match(refusal(node('{name: a}\nspec: "\u0007"')), /^4: line 4: control characters are not allowed$/);
  assert.match(refusal(node("\n\tname: a")), /^4: line 4: Tabs are not allowed as indentation$/);
});

test("a large list is read", () => {
  const head =
    "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {name: p}\nspec:\n  nets:\n";
  const { resources, errors } = parseManifest(
    head + Array.from({ length: 20000 }, (_, index) => `  - 10.${index >> 8}.${index & 255}.0/24\n`).join(""),
  );
  assert.deepEqual([resources.length, errors.length], [1, 0]);
});

test("what stands in a set twice is refused in a person's file, and taken from a store", () => {
  const sets: readonly (readonly [string, object, string])[] = [
    ["GlobalNetworkSet", { nets: ["10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8"] }, "spec.nets[2]"],
    ["IPReservation", { reservedCIDRs: ["10.0.0.1", "10.0.0.1"] }, "spec.reservedCIDRs[1]"],
    ["IPPool", { cidr: "10.0.0.0/16", allowedUses: ["Tunnel", "Tunnel"] }, "spec.allowedUses[1]"],
    [
      "BGPConfiguration",
      { serviceClusterIPs: [{ cidr: "10.0.0.0/8" }, { cidr: "10.0.0.0/8" }] },
      "spec.serviceClusterIPs[1]",
    ],
    [
      "GlobalNetworkPolicy",
      { ingress: [{ action: "Allow", source: { nets: ["10.0.0.0/8", "10.0.0.0/8"] } }] },
      "spec.ingress[0].source.nets[1]",
    ],
  ];
  for (const [kind, spec, path] of sets) {
    const name = kind === "BGPConfiguration" ? "default" : "x";
    const document = { kind, apiVersion: "projectcalico.org/v3", metadata: { name }, spec };
    const reading = parseResource(document, "user");
    assert.ok(reading.kind === "bad", kind);
    assert.deepEqual(
      reading.problems.map((one) => one.path),
      [path],
    );
    assert.match(reading.problems[0]?.reason ?? "", /^is given twice: .*\[0\] is the same$/);
    assert.equal(parseResource(document, "store").kind, "ok", kind);
  }
});

test("megabytes that mean nothing are refused in one line, or are nothing", () => {
  const size = 2_000_000;
  const head = "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: t}\n";
  for (const [text, message] of [
    ["[".repeat(size), "line 1: is nested more than 100 levels deep"],
    ["{a: ".repeat(size / 4), "line 1: is nested more than 100 levels deep"],
    ["- ".repeat(size / 2), "line 1: is nested more than 100 levels deep"],
    [`[${",".repeat(size)}`, "line 1: is nested more than 100 levels deep"],
    [`${head}x: "${"a ".repeat(size / 2)}`, 'line 4: Missing closing "quote'],
    [
      `${head}spec: {defaultAction: ${"Deny".repeat(size)}}`,
      `error with field defaultAction = '${"Deny".repeat(50)}…' (is not an allowed value; allowed: Deny, Pass)`,
    ],
    ["\n".repeat(size), undefined],
    ["#\n".repeat(size / 2), undefined],
    [" ".repeat(size), undefined],
  ] as const) {
    const { resources, errors } = parseManifest(text);
    assert.deepEqual(
      [resources.length, errors.map((one) => one.message)],
      [0, message === undefined ? [] : [message]],
      text.slice(0, 90),
    );
  }
});

test("no more than a thousand wrong documents are told of", () => {
  const { errors } = parseManifest("kind: Teir\n---\n".repeat(20_000));
  assert.equal(errors.length, 1000);
  assert.equal(errors.at(-1)?.line, 1999);
  assert.equal(parseManifest(`[${"1, ".repeat(20_000)}1]`).errors.length, 1000);
});

test("files put together keep their marks, and base64 is the text that it stands for", () => {
  const marked = `\uFEFF${pool("disabled: true")}---\n\uFEFF${pool("disabled: true")}`;
  const { resources, errors } = parseManifest(marked);
  assert.deepEqual(errors, []);
  assert.equal(resources.length, 2);
  const binary = parseManifest(pool("nodeSelector: !!binary aGFzKHgp"));
  assert.match(JSON.stringify(binary.resources[0]?.resource.spec), /"nodeSelector":"has\(x\)"/);
});

test("what stands where text should is told of in one line", () => {
  for (const [text, message] of [
    ["? [a, b]\n: c\nkind: IPPool\n", "1: line 1: A field's name must be text, not a mapping or a list"],
    [node('{name: n, labels: {1: a, "1": b}}'), "3: line 3: Map keys must be unique"],
    [
      "kind: TierList\napiVersion: projectcalico.org/v3\nitems: {a: b}\n",
      /^3: error with field kind \(is required/,
    ],
    [pool("nodeSelector: |\n    has(x)\n    y"), /^6: error with field nodeSelector = 'has\(x\)\\ny/],
    [
      "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: t}\nspec: {order: .inf}\n",
      /order = 'Infinity' \(must be a number\)/,
    ],
  ] as const) {
    const found = refusal(text);
    if (typeof message === "string") assert.equal(found, message);
    else assert.match(found, message);
  }
});
