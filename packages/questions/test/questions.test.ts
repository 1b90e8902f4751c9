/**
 * Aim: a question reaches the daemons that it names and the answers come back, whatever becomes of asker and daemons.
 * Method: desks and askers over the memory store.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { type Cancellation } from "@caracal/net";
import { MemoryStore } from "@caracal/datastore";
import { type Answerer, AnswerDesk, askNodes } from "@caracal/questions";

const sleep = (_ms: number, _signal: Cancellation): Promise<void> =>
  new Promise((resolve) => setImmediate(resolve));

function openDesk(t: TestContext, store: MemoryStore, node: string, methods: Record<string, Answerer>): void {
  const stop = new AbortController();
  const running = new AnswerDesk({ store, node, methods, sleep }).run(stop.signal);
  t.after(async () => {
    stop.abort();
    await running;
  });
}

async function keysOf(store: MemoryStore): Promise<readonly string[]> {
  return (await store.list("/caracal/")).entries.map(({ key }) => key);
}

test("every node that is asked answers, the others stay silent, and nothing is left in the store", async (t) => {
  const store = new MemoryStore();
  for (const node of ["a", "b", "c"]) openDesk(t, store, node, { who: (params) => ({ node, params }) });
  const answers = await askNodes(store, { method: "who", params: { n: 1 }, nodes: ["a", "c"] });
  assert.deepEqual(Object.fromEntries(answers), {
    a: { kind: "result", result: { node: "a", params: { n: 1 } } },
    c: { kind: "result", result: { node: "c", params: { n: 1 } } },
  });
  assert.deepEqual(await keysOf(store), []);
});

test("a node that does not answer is missing, and does not hold up the rest for longer than asked", async (t) => {
  const store = new MemoryStore();
  openDesk(t, store, "a", { who: () => "a" });
  const answers = await askNodes(store, { method: "who", params: {}, nodes: ["a", "away"], waitMs: 50 });
  assert.deepEqual([...answers.keys()], ["a"]);
  assert.deepEqual(await keysOf(store), []);
});

test("an unknown method, one that fails, and an answer that is too long are told as errors", async (t) => {
  const store = new MemoryStore();
  openDesk(t, store, "a", {
    broken: () => {
      throw new Error("no kernel");
    },
    long: () => "x".repeat(2 * 1024 * 1024),
  });
  const ask = async (method: string): Promise<unknown> =>
    (await askNodes(store, { method, params: {}, nodes: ["a"] })).get("a");
  assert.deepEqual(await ask("what"), {
    kind: "error",
    code: "unknown-method",
    message: "this daemon does not know what",
  });
  assert.deepEqual(await ask("broken"), { kind: "error", code: "internal", message: "no kernel" });
  assert.deepEqual(await ask("long"), {
    kind: "error",
    code: "too-large",
    message: "the answer is longer than 1048576 bytes: ask for less",
  });
});

test("what an asker left behind is removed by the next one, but only when it is old", async () => {
  const store = new MemoryStore();
  const now = Date.now();
  const minutesAgo = (minutes: number): string => (now - minutes * 60_000).toString(36);
  await store.create(`/caracal/v1/questions/${minutesAgo(11)}-ab`, '{"method":"who"}');
  await store.create(`/caracal/v1/answers/${minutesAgo(11)}-ab/a`, "{}");
  await store.create(`/caracal/v1/answers/${minutesAgo(1)}-cd/a`, "{}");
  await askNodes(store, { method: "who", params: {}, nodes: [] });
  assert.deepEqual(await keysOf(store), [`/caracal/v1/answers/${minutesAgo(1)}-cd/a`]);
});

test("text that is no question is passed over, and the next question is answered", async (t) => {
  const store = new MemoryStore();
  openDesk(t, store, "a", { who: () => "a" });
  for (const [index, text] of ["", "[]", "{", '{"method":7}'].entries()) {
    await store.create(`/caracal/v1/questions/${Date.now().toString(36)}-${index}`, text);
  }
  const answers = await askNodes(store, { method: "who", params: {}, nodes: ["a"] });
  assert.deepEqual(answers.get("a"), { kind: "result", result: "a" });
});
