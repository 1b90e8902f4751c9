/**
 * What operators say to each other when a session ends (RFC 9003), and which cease each end of a session gets (RFC 4486).
 * Peers are played by the test message by message, or are speakers of a simulation.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Utf8 } from "@caracal/net";
import { type PeerInput, peerConfig } from "../src/index.ts";
import {
  decodeNotification,
  encodeNotification,
  notificationText,
  shutdownData,
} from "../src/wire/notification.ts";
import { cease } from "../src/session/reasons.ts";
import { type SimNode, Simulation, addressOf, quickTimers } from "./simulation.ts";
import { WireRig } from "./wire-rig.ts";

function said(message: string): string {
  return notificationText(decodeNotification(encodeNotification(cease(2, message))));
}

test("a message goes with a shutdown or a reset, and with no other cease", () => {
  assert.equal(said("back at ten: Grüße 🐈"), "Administrative shutdown: back at ten: Grüße 🐈");
  assert.equal(said(""), "Administrative shutdown");
  assert.equal(notificationText(cease(4, "new filters")), "Administrative reset: new filters");
  assert.equal(cease(3, "gone").data.length, 0);
});

test("a message has at most 255 bytes, and no half characters", () => {
  const [length = 0, ...bytes] = shutdownData("ü".repeat(200));
  assert.equal(length, 254);
  assert.equal(Utf8.decode(Uint8Array.from(bytes)), "ü".repeat(127));
  assert.equal(shutdownData("x".repeat(300))[0], 255);
});

test("what a peer sends is shown without control characters, and not at all if its length is wrong", () => {
  const text = (data: readonly number[]): string =>
    notificationText({ kind: "notification", code: 6, subcode: 2, data: Uint8Array.from(data) });
  assert.equal(text([4, 0x61, 0x1b, 0x5b, 0x62]), "Administrative shutdown: a [b");
  assert.equal(text([2, 0xff, 0x61]), "Administrative shutdown: \ufffda");
  assert.equal(text([200, 0x61]), "Administrative shutdown");
  assert.equal(text([0]), "Administrative shutdown");
});

interface Pair {
  readonly net: Simulation;
  readonly a: SimNode;
  readonly b: SimNode;
}

function pair(): Pair {
  const net = new Simulation(1);
  const a = net.node("a", "10.0.0.1");
  const b = net.node("b", "10.0.0.2");
  a.setPeers([peerOf(b)]);
  b.setPeers([peerOf(a)]);
  net.run(2000);
  assert.equal(b.speaker.peers(net.now)[0]?.state, "Established");
  return { net, a, b };
}

function peerOf(node: SimNode, more: Partial<PeerInput> = {}): PeerInput {
  return { name: node.name, address: node.address, asn: node.asn, ...more };
}

/** Why the session with the other one last went down. */
function lastReason(node: SimNode): string | undefined {
  const down = node.facts.findLast((fact) => fact.kind === "sessionState" && fact.from === "Established");
  return down?.kind === "sessionState" ? down.reason : undefined;
}

test("each way of ending a session says its own cease, and the other end shows it", () => {
  const endings: readonly (readonly [reason: string, end: (pair: Pair) => void])[] = [
    [
      "Administrative reset: new policy",
      ({ a }) => a.handle({ kind: "reset", peer: "b", message: "new policy" }),
    ],
    ["Administrative reset", ({ a }) => a.handle({ kind: "reset", peer: "b" })],
    [
      "Administrative shutdown: moving house",
      ({ a }) => a.handle({ kind: "stop", graceful: false, message: "moving house" }),
    ],
    [
      "Administrative shutdown: until noon",
      ({ a, b }) => a.setPeers([peerOf(b, { shutdown: "until noon" })]),
    ],
    ["Peer de-configured", ({ a }) => a.setPeers([])],
    ["Other configuration change", ({ a, b }) => a.setPeers([peerOf(b, { addPathSend: false })])],
  ];
  for (const [reason, end] of endings) {
    const one = pair();
    end(one);
    one.net.run(100);
    assert.match(lastReason(one.b) ?? "", new RegExp(`^Received: (Hard reset: )?${reason}$`));
  }
});

test("what ended a session goes ahead of the next connection, which might look like a restart", () => {
  for (const end of [
    ({ a }: Pair) => a.handle({ kind: "reset", peer: "b" }),
    ({ a, b }: Pair) => a.setPeers([peerOf(b, { addPathSend: false })]),
  ]) {
    const one = pair();
    const before = one.net.now;
    end(one);
    const wait = (one.a.speaker.deadline ?? Infinity) - before;
    assert.ok(wait >= 0.75 * quickTimers.connectRetryMinMs && wait < Infinity, `${wait} ms`);
  }
});

test("a peer that is shut down has no session until it is let up again", () => {
  const one = pair();
  one.a.setPeers([peerOf(one.b, { shutdown: "until noon" })]);
  one.net.run(20_000);
  const [shut] = one.a.speaker.peers(one.net.now);
  assert.equal(shut?.state, "Idle");
  assert.equal(shut.lastError, "BGP Error: Administrative shutdown: until noon");
  assert.notEqual(one.b.speaker.peers(one.net.now)[0]?.state, "Established");
  one.a.handle({ kind: "reset", peer: "b" });
  one.net.run(20_000);
  assert.equal(one.a.speaker.peers(one.net.now)[0]?.state, "Idle", "a reset does not let it up");
  one.a.setPeers([peerOf(one.b)]);
  one.net.run(20_000);
  assert.equal(one.a.speaker.peers(one.net.now)[0]?.state, "Established");
});

test("a peer that is shut down from the start is not waited for", () => {
  const net = new Simulation(1);
  const a = net.node("a", "10.0.0.1");
  const b = net.node("b", "10.0.0.2");
  a.setPeers([peerOf(b, { shutdown: "" })]);
  net.run(1);
  assert.ok(a.synced);
  assert.equal(a.speaker.peers(0)[0]?.lastError, "BGP Error: Administrative shutdown");
});

test("who is no peer, and a peer that is not wanted now, hear that they are rejected", () => {
  const one = new WireRig([{ number: 1, asn: 65001, shutdown: "" }]);
  one.connect(1);
  one.connect(7);
  assert.deepEqual([one.take(1), one.take(7)], [["notification 6.5"], ["notification 6.5"]]);
  assert.deepEqual(one.closed, ["c1", "c7"]);
});

test("letting one peer be shut down touches no other", () => {
  const one = new WireRig([
    { number: 1, asn: 65001 },
    { number: 2, asn: 65002 },
  ]);
  one.establish(1);
  one.establish(2);
  const peers = [1, 2].map((number) =>
    peerConfig({
      name: `p${number}`,
      address: addressOf(`10.0.0.${number}`),
      asn: 65000 + number,
      passive: true,
      timers: quickTimers,
      addPathReceive: false,
      addPathSend: false,
      ...(number === 1 ? { shutdown: "bye" } : {}),
    }),
  );
  one.handle({ kind: "peers", peers });
  assert.deepEqual([one.take(1), one.take(2)], [["notification 6.2"], []]);
});
