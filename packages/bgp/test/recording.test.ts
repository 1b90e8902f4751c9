/**
 * A run written down as lines of JSON, read back, makes another speaker do the very same: policies, ranges, limits, stale
 * routes and all. Method: a scenario played once, with each event's time; the lines alone feed a second speaker, and its
 * effects and table are compared.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type NamedPolicy,
  Speaker,
  type SpeakerEffect,
  formatEvent,
  maxPrefixesDefaults,
  parseEvent,
  peerConfig,
  peerRange,
} from "../src/index.ts";
import { prefixOf, quickTimers } from "./simulation.ts";
import { Rig, rigConfig, rigPeer, rigPorts } from "./speaker-rig.ts";

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

/** Plays the scenario, and gives each event as a line with its time. */
function record(): { rig: Rig; lines: string[] } {
  const lines: string[] = [];
  const onEvent: ConstructorParameters<typeof Rig>[1] = {
    onEvent: (event, now) => lines.push(JSON.stringify([now, formatEvent(event)])),
  };
  const rig = new Rig([], onEvent);
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
  rig.pass(3000);
  rig.lose(3);
  rig.pass(600_000);
  return { rig, lines };
}

test("a recording, read back, makes another speaker do the same, to the last byte and route", () => {
  const { rig, lines } = record();
  const speaker = new Speaker(rigConfig(), rigPorts());
  const effects: SpeakerEffect[] = [];
  let last = 0;
  for (const line of lines) {
    const [now, text]: unknown[] = JSON.parse(line);
    assert.ok(typeof now === "number" && typeof text === "string");
    const event = parseEvent(text);
    assert.ok(event !== undefined, line);
    effects.push(...speaker.handle(event, now));
    last = now;
  }
  assert.deepEqual(effects, rig.effects);
  assert.deepEqual(speaker.routes(), rig.speaker.routes());
  assert.deepEqual(speaker.peers(last), rig.speaker.peers(last));
  assert.ok(rig.facts("longLivedRoutesKept").length > 0 && rig.facts("prefixLimit").length > 0);
});
