/** Aim: a namespace's labels and annotations are told alike by watches and by the store. Method: both over the memory store. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { keys, MemoryStore } from "@caracal/datastore";
import { WatchedNamespaces } from "./watched-namespaces.ts";

const deadlineMs = 60_000;

async function put(store: MemoryStore, key: string, value: object): Promise<void> {
  await store.delete(key);
  await store.create(key, JSON.stringify(value));
}

test("the document comes before the profile, and a watch says what the store says", async () => {
  const store = new MemoryStore();
  const document = {
    metadata: { name: "a", labels: { team: "blue" }, annotations: { x: "document", n: 1 } },
  };
  const profile = {
    metadata: { name: "kns.a", annotations: { x: "profile", y: "profile" } },
    spec: { labelsToApply: { "pcns.team": "red", "pcns.tier": "web", other: "o" } },
  };
  await put(store, keys.resource("kubernetesnamespaces", "a"), document);
  await put(store, keys.resource("profiles", "kns.a"), profile);
  await put(store, keys.resource("kubernetesnamespaces", "bad"), []);
  const namespaces = new WatchedNamespaces(store);
  const expected = {
    labels: { team: "blue", tier: "web" },
    annotations: new Map([
      ["x", "document"],
      ["y", "profile"],
    ]),
  };
  assert.deepEqual(await namespaces.get("a"), expected);
  assert.deepEqual(await namespaces.get("bad"), { labels: {}, annotations: new Map() });
  assert.equal(await namespaces.get("none"), undefined);

  const stop = new AbortController();
  const running = namespaces.run(stop.signal);
  let tries = 0;
  for (; tries * 10 < deadlineMs; tries += 1) {
    if (namespaces.isCurrent) break;
    await delay(10);
  }
  assert.ok(namespaces.isCurrent);
  assert.deepEqual(await namespaces.get("a"), expected);
  await store.delete(keys.resource("kubernetesnamespaces", "a"));
  await store.delete(keys.resource("profiles", "kns.a"));
  for (; tries * 10 < deadlineMs && (await namespaces.get("a")) !== undefined; tries += 1) await delay(10);
  assert.equal(await namespaces.get("a"), undefined);
  stop.abort();
  await running;
});
