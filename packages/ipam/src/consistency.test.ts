// Aim: the check names every kind of contradiction. Method: one healthy store, and one fault put into it at a time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Entry, keys, Revision } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import { checkConsistency, readSnapshot } from "./consistency.ts";

const cidr = Prefix.parse("10.0.0.0/31");
const overlapping = Prefix.parse("10.0.0.0/30");
assert.ok(cidr !== undefined && overlapping !== undefined);

const blockKey = keys.block(cidr);
const affinityKey = keys.affinity({ kind: "host", name: "n1" }, cidr);
const block = {
  cidr: "10.0.0.0/31",
  affinity: "host:n1",
  allocations: [0, null],
  unallocated: [1],
  attributes: [{ handle_id: "h", secondary: {} }],
  sequenceNumber: 1,
  sequenceNumberForAllocation: {},
  deleted: false,
};
const healthy: Readonly<Record<string, unknown>> = {
  [blockKey]: block,
  [affinityKey]: { state: "confirmed", deleted: false },
  [keys.handle("h")]: { block: { "10.0.0.0/31": 1 }, deleted: false },
};

function codes(changes: Readonly<Record<string, unknown>>): readonly string[] {
  const entries: Entry[] = Object.entries({ ...healthy, ...changes })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ({ key, value: JSON.stringify(value), revision: Revision.of("1") }));
  return checkConsistency(readSnapshot(entries)).map(({ severity, code }) => `${severity} ${code}`);
}

test("a healthy store has no problems, and other keys are passed over", () => {
  assert.deepEqual(codes({ "/calico/resources/v3/projectcalico.org/nodes/n1": {} }), []);
});

const faults: readonly (readonly [string, Readonly<Record<string, unknown>>, readonly string[]])[] = [
  ["an unreadable record", { [keys.handle("x")]: [1] }, ["unsafe unreadable"]],
  ["slots that are too few", { [blockKey]: { ...block, allocations: [0] } }, ["unsafe slots"]],
  ["a taken address in the queue", { [blockKey]: { ...block, unallocated: [0, 1] } }, ["unsafe slots"]],
  ["a free address that is not queued", { [blockKey]: { ...block, unallocated: [] } }, ["unsafe slots"]],
  ["a free address queued twice", { [blockKey]: { ...block, unallocated: [1, 1] } }, ["unsafe slots"]],
  ["a block under another's key", { [blockKey]: { ...block, cidr: "10.0.0.2/31" } }, ["unsafe slots"]],
  [
    "a slot without its attribute",
    { [blockKey]: { ...block, attributes: [] } },
    ["unsafe slots", "leftover overcounted"],
  ],
  [
    "blocks that overlap",
    {
      [keys.block(overlapping)]: {
        ...block,
        cidr: "10.0.0.0/30",
        affinity: null,
        allocations: [null, null, null, null],
        unallocated: [0, 1, 2, 3],
      },
    },
    ["unsafe overlap"],
  ],
  [
    "two confirmed affinities",
    { [keys.affinity({ kind: "host", name: "n2" }, cidr)]: { state: "confirmed" } },
    ["unsafe twoAffinities", "unsafe affinityWithoutBlock"],
  ],
  [
    "an affinity without its block",
    { [blockKey]: undefined, [keys.handle("h")]: undefined },
    ["unsafe affinityWithoutBlock"],
  ],
  ["a block without its affinity", { [affinityKey]: undefined }, ["leftover blockWithoutAffinity"]],
  ["an affinity on its way", { [affinityKey]: { state: "pending" } }, ["leftover unfinishedAffinity"]],
  ["an address that nobody counts", { [keys.handle("h")]: undefined }, ["unsafe uncounted"]],
  [
    "a handle that counts too much",
    { [keys.handle("h")]: { block: { "10.0.0.0/31": 2 } } },
    ["leftover overcounted"],
  ],
  [
    "a handle of a block that is gone",
    { [keys.handle("g")]: { block: { "10.1.0.0/31": 1 } } },
    ["leftover handleWithoutBlock"],
  ],
];

for (const [name, changes, expected] of faults) {
  test(`${name} is found`, () => {
    assert.deepEqual(codes(changes), expected);
  });
}
