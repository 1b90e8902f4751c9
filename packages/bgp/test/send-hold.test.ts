/**
 * A connection that stands still (RFC 9687): when that ends the session, and what ends the wait; and one with too much queued.
 * Virtual time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type SessionTimers } from "../src/index.ts";
import { quickTimers } from "./simulation.ts";
import { WireRig } from "./wire-rig.ts";

function rig(timers: Partial<SessionTimers>): WireRig {
  const own = { ...quickTimers, holdTimeMs: 0, keepaliveMs: 0, ...timers };
  const one = new WireRig([{ number: 1, asn: 65001, timers: own }]);
  one.establish(1, { timers: own });
  return one;
}

function stalled(one: WireRig, isStalled: boolean): void {
  one.handle({ kind: "stalled", connection: "c1", stalled: isStalled });
}

test("a connection that stands still for the send hold time ends with code 8, and says so", () => {
  const one = rig({ sendHoldMs: 60_000 });
  one.now = 1000;
  stalled(one, true);
  one.advanceTo(60_999);
  assert.equal(one.speaker.peers(0)[0]?.state, "Established");
  one.advanceTo(61_000);
  assert.deepEqual(one.take(1), ["notification 8.0"]);
  assert.deepEqual(one.closed, ["c1"]);
  assert.equal(one.speaker.peers(0)[0]?.lastError, "BGP Error: Send hold timer expired");
  const last = one.facts.findLast((fact) => fact.kind === "sessionState");
  assert.ok(last?.kind === "sessionState");
  assert.deepEqual([last.from, last.to], ["Established", "Idle"]);
  assert.equal(last.reason, "BGP Error: Send hold timer expired");
});

test("what moves again begins the wait anew", () => {
  const one = rig({ sendHoldMs: 60_000 });
  stalled(one, true);
  one.advanceTo(59_000);
  stalled(one, false);
  one.advanceTo(500_000);
  assert.equal(one.speaker.peers(0)[0]?.state, "Established");
  stalled(one, true);
  one.advanceTo(560_000);
  assert.equal(one.take(1).at(-1), "notification 8.0");
});

test("it waits eight minutes, or twice the hold time if that is more, unless told otherwise", () => {
  const wait = (timers: Partial<SessionTimers>): number | undefined =>
    rig(timers).speaker.peers(0)[0]?.session?.sendHoldMs;
  assert.equal(wait({}), 480_000);
  assert.equal(wait({ holdTimeMs: 90_000, keepaliveMs: 30_000 }), 480_000);
  assert.equal(wait({ holdTimeMs: 300_000, keepaliveMs: 100_000 }), 600_000);
  assert.equal(wait({ sendHoldMs: 5000 }), 5000);
  assert.equal(wait({ sendHoldMs: 0 }), undefined);
});

test("a send hold time of 0 waits for ever, and a connection of another's time is nobody's", () => {
  const one = rig({ sendHoldMs: 0 });
  stalled(one, true);
  assert.equal(one.speaker.deadline, undefined);
  one.handle({ kind: "stalled", connection: "c9", stalled: true });
  assert.equal(one.speaker.deadline, undefined);
});

test("a peer that only takes nothing, and talks on, is still given up", () => {
  const timers = { holdTimeMs: 9000, keepaliveMs: 3000, sendHoldMs: 20_000 };
  const one = rig(timers);
  stalled(one, true);
  for (let now = 0; now < 20_000; now += 3000) {
    one.advanceTo(now);
    one.announce(1, [`10.${now / 1000}.0.0/16`]);
  }
  assert.equal(one.speaker.peers(0)[0]?.state, "Established");
  one.advanceTo(20_000);
  assert.equal(one.take(1).at(-1), "notification 8.0");
});

test("a connection whose queue passes its bound ends with Cease/8 (RFC 4486), and the log says why", () => {
  const one = rig({});
  one.take(1);
  one.handle({ kind: "overflowed", connection: "c1" });
  assert.deepEqual(one.take(1), ["notification 6.8"]);
  assert.deepEqual(one.closed, ["c1"]);
  const last = one.facts.findLast((fact) => fact.kind === "sessionState");
  assert.ok(last?.kind === "sessionState");
  assert.deepEqual([last.from, last.to], ["Established", "Idle"]);
  assert.equal(last.reason, "BGP Error: Out of Resources (send queue overflow)");
  // One that is gone already.
  one.handle({ kind: "overflowed", connection: "c1" });
  assert.deepEqual(one.take(1), []);
  // It may come back.
  one.advanceTo(600_000);
  one.establish(1);
  assert.equal(one.speaker.peers(0)[0]?.state, "Established");
});
