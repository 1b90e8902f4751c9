/** Route refresh both ways (RFC 2918, RFC 7313): one speaker, its peer played by the test message by message. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RefreshKind } from "../src/iana.ts";
import { refreshLimitMs } from "../src/speaker/peer-refresh.ts";
import { type SessionConfig, defaultTimers } from "../src/session/session-config.ts";
import { encodeFrame } from "../src/wire/header.ts";
import { keepaliveBytes } from "../src/wire/message.ts";
import { WireRig } from "./wire-rig.ts";

/** Long enough for a wait of minutes without keepalives. */
const patient = { ...defaultTimers, holdTimeMs: 0, keepaliveMs: 0 };

function rig(more: Partial<SessionConfig> = {}): WireRig {
  const one = new WireRig([{ number: 1, asn: 65001, timers: patient }]);
  one.local("10.1.0.0/16", "10.2.0.0/16");
  one.establish(1, { timers: patient, ...more });
  return one;
}

const routes = ["10.1.0.0/16 via 10.0.0.100", "10.2.0.0/16 via 10.0.0.100"];

test("the answer to a request stands between a beginning and an end", () => {
  const one = rig();
  one.refresh(1);
  assert.deepEqual(one.take(1), ["refresh begins"]);
  one.settle();
  assert.deepEqual(one.take(1), [...routes, "refresh ends"]);
});

test("a peer without the capability gets the routes alone", () => {
  const one = rig({ enhancedRefresh: false });
  one.refresh(1);
  one.settle();
  assert.deepEqual(one.take(1), routes);
});

test("a request while one is being answered begins the answer anew, with one end", () => {
  const one = rig();
  one.refresh(1);
  one.refresh(1);
  one.settle();
  assert.deepEqual(one.take(1), ["refresh begins", "refresh begins", ...routes, "refresh ends"]);
});

test("what changes during a refresh stands in it, or is withdrawn before its end", () => {
  const one = rig();
  one.refresh(1);
  one.handle({ kind: "localRoutes", routes: [] });
  one.settle();
  assert.deepEqual(one.take(1).toSorted(), [
    "-10.1.0.0/16",
    "-10.2.0.0/16",
    "refresh begins",
    "refresh ends",
  ]);
});

test("a congested peer hears the end once it has heard the routes", () => {
  const one = rig();
  one.handle({ kind: "congested", connection: "c1", full: true });
  one.refresh(1);
  one.settle();
  assert.deepEqual(one.take(1), ["refresh begins"]);
  one.handle({ kind: "congested", connection: "c1", full: false });
  one.settle();
  assert.deepEqual(one.take(1), [...routes, "refresh ends"]);
});

test("a request before End-of-RIB is answered after it", () => {
  const one = new WireRig([{ number: 1, asn: 65001 }]);
  one.local("10.1.0.0/16", "10.2.0.0/16");
  one.connect(1);
  one.open(1);
  one.bytes(1, keepaliveBytes);
  one.take(1);
  one.refresh(1);
  one.settle();
  assert.deepEqual(one.take(1), [...routes, "End-of-RIB", "refresh begins", ...routes, "refresh ends"]);
});

test("an empty table's refresh has a beginning and an end too", () => {
  const one = new WireRig([{ number: 1, asn: 65001 }]);
  one.establish(1);
  one.refresh(1);
  one.settle();
  assert.deepEqual(one.take(1), ["refresh begins", "refresh ends"]);
});

test("a family that was not agreed on, and an unknown subtype, are ignored", () => {
  const one = rig();
  one.refresh(1, RefreshKind.request, 2);
  one.refresh(1, 7);
  // Longer than a request may be: of an unknown subtype not even that is looked at.
  one.bytes(
    1,
    encodeFrame(5, (out) => out.bytes(Uint8Array.of(0, 1, 200, 1, 9, 9))),
  );
  one.settle();
  assert.deepEqual(one.take(1), []);
});

test("a ROUTE-REFRESH of a wrong length costs the session, with the message as data", () => {
  for (const body of [[0, 1, 0], [0, 1, 1, 1, 5], [0, 1, 2, 1, 5], []]) {
    const one = rig();
    const bytes = encodeFrame(5, (out) => out.bytes(Uint8Array.from(body)));
    one.bytes(1, bytes);
    const [notification] = one.takeMessages(1).slice(-1);
    assert.ok(notification?.kind === "notification");
    assert.deepEqual([notification.code, notification.subcode], [7, 1]);
    assert.deepEqual(notification.data, bytes);
  }
});

test("routes that a peer does not tell again between its beginning and its end are gone", () => {
  const one = rig();
  one.announce(1, ["10.8.0.0/16", "10.9.0.0/16"]);
  one.refresh(1, RefreshKind.begin);
  assert.deepEqual(one.from(1), ["10.8.0.0/16", "10.9.0.0/16"], "in use meanwhile");
  assert.equal(one.speaker.peers(0)[0]?.staleCount, 0, "and worth as much as before");
  one.announce(1, ["10.9.0.0/16"]);
  one.refresh(1, RefreshKind.end);
  assert.deepEqual(one.from(1), ["10.9.0.0/16"]);
  const removed = one.facts.filter((fact) => fact.kind === "unrefreshedRoutesRemoved");
  assert.deepEqual(removed, [{ kind: "unrefreshedRoutesRemoved", peer: "p1", family: 4, count: 1 }]);
});

test("an end without a beginning removes nothing; a second beginning begins anew", () => {
  const one = rig();
  one.announce(1, ["10.8.0.0/16", "10.9.0.0/16"]);
  one.refresh(1, RefreshKind.end);
  assert.equal(one.from(1).length, 2);
  one.refresh(1, RefreshKind.begin);
  one.announce(1, ["10.8.0.0/16"]);
  one.refresh(1, RefreshKind.begin);
  one.announce(1, ["10.9.0.0/16"]);
  one.refresh(1, RefreshKind.end);
  assert.deepEqual(one.from(1), ["10.9.0.0/16"]);
  one.refresh(1, RefreshKind.end);
  assert.deepEqual(one.from(1), ["10.9.0.0/16"]);
});

test("a refresh that never ends is over after its limit", () => {
  const one = rig();
  one.announce(1, ["10.8.0.0/16", "10.9.0.0/16"]);
  one.refresh(1, RefreshKind.begin);
  one.announce(1, ["10.9.0.0/16"]);
  one.advanceTo(refreshLimitMs - 1);
  assert.equal(one.from(1).length, 2);
  one.advanceTo(refreshLimitMs);
  assert.deepEqual(one.from(1), ["10.9.0.0/16"]);
});

test("a beginning before End-of-RIB of a peer with graceful restart is ignored, and told", () => {
  const one = rig({ restartTimeS: 100 });
  one.announce(1, ["10.8.0.0/16"]);
  one.refresh(1, RefreshKind.begin);
  one.refresh(1, RefreshKind.end);
  assert.deepEqual(one.from(1), ["10.8.0.0/16"]);
  assert.deepEqual(one.facts.at(-1), { kind: "refreshIgnored", peer: "p1", family: 4 });
  one.endOfRib(1);
  one.refresh(1, RefreshKind.begin);
  one.refresh(1, RefreshKind.end);
  assert.deepEqual(one.from(1), []);
});

test("a refresh that the session does not outlive leaves no trace in the next one", () => {
  const one = rig({ restartTimeS: 100 });
  one.announce(1, ["10.8.0.0/16"]);
  one.endOfRib(1);
  one.refresh(1, RefreshKind.begin);
  one.handle({ kind: "failed", connection: "c1", reason: "Connection closed" });
  one.establish(1, { timers: patient, restartTimeS: 100 });
  one.announce(1, ["10.8.0.0/16"]);
  one.endOfRib(1);
  one.refresh(1, RefreshKind.end);
  assert.deepEqual(one.from(1), ["10.8.0.0/16"]);
});
