/**
 * Aim: `get --watch` prints what there is and every change, once, until it is stopped. Method: whole command lines over a store
 * in memory that is changed while they run; each step waits for the text of the one before.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, type MemoryStore, type Store } from "@caracal/datastore";
import { nodes, pool, poolYaml, storeOf } from "../../test/resources-fixture.ts";
import { type Outcome, run } from "../../test/test-context.ts";

/** How long a text may take to come. */
const deadlineMs = 60_000;

interface Watching {
  readonly text: () => string;
  /** Resolves when the text matches. */
  readonly until: (pattern: RegExp) => Promise<void>;
  readonly stop: () => Promise<Outcome>;
}

function watch(store: Store, line: string): Watching {
  const stopping = new AbortController();
  let text = "";
  let changed = Promise.withResolvers<void>();
  const ended = run(line, {
    store,
    signal: stopping.signal,
    stdout: {
      write: (more) => {
        text += more;
        changed.resolve();
        changed = Promise.withResolvers<void>();
      },
    },
  });
  return {
    text: () => text,
    until: async (pattern) => {
      const timeout = AbortSignal.timeout(deadlineMs);
      const late = new Promise<never>((_, reject) => {
        timeout.addEventListener("abort", () => reject(new Error(`no ${String(pattern)} in ${text}`)));
      });
      while (!pattern.test(text)) await Promise.race([changed.promise, late]);
    },
    stop: async () => {
      stopping.abort();
      return ended;
    },
  };
}

async function remove(store: MemoryStore, name: string): Promise<void> {
  await store.delete(keys.resource("ippools", name));
}

test("a table goes on with a row for every change", async () => {
  const store = await storeOf({ "ippools/p": pool });
  const watching = watch(store, "get pools -w");
  await watching.until(/ADDED/);
  await run("apply -f -", { store, stdin: poolYaml("second", "10.9.0.0/16") });
  await watching.until(/second/);
  await run(["patch", "pool", "p", "-p", "spec: {nodeSelector: has(a)}"], { store });
  await watching.until(/MODIFIED/);
  await remove(store, "second");
  await watching.until(/DELETED/);
  assert.equal((await watching.stop()).exitCode, 0);
  assert.deepEqual(watching.text().split("\n"), [
    "EVENT      NAME   CIDR            SELECTOR   ",
    "ADDED      p      10.244.0.0/16   all()      ",
    "ADDED      second   10.9.0.0/16     all()      ",
    "MODIFIED   p        10.244.0.0/16   has(a)     ",
    "DELETED    second   10.9.0.0/16     all()      ",
    "",
  ]);
});

test("nothing yet is a heading, and names narrow it", async () => {
  const store = await storeOf(nodes);
  const none = watch(store, "get pools --watch");
  await none.until(/^EVENT {6}NAME {2,}CIDR/);
  await none.stop();
  const one = watch(store, "get node node1.whale.com -w -o custom-columns=NAME");
  await one.until(/node1/);
  await run("label node node2.whale.com a=b", { store });
  await run("label node node1.whale.com a=b", { store });
  await one.until(/MODIFIED/);
  await one.stop();
  assert.doesNotMatch(one.text(), /node2|master/);
});

test("documents say what happened to them", async () => {
  const store = await storeOf({ "ippools/p": pool });
  const json = watch(store, "get pool p -w -o json");
  await json.until(/\n\}\n$/);
  await json.stop();
  assert.partialDeepStrictEqual(JSON.parse(json.text()), { type: "ADDED", object: { kind: "IPPool" } });
  const yaml = watch(store, "get pools -w -o yaml");
  await yaml.until(/---\n$/);
  await yaml.stop();
  assert.match(yaml.text(), /^object:\n {2}apiVersion: projectcalico\.org\/v3\n[^]*\ntype: ADDED\n---\n$/);
});

test("files cannot be watched, and columns must exist", async () => {
  const store = await storeOf({});
  assert.equal(
    (await run("get -f - -w", { store, stdin: poolYaml("p", "10.0.0.0/16") })).stderr,
    "--watch needs a kind, not --filename\n",
  );
  assert.match((await run("get pool -w -o custom-columns=X", { store })).stderr, /^Unknown column name 'X'/);
});
