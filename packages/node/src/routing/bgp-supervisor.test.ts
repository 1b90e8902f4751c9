/** One speaker as it is wanted, through changes, failures and stops at any moment. Method: speakers without sockets, timers mocked. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { type BgpIntent, nodeIntent } from "@caracal/intent";
import { FakeBgp, memoryLog, node, settle } from "../../test/node-fixtures.ts";
import { BgpSupervisor } from "./bgp-supervisor.ts";

/** The intent of n1 beside some other nodes. */
function intentOf(
  changes: { others?: number; routerId?: string; port?: number; as?: number } = {},
): BgpIntent {
  const others = Array.from({ length: changes.others ?? 1 }, (_, index) =>
    node(`n${index + 2}`, `172.18.0.${index + 3}/16`),
  );
  const { bgp } = nodeIntent({
    node: "n1",
    cluster: {
      nodes: [node("n1", "172.18.0.2/16"), ...others],
      pools: [],
      bgpConfigurations: [
        {
          kind: "BGPConfiguration",
          apiVersion: "projectcalico.org/v3",
          metadata: { name: "default" },
          spec: { asNumber: changes.as ?? 64512, listenPort: changes.port ?? 179 },
        },
      ],
      bgpPeers: [],
      bgpFilters: [],
    },
    affinities: [],
    endpoints: [],
    settings: { sha256: () => new Uint8Array(32), routerId: changes.routerId ?? "" },
  });
  assert.ok(bgp !== undefined);
  return bgp;
}

interface Supervised {
  readonly supervisor: BgpSupervisor;
  /** In the order of their opening. */
  readonly speakers: FakeBgp[];
  readonly heard: string[];
  readonly errors: () => number;
  /** How the next speakers open: undefined at once, an error, or when the promise resolves. */
  readonly openings: (Error | Promise<void>)[];
}

function supervise(isRestart = false): Supervised {
  const { log, lines } = memoryLog("error");
  const speakers: FakeBgp[] = [];
  const heard: string[] = [];
  const openings: (Error | Promise<void>)[] = [];
  const supervisor = new BgpSupervisor({
    isRestart,
    log,
    open: async (settings, listener) => {
      const how = openings.shift();
      if (how instanceof Error) throw how;
      await how;
      const speaker = new FakeBgp(settings, listener);
      speakers.push(speaker);
      return speaker;
    },
  });
  supervisor.listen({
    onBestRoutes: (changes) => heard.push(`${changes.length} routes`),
    onInitialSync: () => heard.push("synced"),
    onForgotten: () => heard.push("forgotten"),
  });
  return { supervisor, speakers, heard, errors: () => lines.length, openings };
}

function mockTimers(t: TestContext): void {
  t.mock.timers.enable({ apis: ["setTimeout"] });
}

test("peers, origins, policy and AS number change in place", async () => {
  const { supervisor, speakers } = supervise();
  supervisor.apply(intentOf());
  await settle();
  assert.deepEqual(speakers[0]?.peerNames, ["Mesh_172_18_0_3"]);
  supervisor.apply(intentOf({ others: 2, as: 61234 }));
  await settle();
  assert.equal(speakers.length, 1);
  assert.deepEqual(speakers[0]?.peerNames, ["Mesh_172_18_0_3", "Mesh_172_18_0_4"]);
  const { policyChanges } = speakers[0];
  supervisor.apply(intentOf({ others: 2, as: 61234 }));
  await settle();
  assert.equal(speakers[0]?.policyChanges, policyChanges, "the same policies are not set again");
});

test("a router ID or a port takes another speaker, and what the old one still tells is not heard", async () => {
  for (const change of [{ routerId: "10.0.0.1" }, { port: 1790 }]) {
    const { supervisor, speakers, heard } = supervise(true);
    supervisor.apply(intentOf());
    await settle();
    supervisor.apply(intentOf(change));
    await settle();
    assert.equal(speakers.length, 2);
    assert.deepEqual(speakers[0]?.stopped, { graceful: false });
    assert.deepEqual(heard, ["forgotten"]);
    speakers[0]?.listener.onBestRoutes([]);
    speakers[0]?.listener.onInitialSync();
    speakers[1]?.listener.onBestRoutes([]);
    assert.deepEqual(heard, ["forgotten", "0 routes"]);
    assert.deepEqual(
      speakers.map(({ settings }) => settings.restarting),
      [true, false],
      "only the first takes over from an earlier run",
    );
  }
});

test("what changes while a speaker opens is not lost", async () => {
  const { supervisor, speakers, openings } = supervise(true);
  const first = Promise.withResolvers<void>();
  openings.push(first.promise);
  supervisor.apply(intentOf());
  await settle();
  supervisor.apply(intentOf({ others: 3 }));
  first.resolve();
  await settle();
  assert.equal(speakers.length, 1);
  assert.equal(speakers[0]?.peerNames.length, 3);
});

test("another identity while a speaker opens: that one never meets a peer, and the next still takes over", async () => {
  const { supervisor, speakers, openings } = supervise(true);
  const first = Promise.withResolvers<void>();
  openings.push(first.promise);
  supervisor.apply(intentOf());
  await settle();
  supervisor.apply(intentOf({ port: 1790 }));
  first.resolve();
  await settle();
  assert.deepEqual(
    speakers.map(({ settings, peerNames, stopped }) => [
      settings.listen.port,
      settings.restarting,
      peerNames.length,
      stopped !== undefined,
    ]),
    [
      [179, true, 0, true],
      [1790, true, 1, false],
    ],
  );
});

test("without an intent the speaker goes, and nothing is waited for", async () => {
  const { supervisor, speakers, heard } = supervise();
  supervisor.apply(intentOf());
  await settle();
  supervisor.apply(undefined);
  await settle();
  assert.deepEqual(speakers[0]?.stopped, { graceful: false });
  assert.deepEqual(heard, ["forgotten", "synced"]);
  assert.deepEqual(supervisor.peers(), []);
  supervisor.apply(intentOf());
  await settle();
  assert.equal(speakers.length, 2);
});

test("a port that is taken is tried again with growing pauses, whatever else changes meanwhile", async (t) => {
  mockTimers(t);
  const { supervisor, speakers, openings, errors } = supervise();
  for (let failure = 0; failure < 8; failure += 1) openings.push(new Error("port 179 is in use"));
  supervisor.apply(intentOf());
  await settle();
  assert.equal(supervisor.failure, "port 179 is in use");
  const failedAfterS: number[] = [];
  for (let second = 1; second <= 100; second += 1) {
    const before = errors();
    supervisor.apply(intentOf({ others: (second % 5) + 1 }));
    await settle();
    t.mock.timers.tick(1_000);
    await settle();
    if (errors() > before) failedAfterS.push(second);
  }
  assert.deepEqual(failedAfterS, [1, 3, 7, 15, 31, 61, 91]);
  openings.length = 0;
  t.mock.timers.tick(30_000);
  await settle();
  assert.equal(supervisor.failure, undefined);
  assert.equal(speakers[0]?.peerNames.length, 1, "with the peers that are wanted now");
});

test("another port is tried at once", async (t) => {
  mockTimers(t);
  const { supervisor, speakers, openings } = supervise();
  openings.push(new Error("port 179 is in use"));
  supervisor.apply(intentOf());
  await settle();
  supervisor.apply(intentOf({ port: 1790 }));
  await settle();
  assert.equal(speakers[0]?.settings.listen.port, 1790);
  assert.equal(supervisor.failure, undefined);
  t.mock.timers.tick(60_000);
  await settle();
  assert.equal(speakers.length, 1);
});

test("stopping keeps the peers' routes, also while a speaker opens or waits to be tried again", async (t) => {
  mockTimers(t);
  const running = supervise();
  running.supervisor.apply(intentOf());
  await settle();
  await running.supervisor.stop();
  assert.deepEqual(running.speakers[0]?.stopped, { graceful: true });
  running.supervisor.apply(intentOf({ port: 1790 }));
  await settle();
  assert.equal(running.speakers.length, 1);

  const opening = supervise();
  const gate = Promise.withResolvers<void>();
  opening.openings.push(gate.promise);
  opening.supervisor.apply(intentOf());
  await settle();
  const stopped = opening.supervisor.stop();
  gate.resolve();
  await stopped;
  assert.deepEqual(opening.speakers[0]?.stopped, { graceful: true });
  assert.deepEqual(opening.speakers[0]?.peerNames, []);

  const waiting = supervise();
  waiting.openings.push(new Error("port 179 is in use"));
  waiting.supervisor.apply(intentOf());
  await settle();
  await waiting.supervisor.stop();
  t.mock.timers.tick(60_000);
  await settle();
  assert.equal(waiting.speakers.length, 0);
});
