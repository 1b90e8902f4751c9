/**
 * Aim: `--store` and `--store-listen` are read or refused in one line.
 * Method: a table.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readStoreChoice } from "./lab-store.ts";

test("the embedded store is the default; an etcd is named by its endpoints", () => {
  assert.deepEqual(readStoreChoice(undefined, undefined), { kind: "embedded" });
  assert.deepEqual(readStoreChoice("embedded", "127.0.0.1:2390"), {
    kind: "embedded",
    listen: "127.0.0.1:2390",
  });
  const etcd = (endpoints: readonly string[]): unknown => ({ kind: "etcd", endpoints });
  assert.deepEqual(readStoreChoice("etcd://10.0.0.1", undefined), etcd(["10.0.0.1:2379"]));
  assert.deepEqual(
    readStoreChoice("etcd://a:1,b:2,[fd00::1]:3", undefined),
    etcd(["a:1", "b:2", "[fd00::1]:3"]),
  );
  assert.deepEqual(readStoreChoice("http://a:1,http://b:2/", undefined), etcd(["a:1", "b:2"]));
});

for (const [store, listen] of [
  ["etcd://", undefined],
  ["etcd://a:99999", undefined],
  ["etcd://a,", undefined],
  ["https://a:2379", undefined],
  ["sqlite", undefined],
  ["etcd://a", "127.0.0.1:1"],
  [undefined, "/a/socket"],
] as const) {
  test(`refused: ${store ?? "embedded"} ${listen ?? ""}`, () => {
    assert.throws(() => readStoreChoice(store, listen), { name: "LabError", message: /^--store/ });
  });
}
