/** Aim: only what changes routes is a change. Method: records as IPAM writes them, put, altered and deleted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Entry, Revision, type SyncChange } from "@caracal/datastore";
import { BlockTable } from "./block-table.ts";

const key = "/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-30";

function put(affinity: string | undefined, holders: readonly string[]): SyncChange {
  const attributes = holders.map((node) => ({ handle_id: "h", secondary: { node } }));
  const allocations = [0, 1, 2, 3].map((at) => (at < holders.length ? at : null));
  const value = JSON.stringify({ cidr: "10.0.0.0/30", affinity, allocations, attributes });
  return { kind: "put", entry: entryOf(value), previous: undefined };
}

function entryOf(value: string): Entry {
  return { key, value, revision: Revision.of("1") };
}

test("a pod of the block's own node changes nothing, a borrower and a new owner do", () => {
  const table = new BlockTable("a");
  assert.equal(table.apply([put("host:a", ["a"])]), true);
  const before = table.values();
  assert.equal(table.apply([put("host:a", ["a", "a"])]), false);
  assert.equal(table.values(), before);
  assert.equal(table.apply([put("host:a", ["a", "b"])]), true);
  assert.equal(table.values()[0]?.borrowed[0]?.node, "b");
  assert.equal(table.apply([put(undefined, ["a", "b"])]), true);
  assert.equal(table.values()[0]?.borrowed.length, 2);
  assert.equal(table.apply([{ kind: "delete", key, previous: entryOf("") }]), true);
  assert.deepEqual(table.values(), []);
});

test("a record that makes no sense is no block", () => {
  const table = new BlockTable("a");
  const entry = entryOf("{");
  assert.equal(table.apply([{ kind: "put", entry, previous: undefined }]), false);
  assert.equal(table.apply([put("host:a", [])]), true);
  assert.equal(table.apply([{ kind: "put", entry, previous: undefined }]), true);
});

test("the records of blocks with addresses of this node are kept whole", () => {
  const table = new BlockTable("a");
  table.apply([put("host:b", ["b", "a"])]);
  assert.deepEqual(
    table.used.map(({ allocations }) => allocations),
    [[0, 1, null, null]],
  );
  table.apply([put("host:a", ["b"])]);
  assert.deepEqual(table.used, []);
});
