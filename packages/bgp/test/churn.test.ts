/**
 * Flapping without end, on small tables: whatever comes and goes some hundred thousand times, the tables take no more room
 * than after the first part of it, and are empty when all is gone. A test plays the peers of one speaker.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ipv4, Prefix } from "@caracal/net";
import { type PeerRange, type TableSizes, maxPrefixesDefaults, peerRange } from "../src/index.ts";
import { growthFactor } from "../src/rib/columns.ts";
import { encodeNlri } from "../src/wire/nlri.ts";
import { UpdateWriter } from "../src/wire/update-writer.ts";
import { seeded } from "./seeded.ts";
import { addressOf, prefixOf, quickTimers } from "./simulation.ts";
import { Rig } from "./speaker-rig.ts";

const tableSize = 200;

/** Some of the prefixes, from peer `number`, announced with attributes that were never there before, or withdrawn. */
function churn(rig: Rig, number: number, random: () => number, mark: number): number {
  const writer = new UpdateWriter({ family: 4, addPath: false, as4: true });
  const first = Math.floor(random() * tableSize);
  const count = 1 + Math.floor(random() * 40);
  const one = (index: number) => ({
    prefix: Prefix.of(Ipv4.of((0x0b00_0000 + ((first + index) % tableSize) * 256) >>> 0), 24),
    pathId: 0,
  });
  if (random() < 0.35) {
    writer.withdraw(count, (out, index) => encodeNlri(out, one(index), false));
  } else {
    const attributes = {
      origin: 0,
      asPath: [{ kind: "sequence", asns: [65000 + number, 1 + Math.floor(random() * 9)] }],
      nextHop: addressOf(`10.0.0.${number}`),
      med: mark,
      communities: Array.from({ length: Math.floor(random() * 9) }, (_, index) => mark * 16 + index),
    } as const;
    writer.announce(attributes, count, (out, index) => encodeNlri(out, one(index), false));
  }
  rig.bytes(number, writer.take());
  // What was said is not what is tested here.
  rig.effects.length = 0;
  return count;
}

function assertNoMore(after: TableSizes, before: TableSizes, what: string): void {
  for (const key of ["prefixRoom", "routeRoom", "attributeRoom", "attributeBytes"] as const) {
    // The highest tide may come late, and with it one more step.
    const most = before[key] * growthFactor;
    assert.ok(after[key] <= most, `${what}: ${key} from ${before[key]} to ${after[key]}`);
  }
}

function assertEmpty(rig: Rig): void {
  const { prefixes, connections } = rig.speaker.tables;
  const { attributeSets, routes4 } = rig.speaker.sizes;
  assert.deepEqual(
    { prefixes, connections, attributeSets, routes4 },
    {
      prefixes: 0,
      connections: 0,
      attributeSets: 0,
      routes4: 0,
    },
  );
}

test("300,000 routes announced, changed and withdrawn by three peers take the room of the first", () => {
  const rig = new Rig([65001, 65002, 65003]);
  for (const number of [1, 2, 3]) rig.up(number, 65000 + number, { restartTimeS: undefined });
  const random = seeded(5);
  let mark = 0;
  const rounds = (routes: number): void => {
    for (let done = 0; done < routes;) {
      mark += 1;
      done += churn(rig, 1 + (mark % 3), random, mark);
    }
  };
  rounds(30_000);
  const early = rig.speaker.tables;
  rounds(270_000);
  assertNoMore(rig.speaker.tables, early, "routes");
  assert.ok(rig.speaker.tables.prefixes <= tableSize);
  for (const number of [1, 2, 3]) rig.lose(number);
  assertEmpty(rig);
});

test("4,000 sessions that come, speak and break, some gracefully, some over a limit, leave nothing", () => {
  const maxPrefixes = { ...maxPrefixesDefaults, limit: 150, restartAfterMs: 1 };
  const rig = new Rig([65001, 65002], {}, { longLivedTimeS: 5, maxPrefixes });
  const random = seeded(6);
  let early: TableSizes | undefined;
  for (let round = 0; round < 2000; round += 1) {
    for (const number of [1, 2]) {
      const times = random() < 0.5 ? { restartTimeS: 1, longLivedTimeS: 2 } : { restartTimeS: undefined };
      rig.up(number, 65000 + number, times);
      for (let updates = 0; updates < 3; updates += 1) churn(rig, number, random, round * 8 + updates);
      if (random() < 0.5) rig.endOfRib(number);
      if (random() < 0.8) rig.lose(number);
    }
    rig.pass(random() < 0.5 ? 10 : 6000);
    rig.effects.length = 0;
    if (round === 200) early = rig.speaker.tables;
  }
  assert.ok(early !== undefined);
  assertNoMore(rig.speaker.tables, early, "sessions");
  for (const number of [1, 2]) rig.lose(number);
  rig.pass(60_000);
  assertEmpty(rig);
});

test("6,000 peers of a prefix, never the same, leave nothing", () => {
  const range: PeerRange = peerRange({
    name: "r",
    prefix: prefixOf("10.0.0.0/8"),
    template: { asn: 65001, timers: quickTimers, addPathReceive: false, addPathSend: false },
    maxPeers: 20,
    forgetAfterMs: 1000,
  });
  const rig = new Rig([], { ranges: [range] });
  const random = seeded(7);
  let most = 0;
  let early: TableSizes | undefined;
  for (let round = 0; round < 6000; round += 1) {
    rig.now += 100;
    const number = 1 + (round % 250);
    rig.up(number, 65001, { restartTimeS: undefined }, false, `10.${round >> 8}.${round & 255}.1`);
    churn(rig, number, random, round);
    rig.lose(number);
    rig.pass(0);
    rig.effects.length = 0;
    most = Math.max(most, rig.speaker.tables.peers);
    if (round === 600) early = rig.speaker.tables;
  }
  assert.ok(most <= 20, `${most} peers`);
  assert.ok(early !== undefined);
  assertNoMore(rig.speaker.tables, early, "peers");
  rig.pass(10_000);
  assert.equal(rig.speaker.tables.peers, 0);
  assertEmpty(rig);
});
