/**
 * The memory store keeps the port's promises, and its own: bounded history and an outage on request.
 * Method: the compliance suite, then the store alone.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStore, Revision, type StoreEvent } from "./index.ts";
import { storeSuite } from "./suite/store-suite.ts";

const shared = new MemoryStore();

for (const [index, { name, run }] of storeSuite.entries()) {
  test(name, async () => {
    await run({
      store: shared,
      root: `/suite/${index}/`,
      // A second client of a memory store is the same store, which must outlive the case's `close`: unless that is what it is about.
      open: async () => (/\bclosed\b/.test(name) ? new MemoryStore() : unclosed(shared)),
      compact: async (revision) => shared.compact(revision),
      ahead: (revision) => Revision.of(String(Number(revision) + 1000)),
    });
  });
}

function unclosed(store: MemoryStore) {
  return {
    get: store.get.bind(store),
    list: store.list.bind(store),
    create: store.create.bind(store),
    update: store.update.bind(store),
    delete: store.delete.bind(store),
    watch: store.watch.bind(store),
    close: async () => {},
  };
}

async function firstBatch(store: MemoryStore, after: string): Promise<readonly StoreEvent[]> {
  for await (const batch of store.watch("", Revision.of(after), new AbortController().signal)) return batch;
  return [];
}

test("history is bounded: the oldest changes are compacted", async () => {
  const store = new MemoryStore({ historyEvents: 10 });
  for (let index = 0; index < 100; index += 1) await store.create(String(index), "");
  await assert.rejects(firstBatch(store, "0"), { code: "compacted" });
  assert.equal((await firstBatch(store, "95")).length, 5);
});

test("an outage fails calls and watches until the store is back", async () => {
  const store = new MemoryStore();
  const watching = firstBatch(store, "0");
  store.disconnect();
  await assert.rejects(watching, { code: "unavailable" });
  await assert.rejects(store.get("a"), { code: "unavailable" });
  store.reconnect();
  assert.equal((await store.create("a", "1")).kind, "ok");
});

test("close fails the watches that wait", async () => {
  const store = new MemoryStore();
  const watching = firstBatch(store, "0");
  await store.close();
  await assert.rejects(watching, { code: "unavailable" });
});
