/**
 * A run written down as lines of JSON, read back, makes another speaker do the very same: policies, ranges, limits, stale
 * routes, chance and all. Method: a scenario is played once and written down; the lines alone feed a second speaker, and its
 * effects and table are compared.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type NamedPolicy,
  type NextHopResolver,
  Recorder,
  RecordingError,
  maxPrefixesDefaults,
  peerConfig,
  peerRange,
  replay,
} from "../src/index.ts";
import { seeded } from "./seeded.ts";
import { addressOf, prefixOf, quickTimers } from "./simulation.ts";
import { Rig, rigConfig, rigPeer } from "./speaker-rig.ts";

const policies: readonly NamedPolicy[] = [
  {
    name: "in",
    direction: "import",
    peerType: "eBGP",
    filters: [
      {
        rules: [
          { match: { prefixes: ["10.8.0.0/16"] }, action: "reject" },
          { match: { asPath: { pattern: "_7_" } }, set: { localPref: 300 }, action: "accept" },
        ],
        otherwise: "continue",
      },
    ],
  },
  {
    name: "out",
    direction: "export",
    peerType: "eBGP",
    filters: [
      { rules: [{ set: { communities: { add: ["65000:1"] } }, action: "accept" }], otherwise: "reject" },
    ],
  },
];

/** Plays the scenario with chance, and with next hops that move; gives all that was written down. */
function record(): { rig: Rig; lines: string[] } {
  const lines: string[] = [];
  let metric = 10;
  const resolve: NextHopResolver["resolve"] = (nextHop) =>
    nextHop === addressOf("10.0.0.9") ? { reachable: false } : { reachable: true, metric, connected: true };
  const ports = { resolver: { resolve }, random: seeded(9), policies: new Map() };
  const recorder = new Recorder(rigConfig(), ports, (line) => lines.push(line));
  const rig = new Rig([], {
    ports: recorder.ports,
    onEvent: (event, now) => recorder.event(event, now),
  });
  rig.handle({ kind: "policies", policies });
  const both = { importPolicy: "in", exportPolicy: "out" };
  rig.handle({
    kind: "peers",
    peers: [
      peerConfig({ ...rigPeer(65001, 1), ...both, longLivedTimeS: 600 }),
      peerConfig({ ...rigPeer(65002, 2), ...both, maxPrefixes: { ...maxPrefixesDefaults, limit: 2 } }),
    ],
    ranges: [
      peerRange({
        name: "others",
        prefix: prefixOf("10.0.0.0/24"),
        template: { asn: 65003, timers: quickTimers, addPathReceive: false, addPathSend: false },
      }),
    ],
  });
  rig.local("10.1.0.0/26", "fd00:1::/64");
  rig.up(1, 65001, { restartTimeS: 10, longLivedTimeS: 100 });
  rig.up(2, 65002);
  rig.up(3, 65003);
  rig.announce(1, "10.8.0.0/16", {});
  rig.announce(1, "10.9.0.0/16", { path: [65001, 7], communities: [7] });
  rig.announce(3, "10.10.0.0/16", {});
  rig.lose(1);
  rig.pass(20_000);
  // The filter changes while its routes are stale; then the limit is passed.
  rig.handle({ kind: "policies", policies: policies.map((one) => ({ ...one, filters: [] })) });
  for (const prefix of ["10.20.0.0/16", "10.21.0.0/16", "10.22.0.0/16"]) rig.announce(2, prefix, {});
  metric = 20;
  // Somebody asks in between, which asks the resolver too.
  assert.ok(rig.speaker.routes().length > 0);
  rig.handle({ kind: "resolution" });
  rig.announce(3, "10.11.0.0/16", { nextHop: addressOf("10.0.0.9") });
  rig.pass(3000);
  rig.lose(3);
  rig.pass(600_000);
  return { rig, lines };
}

test("a recording, read back, makes another speaker do the same, to the last byte and route", () => {
  const { rig, lines } = record();
  const replayed = [...replay(lines)];
  assert.deepEqual(
    replayed.flatMap(({ effects }) => effects),
    rig.effects,
  );
  const last = replayed.at(-1);
  assert.ok(last !== undefined);
  assert.deepEqual(last.speaker.routes(), rig.speaker.routes());
  assert.deepEqual(last.speaker.peers(last.at), rig.speaker.peers(last.at));
  assert.ok(rig.facts("longLivedRoutesKept").length > 0 && rig.facts("prefixLimit").length > 0);
  assert.ok(
    lines.some((line) => line.includes("random")) && lines.some((line) => line.includes("resolution")),
  );
});

test("two starts in one recording are two speakers; what is cut off or strange is named by its line", () => {
  const { lines } = record();
  const speakers = new Set([...replay([...lines, ...lines])].map(({ speaker }) => speaker));
  assert.equal(speakers.size, 2);
  const [config = "", ...rest] = lines;
  for (const [bad, line] of [
    [[config, rest[0]?.slice(0, 20) ?? ""], 2],
    [rest, 1],
    [[config, "{}"], 2],
  ] as const) {
    assert.throws(
      () => [...replay(bad)],
      (error) => error instanceof RecordingError && error.line === line,
    );
  }
});
