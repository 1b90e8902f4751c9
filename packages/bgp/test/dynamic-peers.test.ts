/**
 * Peers that are not known by address: who may be one, for how long, and what strangers cost. A test plays those who
 * connect to one speaker, in virtual time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ipv4 } from "@caracal/net";
import {
  BmpMonitor,
  type PeerRange,
  type PeerRangeInput,
  Recorder,
  everythingReachable,
  peerConfig,
  peerRange,
  replay,
} from "../src/index.ts";
import { maxRefusalFacts, refusalQuietMs } from "../src/speaker/refusals.ts";
import { addressOf, prefixOf, quickTimers } from "./simulation.ts";
import { Rig, type RigOptions, rigConfig, rigPeer } from "./speaker-rig.ts";

/** Ranges are told apart by their AS: who says another one in OPEN is refused. */
function range(prefix: string, asn: number, more: Partial<PeerRangeInput> = {}): PeerRange {
  const template = { asn, timers: quickTimers, addPathReceive: false, addPathSend: false };
  return peerRange({ name: `AS${asn}`, prefix: prefixOf(prefix), template, ...more });
}

function rigOf(ranges: readonly PeerRange[], options: RigOptions = {}): Rig {
  return new Rig([], { ...options, ranges });
}

/** Names and states. */
function peers(rig: Rig): string[] {
  return rig.speaker.peers(rig.now).map(({ name, state }) => `${name} ${state}`);
}

function knock(rig: Rig, connection: string, address: string): void {
  const remoteAddress = addressOf(address);
  rig.handle({ kind: "accepted", connection, localAddress: addressOf("10.0.0.100"), remoteAddress });
}

test("who connects from a prefix is a peer by the most specific one, and exchanges routes", () => {
  const rig = rigOf([range("10.0.0.0/24", 65001), range("10.0.0.0/30", 65002)]);
  assert.deepEqual(peers(rig), []);
  rig.up(1, 65002);
  rig.up(9, 65001);
  assert.deepEqual(peers(rig), ["AS65002@10.0.0.1 Established", "AS65001@10.0.0.9 Established"]);
  rig.announce(1, "10.9.0.0/16", { path: [65002] });
  assert.deepEqual(rig.told(9), ["10.9.0.0/16 via 10.0.0.100", "End-of-RIB"]);
  assert.deepEqual(
    rig.speaker.peers(rig.now).map((one) => one.range),
    ["AS65002", "AS65001"],
  );
});

test("a configured address wins over a prefix", () => {
  const rig = rigOf([range("10.0.0.0/24", 65001)]);
  rig.up(1, 65001);
  rig.handle({
    kind: "peers",
    peers: [peerConfig(rigPeer(65005, 1))],
    ranges: [range("10.0.0.0/24", 65001)],
  });
  assert.deepEqual(peers(rig), ["p1 Active"]);
  rig.up(1, 65005);
  assert.deepEqual(peers(rig), ["p1 Established"]);
});

test("one that went away is forgotten when its stale routes are gone and some time has passed", () => {
  const rig = rigOf([range("10.0.0.0/24", 65001)]);
  rig.up(1, 65001, { restartTimeS: 100 });
  rig.announce(1, "10.9.0.0/16", {});
  rig.lose(1);
  rig.pass(99_999);
  assert.equal(rig.speaker.sizes.routes4, 1);
  assert.deepEqual(peers(rig), ["AS65001@10.0.0.1 Active"]);
  rig.pass(1);
  assert.equal(rig.speaker.sizes.routes4, 0);
  assert.deepEqual(peers(rig), [], "the sixty seconds went by meanwhile");
  rig.up(1, 65001, { restartTimeS: undefined });
  rig.lose(1);
  rig.pass(59_999);
  assert.equal(peers(rig).length, 1);
  rig.pass(1);
  assert.deepEqual(peers(rig), []);
  assert.equal(rig.speaker.deadline, undefined, "nothing is left to do");
});

test("a stranger that says nothing, or the wrong AS, is forgotten too", () => {
  const rig = rigOf([range("10.0.0.0/24", 65001)]);
  knock(rig, "silent", "10.0.0.1");
  rig.up(2, 65009);
  assert.equal(rig.speaker.peers(rig.now)[1]?.lastError, "BGP Error: Bad peer AS");
  rig.pass(quickTimers.openWaitMs + quickTimers.errorWaitMaxMs + 60_000);
  assert.deepEqual(peers(rig), []);
});

test("there are never more than the range allows; one that is away makes room", () => {
  const rig = rigOf([range("10.0.0.0/24", 65001, { maxPeers: 2 })]);
  rig.up(1, 65001, { restartTimeS: undefined });
  rig.up(2, 65001, { restartTimeS: undefined });
  rig.up(3, 65001);
  assert.deepEqual(peers(rig), ["AS65001@10.0.0.1 Established", "AS65001@10.0.0.2 Established"]);
  assert.deepEqual(
    rig.facts("refused").map(({ reason }) => reason),
    ["full"],
  );
  rig.lose(1);
  rig.up(3, 65001);
  assert.deepEqual(peers(rig), ["AS65001@10.0.0.2 Established", "AS65001@10.0.0.3 Established"]);
});

test("a changed range changes its peers; one that is gone takes them along", () => {
  const rig = rigOf([range("10.0.0.0/24", 65001)]);
  rig.up(1, 65001);
  const limited = range("10.0.0.0/24", 65001);
  const maxPrefixes = { limit: 5, warnPercent: 50, action: "warn", restartAfterMs: 0 } as const;
  const next = { ...limited, template: { ...limited.template, maxPrefixes } };
  rig.handle({ kind: "peers", peers: [], ranges: [next] });
  assert.deepEqual(peers(rig), ["AS65001@10.0.0.1 Established"]);
  assert.equal(rig.speaker.peers(rig.now)[0]?.prefixLimit?.limit, 5);
  rig.handle({ kind: "peers", peers: [], ranges: [range("10.0.0.128/25", 65001)] });
  assert.deepEqual(peers(rig), []);
});

test("a disabled one is kept in mind", () => {
  const maxPrefixes = { limit: 1, warnPercent: 100, action: "disable", restartAfterMs: 0 } as const;
  const one = range("10.0.0.0/24", 65001);
  const rig = rigOf([{ ...one, template: { ...one.template, maxPrefixes } }]);
  rig.up(1, 65001);
  rig.announce(1, "10.8.0.0/16", {});
  rig.announce(1, "10.9.0.0/16", {});
  rig.pass(3_600_000);
  rig.up(1, 65001);
  assert.deepEqual(peers(rig), ["AS65001@10.0.0.1 Idle"]);
});

test("a restarted speaker that has ranges waits for those who may come; one that starts anew does not", () => {
  for (const restarting of [true, false]) {
    const rig = rigOf([range("10.0.0.0/24", 65001)], { config: { restarting } });
    knock(rig, "silent", "10.0.0.1");
    const synced = (): boolean => rig.effects.some(({ kind }) => kind === "initialSync");
    assert.equal(synced(), !restarting);
    rig.pass(30_000);
    assert.ok(synced());
  }
});

test("strangers that knock 10,000 times leave no memory, and a log line now and then", () => {
  const rig = rigOf([range("10.0.0.0/24", 65001)]);
  const start = rig.now;
  for (let knocks = 0; knocks < 10_000; knocks += 1) {
    rig.now += 10;
    const before = rig.effects.length;
    rig.handle({
      kind: "accepted",
      connection: `k${knocks}`,
      localAddress: addressOf("10.0.0.100"),
      remoteAddress: Ipv4.of(0xc000_0000 + knocks),
    });
    assert.deepEqual(
      rig.effects.slice(before, before + 2).map((effect) => effect.kind),
      ["send", "close"],
    );
  }
  assert.deepEqual(peers(rig), []);
  assert.equal(rig.speaker.refusedCount, 10_000);
  assert.equal(rig.speaker.deadline, undefined);
  const facts = rig.facts("refused");
  assert.equal(facts.length, maxRefusalFacts * Math.ceil((rig.now - start) / refusalQuietMs));
  assert.equal(facts[maxRefusalFacts]?.count, 1000 - maxRefusalFacts + 1, "with those that were not told of");
  for (let knocks = 0; knocks < 1000; knocks += 1) knock(rig, "again", "192.0.2.1");
  assert.equal(rig.facts("refused").length, facts.length, "the time of the last ones is not over");
  rig.now += refusalQuietMs;
  for (let knocks = 0; knocks < 1000; knocks += 1) knock(rig, "again", "192.0.2.1");
  assert.equal(rig.facts("refused").length, facts.length + 1, "one of an address");
});

test("monitoring stations hear of peers of a range as of others", () => {
  const ranges = [range("10.0.0.0/24", 65001)];
  const lines: string[] = [];
  const ports = { resolver: everythingReachable, random: () => 0.5, policies: new Map() };
  const recorder = new Recorder(rigConfig(), ports, (line) => lines.push(line));
  const onEvent: RigOptions["onEvent"] = (event, now) => recorder.event(event, now);
  const rig = new Rig([], { ranges, ports: recorder.ports, onEvent });
  rig.up(1, 65001);
  rig.announce(1, "10.9.0.0/16", {});
  rig.lose(1);
  const monitor = new BmpMonitor();
  const types = [...replay(lines)]
    .flatMap(({ event, effects, at }) => monitor.observe(event, effects, at))
    .map((message) => message[5]);
  // RFC 7854 §4.1: route monitoring is 0, peer down 2, peer up 3.
  assert.deepEqual(types, [3, 0, 2]);
});
