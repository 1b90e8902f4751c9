/**
 * The reconciler of a table. Method: a ruleset in memory that others change too, virtual time, and random sequences of wishes,
 * vandalism and failures that must end in the wanted table.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { anyTable, table } from "../../test/table-samples.ts";
import { VirtualClock } from "../virtual-clock.ts";
import { compareTable } from "./compare-table.ts";
import { FakeRuleset } from "./fake-ruleset.ts";
import type { NftTable } from "./nft-table.ts";
import { type TableNews, TableReconciler } from "./table-reconciler.ts";

const limits = { recheckMs: 10_000, noticeDelayMs: 50, retryMinMs: 100, retryMaxMs: 1000 };

function setUp(t?: TestContext) {
  const ruleset = new FakeRuleset();
  const clock = new VirtualClock();
  const news: TableNews[] = [];
  const reconciler = new TableReconciler({
    ruleset,
    clock,
    family: "ip",
    name: "t",
    limits,
    onNews: (one) => news.push(one),
  });
  reconciler.start();
  t?.after(() => reconciler.stop());
  const differences = async (wanted: NftTable | undefined): Promise<readonly string[]> => {
    const listed = await ruleset.list("ip", "t");
    assert.ok(listed.kind === "listed");
    if (wanted === undefined) return listed.table === undefined ? [] : ["there is a table"];
    return compareTable(wanted, listed.table, new Map());
  };
  return { ruleset, clock, news, reconciler, differences };
}

test("the first wish writes over what an earlier run left; the same wish again writes nothing", async (t) => {
  const { ruleset, clock, reconciler, differences } = setUp(t);
  ruleset.byOthers("add table ip t\nadd chain ip t old\n");
  await clock.advance(1000);
  assert.equal(ruleset.scripts.length, 0, "nothing is changed before the first wish");
  const wanted = table({ pools: ["10.0.0.0/8"] });
  reconciler.want(wanted);
  await clock.advance(0);
  assert.deepEqual(await differences(wanted), []);
  assert.equal(reconciler.status.isReady, true);
  reconciler.want(table({ pools: ["10.0.0.0/8"] }));
  await clock.advance(60_000);
  assert.equal(ruleset.scripts.length, 1);
  assert.equal(reconciler.status.isReady, true);
});

test("no wish for a table removes what was left, once", async (t) => {
  const { ruleset, clock, reconciler, differences } = setUp(t);
  ruleset.byOthers("add table ip t\n");
  reconciler.want(undefined);
  await clock.advance(60_000);
  assert.deepEqual(await differences(undefined), []);
  assert.equal(ruleset.scripts.length, 1);
});

test("a change of members is one small transaction", async (t) => {
  const { ruleset, clock, reconciler } = setUp(t);
  reconciler.want(table({ pools: ["10.0.0.0/8"] }));
  await clock.advance(0);
  reconciler.want(table({ pools: ["10.0.0.0/8", "11.0.0.0/8"] }));
  await clock.advance(0);
  assert.equal(ruleset.scripts.at(-1), "add element ip t pools { 11.0.0.0/8 }\n");
});

test("a flushed ruleset is back at once, and who did it is told in one piece of news", async (t) => {
  const { ruleset, clock, news, reconciler, differences } = setUp(t);
  const wanted = table({ pools: ["10.0.0.0/8"] });
  reconciler.want(wanted);
  await clock.advance(0);
  ruleset.flushByOthers({ pid: 7, program: "nft" });
  assert.equal(reconciler.status.isReady, false);
  await clock.advance(limits.noticeDelayMs);
  assert.deepEqual(await differences(wanted), []);
  assert.deepEqual(news, [
    { kind: "repaired", differences: ["table ip t is gone"], by: { pid: 7, program: "nft" } },
  ]);
  assert.deepEqual([reconciler.status.isReady, reconciler.status.repairCount], [true, 1]);
});

test("an altered rule that nobody told of is found by the next look", async (t) => {
  const { ruleset, clock, news, reconciler, differences } = setUp(t);
  const wanted = table({ pools: ["10.0.0.0/8"] });
  reconciler.want(wanted);
  await clock.advance(0);
  ruleset.tell = () => undefined;
  ruleset.byOthers('flush chain ip t out\nadd rule ip t out accept comment "pools"\n');
  assert.deepEqual(await differences(wanted), [], "its comment is still there");
  await clock.advance(limits.recheckMs);
  assert.deepEqual(
    news.map((one) => (one.kind === "repaired" ? one.differences : one)),
    [["rule 1 of chain out is another: pools"]],
  );
});

test("how often a table is looked at may change, down to never", async (t) => {
  const { ruleset, clock, news, reconciler } = setUp(t);
  reconciler.want(table({ pools: ["10.0.0.0/8"] }));
  await clock.advance(0);
  reconciler.recheckEvery(Infinity);
  ruleset.tell = () => undefined;
  ruleset.byOthers("delete table ip t\n");
  await clock.advance(10 * limits.recheckMs);
  assert.deepEqual(news, []);
  reconciler.recheckEvery(500);
  await clock.advance(499);
  assert.deepEqual(news, []);
  await clock.advance(1);
  assert.equal(news.length, 1);
});

test("changes of other tables cause nothing; lost news cause a look", async (t) => {
  const { ruleset, clock, reconciler, news } = setUp(t);
  reconciler.want(table({ pools: [] }));
  await clock.advance(0);
  ruleset.byOthers("add table ip other\nadd table ip6 t\n");
  await clock.advance(1000);
  ruleset.tell({ kind: "overrun" });
  await clock.advance(1000);
  assert.deepEqual([ruleset.scripts.length, news, reconciler.status.isReady], [1, [], true]);
});

test("a change that was undone leaves no news, but the table is written again", async (t) => {
  const { ruleset, clock, reconciler, news } = setUp(t);
  reconciler.want(table({ pools: [] }));
  await clock.advance(0);
  ruleset.byOthers("add chain ip t c\ndelete chain ip t c\n");
  await clock.advance(1000);
  assert.deepEqual([ruleset.scripts.length, news], [2, []]);
});

test("somebody who wants it otherwise again and again is not answered without end", async (t) => {
  const { ruleset, clock, reconciler, news } = setUp(t);
  reconciler.want(table({ pools: [] }));
  for (let round = 0; round < 600; round += 1) {
    await clock.advance(100);
    const listed = await ruleset.list("ip", "t");
    if (listed.kind === "listed" && listed.table !== undefined) ruleset.flushByOthers();
  }
  const repairs = news.filter(({ kind }) => kind === "repaired").length;
  assert.ok(repairs > 5 && repairs < 100, `${repairs} repairs in a minute`);
});

test("a member that others took away fails the small transaction, and the whole one follows at once", async (t) => {
  const { ruleset, clock, reconciler, differences, news } = setUp(t);
  reconciler.want(table({ pools: ["10.0.0.0/8", "11.0.0.0/8"] }));
  await clock.advance(0);
  ruleset.tell = () => undefined;
  ruleset.byOthers("delete element ip t pools { 11.0.0.0/8 }\n");
  const wanted = table({ pools: ["10.0.0.0/8"] });
  reconciler.want(wanted);
  await clock.advance(0);
  assert.deepEqual(await differences(wanted), []);
  assert.deepEqual(news, []);
});

test("without nft a wish fails with one piece of news, is tried again, and recovers", async (t) => {
  const { ruleset, clock, reconciler, news } = setUp(t);
  const failure = { kind: "failed", reason: "missing", detail: "there is no nft" } as const;
  ruleset.failure = failure;
  reconciler.want(undefined);
  await clock.advance(60_000);
  assert.deepEqual([news, reconciler.status.isReady], [[], true], "nothing wanted, nothing missed");
  reconciler.want(table({ pools: [] }));
  await clock.advance(60_000);
  const { reason, detail } = failure;
  assert.deepEqual(news, [{ kind: "failed", reason, detail }]);
  assert.deepEqual(reconciler.status.failure, { reason, detail });
  const attempts = ruleset.scripts.length;
  assert.ok(attempts > 10 && attempts < 80, `${attempts} attempts in a minute`);
  ruleset.failure = undefined;
  await clock.advance(limits.retryMaxMs);
  assert.deepEqual(news.at(-1), { kind: "recovered" });
  assert.equal(reconciler.status.isReady, true);
});

test("wishes, vandals and failures in any order end in what was wished last", async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("want" as const), wanted: fc.option(anyTable(), { nil: undefined }) }),
    fc.record({ kind: fc.constant("flush" as const) }),
    fc.record({ kind: fc.constant("vandal" as const) }),
    fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(200) }),
    fc.record({ kind: fc.constant("fail" as const), fails: fc.boolean() }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
      const { ruleset, clock, reconciler, differences } = setUp();
      let wanted: NftTable | undefined;
      reconciler.want(wanted);
      for (const one of steps) {
        if (one.kind === "want") reconciler.want((wanted = one.wanted));
        else if (one.kind === "flush") ruleset.flushByOthers();
        else if (one.kind === "vandal") ruleset.byOthers("add table ip t\nadd chain ip t v\n");
        else if (one.kind === "wait") await clock.advance(one.ms);
        else if (one.fails) ruleset.failure = { kind: "failed", reason: "refused", detail: "no" };
        else ruleset.failure = undefined;
      }
      ruleset.failure = undefined;
      // A vandal of a table that nobody wants is left alone; a new wish is not.
      reconciler.want((wanted ??= table({})));
      await clock.advance(60_000);
      assert.deepEqual(await differences(wanted), []);
      assert.equal(reconciler.status.isReady, true);
      reconciler.stop();
    }),
    { numRuns: 100 },
  );
});
