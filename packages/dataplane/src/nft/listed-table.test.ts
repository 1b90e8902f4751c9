/** Reading what nft prints. Method: its JSON for a table like ours, and damaged. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { table } from "../../test/table-samples.ts";
import { compareTable, learnRules } from "./compare-table.ts";
import { readListedTable } from "./listed-table.ts";

const named = { family: "ip", table: "t" };
const masquerade = {
  ...named,
  chain: "out",
  handle: 7,
  comment: "pools",
  expr: [{ match: { op: "==", left: "x", right: "@pools" } }, { masquerade: null }],
};
const printed = [
  { metainfo: { version: "1.0.6", release_name: "Lester Gooch #5", json_schema_version: 1 } },
  { table: { family: "ip", name: "t", handle: 1 } },
  {
    set: {
      ...named,
      name: "pools",
      type: "ipv4_addr",
      handle: 2,
      flags: ["interval"],
      elem: ["10.10.10.10", { prefix: { addr: "10.244.0.0", len: 16 } }],
    },
  },
  {
    map: {
      ...named,
      name: "nats",
      type: "ipv4_addr",
      handle: 3,
      map: "ipv4_addr",
      elem: [["192.0.2.1", "10.0.0.1"]],
    },
  },
  {
    chain: {
      ...named,
      name: "post",
      handle: 4,
      type: "nat",
      hook: "postrouting",
      prio: 110,
      policy: "accept",
    },
  },
  { chain: { ...named, name: "out", handle: 5 } },
  { rule: { ...named, chain: "post", handle: 6, expr: [{ jump: { target: "out" } }] } },
  { rule: masquerade },
];
const wanted = table({ pools: ["10.10.10.10", "10.244.0.0/16"], nats: { "192.0.2.1": "10.0.0.1" } });

function read(objects: readonly unknown[]) {
  const listed = readListedTable({ nftables: objects });
  assert.ok(listed !== undefined);
  return listed;
}

test("what nft prints of a table equals the table, and each change to it is named", () => {
  const known = learnRules(wanted, read(printed));
  const differences = (objects: readonly unknown[]): readonly string[] =>
    compareTable(wanted, read(objects), known);
  assert.deepEqual(differences(printed), []);
  assert.deepEqual(differences(printed.slice(0, -1)), ["chain out has 0 rules instead of 1"]);
  const altered = { rule: { ...masquerade, expr: [{ accept: null }] } };
  assert.deepEqual(differences([...printed.slice(0, -1), altered]), [
    "rule 1 of chain out is another: pools",
  ]);
  const renamed = { rule: { ...masquerade, comment: "mine" } };
  assert.deepEqual(differences([...printed.slice(0, -1), renamed]), [
    "rule 1 of chain out is another: pools",
  ]);
  assert.deepEqual(differences([...printed, { chain: { ...named, name: "z" } }]), ["chain z is not ours"]);
  assert.deepEqual(differences([...printed, { counter: { ...named, name: "c" } }]), [
    "counter c is not ours",
  ]);
  assert.deepEqual(compareTable(wanted, undefined, known), ["table ip t is gone"]);
});

test("members too many, missing and of another value are named, of very many the first", () => {
  const listed = read(printed);
  const other = table({ pools: ["10.10.10.10", "10.0.0.0/16"], nats: { "192.0.2.1": "10.0.0.9" } });
  assert.deepEqual(compareTable(other, listed, new Map()), [
    "set pools lacks 10.0.0.0/16",
    "set pools has 10.244.0.0/16 too much",
    "set nats has 192.0.2.1 : 10.0.0.1 for 10.0.0.9",
  ]);
  const many = table({ pools: Array.from({ length: 50 }, (_, index) => `10.${index}.0.0/16`), nats: {} });
  const told = compareTable(many, listed, new Map());
  assert.deepEqual([told.length, told.at(-1)], [21, "and 33 more"]);
});

test("a chain that hangs elsewhere or drops what is left is not ours", () => {
  for (const change of [{ prio: 5 }, { hook: "input" }, { type: "filter" }, { policy: "drop" }]) {
    const moved = printed.map((object) =>
      "chain" in object && object.chain.name === "post" ? { chain: { ...object.chain, ...change } } : object,
    );
    assert.deepEqual(
      compareTable(wanted, read(moved), new Map()),
      ["chain post hangs elsewhere, or drops what it does not decide on"],
      JSON.stringify(change),
    );
  }
});

test("IPv6 addresses count as the same however they are written", () => {
  const elem = [
    { prefix: { addr: "fd00:0::", len: 48 } },
    "::ffff:1.2.3.4",
    { range: ["fd01::", "fd01::5"] },
  ];
  const listed = read([{ set: { ...named, name: "s", type: "ipv6_addr", elem } }]);
  assert.deepEqual([...(listed.sets.get("s")?.elements.keys() ?? [])].slice(0, 1), ["fd00::/48"]);
  assert.ok(listed.sets.get("s")?.elements.has("fd01::-fd01::5"));
});

test("anything else that is printed is no table, or one that differs, but never an error", () => {
  for (const text of [undefined, null, 3, "x", [], {}, { nftables: {} }])
    assert.equal(readListedTable(text), undefined);
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), (objects) => {
      const listed = readListedTable({ nftables: objects });
      assert.ok(compareTable(wanted, listed, new Map()).length > 0);
    }),
  );
});
