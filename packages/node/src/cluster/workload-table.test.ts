/** Aim: workloads are told by their addresses, and only changes of these count. Method: the table fed with entries. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, MemoryStore, type SyncChange } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import { apply, endpoint } from "../../test/node-fixtures.ts";
import { WorkloadTable } from "./workload-table.ts";

test("workloads come and go with their addresses, once somebody has asked", async () => {
  const store = new MemoryStore();
  const puts = async (): Promise<readonly SyncChange[]> =>
    (await store.list(keys.resources("workloadendpoints"))).entries.map((entry) => ({
      kind: "put",
      entry,
      previous: undefined,
    }));
  await apply(store, endpoint("n1", "a", "10.244.0.1"), endpoint("n2", "b", "10.244.9.1"));
  let entries = (await store.list(keys.resources("workloadendpoints"))).entries;
  const table = new WorkloadTable(() => entries);
  assert.equal(table.apply(await puts()), false, "nobody has asked");
  const shown = (): readonly string[] =>
    table.values().map(({ prefix, node }) => `${Prefix.format(prefix)} ${node}`);
  assert.deepEqual(shown(), ["10.244.0.1/32 n1", "10.244.9.1/32 n2"]);
  const before = table.values();
  assert.equal(table.apply(await puts()), false);
  assert.equal(table.values(), before);
  await apply(store, endpoint("n2", "c", "10.244.9.2"));
  assert.equal(table.apply(await puts()), true);
  assert.deepEqual(shown(), ["10.244.0.1/32 n1", "10.244.9.1/32 n2", "10.244.9.2/32 n2"]);
  entries = [];
  const [first] = await puts();
  assert.ok(first?.kind === "put");
  assert.equal(table.apply([{ kind: "delete", key: first.entry.key, previous: first.entry }]), true);
  assert.deepEqual(shown(), ["10.244.9.1/32 n2", "10.244.9.2/32 n2"]);
});
