/**
 * Aim: a move that does not come to hold is taken back whole, last step first; one that is stopped stays where it is.
 * Method: steps that note what is done to them, a store in memory with one node that answers, virtual time.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { keys, MemoryStore, StoreError } from "@caracal/datastore";
import { AnswerDesk, type TableRoute } from "@caracal/questions";
import { CliError } from "../cli-error.ts";
import type { CliContext } from "../context.ts";
import { makeMove, type MoveStep } from "./watched-move.ts";

interface Scene {
  readonly ctx: CliContext;
  readonly store: MemoryStore;
  readonly done: string[];
  /** What the node answers; a test may change it. */
  readonly table: { routes: readonly TableRoute[]; unknownBecause?: string };
  readonly step: (name: string, more?: Partial<MoveStep>) => MoveStep;
}

const learned: TableRoute = {
  prefix: "10.244.1.0/26",
  isOwn: false,
  nextHop: "10.0.0.2",
  from: ["Mesh_10_0_0_2"],
  isProgrammed: true,
};

async function scene(t: TestContext, signal: AbortSignal = new AbortController().signal): Promise<Scene> {
  const store = new MemoryStore();
  const node = { kind: "Node", apiVersion: "projectcalico.org/v3", metadata: { name: "a" }, spec: {} };
  await store.create(keys.resource("nodes", "a"), JSON.stringify(node));
  const table: Scene["table"] = { routes: [learned] };
  const stop = new AbortController();
  const methods = { "route.table": () => ({ node: "a", ...table }) };
  const running = new AnswerDesk({ store, node: "a", methods, sleep: async () => undefined }).run(
    stop.signal,
  );
  t.after(async () => {
    stop.abort();
    await running;
  });
  const done: string[] = [];
  let now = 0;
  const silent = { write: () => undefined };
  const ctx: CliContext = {
    guise: "caracal",
    stdout: silent,
    stderr: silent,
    stdin: { isTerminal: false, async *[Symbol.asyncIterator]() {} },
    env: {},
    userId: 0,
    now: () => new Date(now),
    signal,
    sleep: async () => void (now += 20_000),
    openStore: async () => store,
  };
  return {
    ctx,
    store,
    done,
    table,
    step: (name, more = {}) => ({
      title: name,
      apply: async () => void done.push(`do ${name}`),
      undo: async () => void done.push(`undo ${name}`),
      missing: () => [],
      ...more,
    }),
  };
}

test("steps are made in their order", async (t) => {
  const { ctx, store, step, done } = await scene(t);
  assert.deepEqual(await makeMove(ctx, store, [step("one"), step("two")]), { kind: "done" });
  assert.deepEqual(done, ["do one", "do two"]);
});

test("a condition that does not come to hold in its time takes everything back", async (t) => {
  const { ctx, store, step, done } = await scene(t);
  const steps = [step("one"), step("two", { missing: () => ["a has no path"] }), step("three")];
  assert.deepEqual(await makeMove(ctx, store, steps), {
    kind: "undone",
    step: "two",
    missing: ["a has no path"],
  });
  assert.deepEqual(done, ["do one", "do two", "undo two", "undo one"]);
});

test("a condition may come to hold later", async (t) => {
  const { ctx, store, step, done } = await scene(t);
  let looks = 0;
  const slow = step("slow", { missing: () => ((looks += 1) < 2 ? ["not yet"] : []) });
  assert.equal((await makeMove(ctx, store, [slow])).kind, "done");
  assert.deepEqual(done, ["do slow"]);
});

test("a route that a node had before and lacks takes everything back", async (t) => {
  const { ctx, store, step, done, table } = await scene(t);
  const drop = step("drop", {
    apply: async () => {
      done.push("do drop");
      table.routes = [];
    },
  });
  const outcome = await makeMove(ctx, store, [drop]);
  assert.deepEqual(outcome, { kind: "undone", step: "drop", missing: ["a lost 10.244.1.0/26"] });
  assert.deepEqual(done, ["do drop", "undo drop"]);
});

test("a step that is refused takes back what went before", async (t) => {
  const { ctx, store, step, done } = await scene(t);
  const refused = step("refused", { apply: () => Promise.reject(new CliError("update conflict")) });
  const outcome = await makeMove(ctx, store, [step("one"), refused]);
  assert.deepEqual(outcome, { kind: "undone", step: "refused", missing: ["update conflict"] });
  assert.deepEqual(done, ["do one", "undo refused", "undo one"]);
});

test("without every node's answer nothing is begun", async (t) => {
  const { ctx, store, step, done } = await scene(t);
  await store.create(
    keys.resource("nodes", "b"),
    '{"kind":"Node","apiVersion":"projectcalico.org/v3","metadata":{"name":"b"},"spec":{}}',
  );
  await assert.rejects(makeMove(ctx, store, [step("one")]), /no answer from b, so routes cannot be compared/);
  assert.deepEqual(done, []);
});

test("where a table is not known nothing is begun", async (t) => {
  const { ctx, store, step, done, table } = await scene(t);
  Object.assign(table, { routes: [], unknownBecause: "BIRD speaks BGP there" });
  await assert.rejects(
    makeMove(ctx, store, [step("one")]),
    /the routes of a \(BIRD speaks BGP there\) are not known/,
  );
  assert.deepEqual(done, []);
});

test("a move that is stopped stays where it is", async (t) => {
  const stop = new AbortController();
  const { ctx, store, step, done } = await scene(t, stop.signal);
  const steps = [step("one", { missing: () => (stop.abort(), ["never"]) }), step("two")];
  assert.deepEqual(await makeMove(ctx, store, steps), { kind: "interrupted", step: "one" });
  assert.deepEqual(done, ["do one"]);
});

test("a datastore that goes away leaves the move where it is, and says so", async (t) => {
  const { ctx, store, step } = await scene(t);
  let told = "";
  const gone = step("one", { apply: () => Promise.reject(new StoreError("unavailable", "gone")) });
  const telling = { ...ctx, stderr: { write: (text: string) => void (told += text) } };
  await assert.rejects(makeMove(telling, store, [gone]), { code: "unavailable" });
  assert.match(told, /stopped at: one; run it again to go on, or migrate the other way to take it back\n$/);
});

test("a node that falls silent is named, and not what seems to be missing without it", async (t) => {
  const { ctx, store, step } = await scene(t);
  const silence = step("one", {
    apply: async () => {
      await store.create(
        keys.resource("nodes", "b"),
        '{"kind":"Node","apiVersion":"projectcalico.org/v3","metadata":{"name":"b"},"spec":{}}',
      );
    },
    missing: () => ["a has no path to 10.244.1.0/26 of b"],
  });
  const outcome = await makeMove(ctx, store, [silence]);
  assert.deepEqual(outcome, { kind: "undone", step: "one", missing: ["b does not answer"] });
});
