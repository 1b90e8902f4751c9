/** The transactions of a table. Method: what they say, and what becomes of a ruleset in memory for any two tables. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareTable } from "./compare-table.ts";
import { FakeRuleset } from "./fake-ruleset.ts";
import { changeScript, dropScript, wholeScript } from "./nft-script.ts";
import type { NftTable } from "./nft-table.ts";
import { anyTable, table } from "../../test/table-samples.ts";

test("a whole table goes in by one transaction that begins with removing what is there", () => {
  assert.equal(
    wholeScript(table({ pools: ["10.0.0.0/8"], nats: { "192.0.2.1": "10.0.0.1" } })),
    [
      "add table ip t",
      "delete table ip t",
      "add table ip t",
      "add set ip t pools { type ipv4_addr; flags interval; }",
      "add element ip t pools { 10.0.0.0/8 }",
      "add map ip t nats { type ipv4_addr : ipv4_addr; }",
      "add element ip t nats { 192.0.2.1 : 10.0.0.1 }",
      "add chain ip t post { type nat hook postrouting priority 110; policy accept; }",
      "add chain ip t out",
      "add rule ip t post jump out",
      'add rule ip t out ip saddr @pools masquerade comment "pools"',
      "",
    ].join("\n"),
  );
});

test("a member that comes and one that goes are told alone", () => {
  const before = table({ pools: ["10.0.0.0/8", "11.0.0.0/8"] });
  const after = table({ pools: ["10.0.0.0/8", "12.0.0.0/8"] });
  assert.equal(
    changeScript(before, after),
    "delete element ip t pools { 11.0.0.0/8 }\nadd element ip t pools { 12.0.0.0/8 }\n",
  );
  assert.equal(changeScript(after, after), "");
  assert.equal(changeScript(after, table({ pools: ["12.0.0.0/8", "10.0.0.0/8"] })), "");
});

test("a map's entry that changes its value is replaced", () => {
  const script = changeScript(
    table({ nats: { "192.0.2.1": "10.0.0.1" } }),
    table({ nats: { "192.0.2.1": "10.0.0.2" } }),
  );
  assert.equal(
    script,
    "delete element ip t nats { 192.0.2.1 }\nadd element ip t nats { 192.0.2.1 : 10.0.0.2 }\n",
  );
});

test("many members go in by statements of a thousand", () => {
  const pools = Array.from({ length: 2500 }, (_, index) => `10.${index >> 8}.${index & 255}.0/24`);
  const statements = wholeScript(table({ pools })).match(/^add element/gm);
  assert.equal(statements?.length, 3);
});

test("whatever table follows whatever table, the ruleset is as the second says, and the rest is untouched", async () => {
  await fc.assert(
    fc.asyncProperty(anyTable(), anyTable(), async (before, after) => {
      const ruleset = new FakeRuleset();
      ruleset.byOthers("add table ip other\nadd chain ip other c\n");
      await apply(ruleset, wholeScript(before));
      await apply(ruleset, changeScript(before, after));
      const listed = await ruleset.list("ip", "t");
      assert.ok(listed.kind === "listed");
      assert.deepEqual(compareTable(after, listed.table, new Map()), []);
      await apply(ruleset, dropScript(after));
      await apply(ruleset, dropScript(after));
      const other = await ruleset.list("ip", "other");
      assert.ok(other.kind === "listed" && other.table?.chains.has("c") === true);
    }),
    { numRuns: 200 },
  );
});

async function apply(ruleset: FakeRuleset, script: string): Promise<void> {
  assert.deepEqual(await ruleset.apply(script), { kind: "done" }, script);
}

test("a set of another type and a chain that moves are written as a whole", () => {
  const before = table({ pools: [] });
  const [pools, ...sets] = before.sets;
  assert.ok(pools !== undefined);
  const other: NftTable = { ...before, sets: [{ ...pools, isInterval: false }, ...sets] };
  assert.equal(changeScript(before, other), wholeScript(other));
  const [post, ...chains] = before.chains;
  assert.ok(post?.base !== undefined);
  const moved: NftTable = {
    ...before,
    chains: [{ ...post, base: { ...post.base, priority: 5 } }, ...chains],
  };
  assert.equal(changeScript(before, moved), wholeScript(moved));
});
