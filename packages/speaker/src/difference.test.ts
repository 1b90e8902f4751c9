/** Aim: a reload names what changed and nothing else. Method: pairs of files. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfiguration, type SpeakerConfiguration } from "./config/read-config.ts";
import { type Difference, difference } from "./difference.ts";

function read(text: string): SpeakerConfiguration {
  const outcome = readConfiguration(text);
  if (outcome.kind === "problems") throw new Error(JSON.stringify(outcome.problems));
  return outcome.configuration;
}

const base = `
routerId: 10.0.0.1
asn: 65001
listen: [{address: "2001:db8::1"}]
control: /run/a.sock
neighbors:
  - {name: a, address: "2001:db8::a", asn: 1, import: in}
  - {name: b, address: 10.0.0.2, asn: 2}
static: [{prefix: 10.1.0.0/16, blackhole: true}]
kernel: {table: 100}
filters: {in: {rules: [], otherwise: accept}}
`;

const none: Difference = {
  added: [],
  removed: [],
  changed: [],
  unchangedCount: 2,
  restartsBecause: [],
  filtersChanged: [],
  isStaticChanged: false,
  isBestPathChanged: false,
  isBmpChanged: false,
  isKernelChanged: false,
  isControlChanged: false,
};

test("each change is named once, where it is", () => {
  const rows: readonly (readonly [from: string, to: string, difference: Partial<Difference>])[] = [
    ["", "", {}],
    ["{name: a, ", "{passive: false, name: a, ", {}],
    ["asn: 2}", "asn: 3}", { changed: ["b"], unchangedCount: 1 }],
    ["address: 10.0.0.2", "prefix: 10.0.0.0/24", { changed: ["b"], unchangedCount: 1 }],
    ["name: b", "name: c", { added: ["c"], removed: ["b"], unchangedCount: 1 }],
    ["otherwise: accept", "otherwise: reject", { filtersChanged: ["in"] }],
    ["blackhole: true", "nextHop: 10.0.0.9", { isStaticChanged: true }],
    ["blackhole: true", "blackhole: true, communities: [1:1]", { isStaticChanged: true }],
    ["{table: 100}", "{table: 100}\nmultipath: {ebgp: 2}", { isBestPathChanged: true }],
    ["{table: 100}", "{table: 100}\nbestPath: {missingMedWorst: true}", { isBestPathChanged: true }],
    [
      "{table: 100}",
      "{table: 100}\nbmp: [{address: 10.0.0.9, port: 1790}]",
      { isBmpChanged: true, restartsBecause: ["bmp"] },
    ],
    ["{table: 100}", "{table: 101}", { isKernelChanged: true }],
    ["{table: 100}", "false", { isKernelChanged: true, restartsBecause: ["kernel"] }],
    ["routerId: 10.0.0.1", "routerId: 10.0.0.9", { restartsBecause: ["routerId"] }],
    ["/run/a.sock", "/run/b.sock", { isControlChanged: true }],
    [
      '[{address: "2001:db8::1"}]',
      "[{port: 1790}]",
      // The one listening address was also where we called from.
      { restartsBecause: ["listen"], changed: ["a", "b"], unchangedCount: 0 },
    ],
  ];
  for (const [from, to, expected] of rows) {
    const found = difference(read(base), read(base.replace(from, to)));
    assert.deepEqual(found, { ...none, ...expected }, `${from} → ${to}`);
  }
});
