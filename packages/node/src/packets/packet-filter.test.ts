/** A node's tables of nftables. Method: a ruleset in memory, virtual time; the rules themselves are tried by packets elsewhere. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { FakeRuleset, VirtualClock } from "@caracal/dataplane";
import { type PacketIntent, packetIntents } from "@caracal/intent";
import { memoryLog, node, pool } from "../../test/node-fixtures.ts";
import { packetReport } from "./packet-report.ts";
import { PacketFilter } from "./packet-filter.ts";

const none = { bgpConfigurations: [], bgpPeers: [], bgpFilters: [] };

function intentsOf(natOutgoing: boolean): readonly PacketIntent[] {
  const cluster = {
    nodes: [node("n1", "10.0.0.1/24")],
    pools: [pool("10.244.0.0/16", { natOutgoing })],
    ...none,
  };
  return packetIntents({ node: "n1", cluster, endpoints: [] });
}

function setUp(t: TestContext) {
  const ruleset = new FakeRuleset();
  const clock = new VirtualClock();
  const { log, lines } = memoryLog();
  let intents: readonly PacketIntent[] | undefined;
  const filter = new PacketFilter({
    ruleset,
    clock,
    log,
    interfacePrefixes: ["cali"],
    intents: () => intents,
  });
  t.after(() => filter[Symbol.dispose]());
  const become = async (next: readonly PacketIntent[]): Promise<void> => {
    intents = next;
    filter.schedule();
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(10);
  };
  return { ruleset, clock, lines, filter, become };
}

test("nothing is touched and nothing is ready before the cluster is known", async (t) => {
  const { ruleset, clock, filter } = setUp(t);
  filter.schedule();
  await clock.advance(60_000);
  assert.deepEqual([ruleset.scripts, filter.health.ready], [[], false]);
});

test("what is wanted is reported in words, and others' changes are told in one line", async (t) => {
  const { ruleset, clock, lines, filter, become } = setUp(t);
  await become(intentsOf(true));
  assert.deepEqual(packetReport(filter), {
    isInSync: true,
    repairs: 0,
    rules: ["IPv4 natOutgoing 10.244.0.0/16 to the node's address, except to 10.244.0.0/16"],
  });
  ruleset.flushByOthers({ pid: 7, program: "nft" });
  await clock.advance(1000);
  assert.deepEqual([filter.health.ready, packetReport(filter).repairs], [true, 1]);
  assert.deepEqual(
    lines.map(({ level, table, differences, by }) => ({ level, table, differences, by })),
    [
      {
        level: "warn",
        table: "ip caracal",
        differences: ["table ip caracal is gone"],
        by: { pid: 7, program: "nft" },
      },
    ],
  );
});

test("on a kernel without nftables a node is ready, and says what it lacks", async (t) => {
  const { ruleset, filter, lines, become } = setUp(t);
  ruleset.failure = { kind: "failed", reason: "unsupported", detail: "the kernel has no nftables" };
  await become(intentsOf(true));
  assert.deepEqual(filter.health, { live: true, ready: true, detail: "the kernel has no nftables" });
  assert.equal(packetReport(filter).failure, "the kernel has no nftables");
  assert.equal(lines.length, 1);
});

test("without nft a node that needs it is not ready, says so once, and recovers; one that does not is", async (t) => {
  const { ruleset, clock, lines, filter, become } = setUp(t);
  ruleset.failure = { kind: "failed", reason: "missing", detail: "nft is not installed" };
  await become(intentsOf(false));
  assert.equal(filter.health.ready, true);
  await become(intentsOf(true));
  await clock.advance(60_000);
  assert.deepEqual(filter.health, { live: true, ready: false, detail: "nft is not installed" });
  assert.equal(packetReport(filter).failure, "nft is not installed");
  assert.deepEqual(
    lines.map(({ level, msg, reason }) => [level, msg, reason]),
    [["error", "nftables are not as they should be", "nft is not installed"]],
  );
  ruleset.failure = undefined;
  await clock.advance(60_000);
  assert.equal(filter.health.ready, true);
  assert.equal(lines.at(-1)?.["msg"], "nftables are as they should be");
});
