/**
 * The speaker by itself: a test plays the peers by feeding it their bytes. What it sends is read with our own decoder,
 * which BIRD's captures prove elsewhere.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type IpAddress } from "@caracal/net";
import { formatEvent, parseEvent, peerConfig, speakerDefaults } from "../src/index.ts";
import { encodeRouteRefresh } from "../src/wire/route-refresh.ts";
import { addressOf } from "./simulation.ts";
import { Rig, best, rigPeer } from "./speaker-rig.ts";

test("two external paths as good as each other are both next hops", () => {
  const rig = new Rig([65001, 65002]);
  rig.up(1, 65001);
  rig.up(2, 65002);
  assert.deepEqual(best(rig.announce(1, "10.9.0.0/16", {})), ["10.9.0.0/16 via 10.0.0.1"]);
  assert.deepEqual(best(rig.announce(2, "10.9.0.0/16", {})), ["10.9.0.0/16 via 10.0.0.1,10.0.0.2"]);
  assert.deepEqual(best(rig.announce(2, "10.9.0.0/16", { path: [65002, 7] })), ["10.9.0.0/16 via 10.0.0.1"]);
  rig.withdraw(1, "10.9.0.0/16");
  assert.deepEqual(best(rig.effects).at(-1), "10.9.0.0/16 via 10.0.0.2");
});

test("a peer is not told its own route; when its own takes another's place, the other's is withdrawn from it", () => {
  const rig = new Rig([65001, 65002, 65003]);
  for (const [index, asn] of [65001, 65002, 65003].entries()) rig.up(index + 1, asn);
  rig.announce(1, "10.9.0.0/16", { path: [65001, 7] });
  assert.deepEqual(rig.told(1), ["End-of-RIB"]);
  assert.deepEqual(rig.told(2), ["10.9.0.0/16 via 10.0.0.100", "End-of-RIB"]);
  rig.announce(2, "10.9.0.0/16", {});
  assert.deepEqual(rig.told(1), ["10.9.0.0/16 via 10.0.0.100", "End-of-RIB"]);
  assert.deepEqual(rig.told(2), ["End-of-RIB"]);
  assert.equal(rig.speaker.peers(rig.now)[1]?.exportedCount, 0);
  rig.withdraw(2, "10.9.0.0/16");
  assert.deepEqual(rig.told(2), ["10.9.0.0/16 via 10.0.0.100", "End-of-RIB"]);
});

test("members of a group get the same bytes", () => {
  const rig = new Rig([65001, 65001, 65001].map((asn, index) => asn + index));
  for (const number of [1, 2, 3]) rig.up(number, 65000 + number);
  const sent = rig.announce(1, "10.9.0.0/16", {}).filter((one) => one.kind === "send");
  assert.deepEqual(
    sent.map((one) => one.connection),
    ["c2", "c3"],
  );
  assert.equal(sent[0]?.bytes, sent[1]?.bytes);
});

test("two peers removed at once: the route that took the other's place is gone as well", () => {
  const rig = new Rig([65001, 65002, 65003]);
  for (const number of [1, 2, 3]) rig.up(number, 65000 + number);
  rig.announce(1, "10.9.0.0/16", {});
  rig.announce(2, "10.9.0.0/16", { path: [65002, 7] });
  rig.announce(2, "10.8.0.0/16", { path: [65002, 7] });
  assert.equal(rig.told(3).length, 3);
  rig.handle({
    kind: "peers",
    peers: [peerConfig({ ...rigPeer(65003, 3) })],
  });
  assert.deepEqual(rig.told(3), ["End-of-RIB"]);
  assert.equal(rig.speaker.sizes.routes4, 0);
});

test("peers that join together share the bytes of their first dump", () => {
  const rig = new Rig([65001, 65002, 65003]);
  rig.up(1, 65001);
  rig.announce(1, "10.9.0.0/16", {});
  rig.announce(1, "10.8.0.0/16", { path: [65001, 7] });
  for (const number of [2, 3]) rig.open(number, 65000 + number);
  const sent = rig.handle({ kind: "tick" }).filter((one) => one.kind === "send");
  assert.equal(sent.length, 4, "routes and End-of-RIB, to two peers");
  assert.equal(sent[0]?.bytes, sent[1]?.bytes);
  assert.deepEqual(rig.told(2), ["10.8.0.0/16 via 10.0.0.100", "10.9.0.0/16 via 10.0.0.100", "End-of-RIB"]);
  assert.deepEqual(rig.told(3), rig.told(2));
});

test("an internal peer made a reflector's client: its routes go to the other internal peers from then on", () => {
  const rig = new Rig([64512, 64512]);
  for (const number of [1, 2]) rig.up(number, 64512);
  rig.announce(1, "10.9.0.0/16", { path: [65009], localPref: 100 });
  assert.deepEqual(rig.told(2), ["End-of-RIB"]);
  const peers = [{ ...rigPeer(64512, 1), reflectorClient: true }, rigPeer(64512, 2)].map(peerConfig);
  rig.handle({ kind: "peers", peers });
  assert.deepEqual(rig.told(2), ["10.9.0.0/16 via 10.0.0.1", "End-of-RIB"]);
});

test("NO_EXPORT stays in the AS, NO_ADVERTISE stays here", () => {
  const rig = new Rig([65001, 64512, 65003]);
  rig.up(1, 65001);
  rig.up(2, 64512);
  rig.up(3, 65003);
  rig.announce(1, "10.8.0.0/16", { communities: [0xffffff01] });
  rig.announce(1, "10.9.0.0/16", { communities: [0xffffff02] });
  assert.deepEqual(rig.told(2), ["10.8.0.0/16 via 10.0.0.1", "End-of-RIB"]);
  assert.deepEqual(rig.told(3), ["End-of-RIB"]);
});

test("a path with our AS in it is kept aside and counted", () => {
  const rig = new Rig([65001]);
  rig.up(1, 65001);
  assert.deepEqual(best(rig.announce(1, "10.9.0.0/16", { path: [65001, 64512] })), []);
  assert.equal(rig.speaker.routes()[0]?.state, "looped");
  assert.equal(rig.speaker.peers(rig.now)[0]?.imports.updatesRejected, 1);
});

test("next hops are resolved again when the network changes, and the nearer one is chosen", () => {
  const metrics = new Map<IpAddress, number>([
    [addressOf("10.0.0.1"), 10],
    [addressOf("10.0.0.2"), 20],
  ]);
  const rig = new Rig([64512, 64512], {
    resolver: {
      resolve: (nextHop) => {
        const metric = metrics.get(nextHop);
        return metric === undefined ? { reachable: false } : { reachable: true, metric, connected: true };
      },
    },
  });
  rig.up(1, 64512);
  rig.up(2, 64512);
  rig.announce(1, "10.9.0.0/16", { path: [] });
  rig.announce(2, "10.9.0.0/16", { path: [] });
  assert.deepEqual(best(rig.effects), ["10.9.0.0/16 via 10.0.0.1"]);
  metrics.set(addressOf("10.0.0.1"), 30);
  assert.deepEqual(best(rig.handle({ kind: "resolution" })), ["10.9.0.0/16 via 10.0.0.2"]);
  metrics.clear();
  assert.deepEqual(best(rig.handle({ kind: "resolution" })), ["10.9.0.0/16 gone"]);
  assert.equal(rig.speaker.routes()[0]?.state, "unreachable");
  assert.deepEqual(best(rig.handle({ kind: "resolution" })), []);
});

test("a congested peer hears nothing and delays nobody; then it hears only what is true by then", () => {
  const rig = new Rig([65001, 65002, 65003]);
  for (const number of [1, 2, 3]) rig.up(number, 65000 + number);
  rig.announce(1, "10.7.0.0/16", {});
  rig.handle({ kind: "congested", connection: "c3", full: true });
  const before = rig.effects.length;
  for (let round = 0; round < 50; round += 1) rig.announce(1, "10.8.0.0/16", { med: round });
  rig.announce(1, "10.9.0.0/16", {});
  rig.withdraw(1, "10.9.0.0/16");
  rig.withdraw(1, "10.7.0.0/16");
  assert.equal(
    rig.effects.slice(before).some((one) => one.kind === "send" && one.connection === "c3"),
    false,
  );
  assert.deepEqual(rig.told(2), ["10.8.0.0/16 via 10.0.0.100", "End-of-RIB"]);
  rig.handle({ kind: "congested", connection: "c3", full: false });
  const after = rig.handle({ kind: "tick" });
  assert.equal(after.filter((one) => one.kind === "send").length, 1, "withdrawals and routes together");
  assert.deepEqual(rig.told(3), rig.told(2));
});

test("a refresh request gets everything again", () => {
  const rig = new Rig([65001]);
  rig.local("10.1.0.0/26", "10.1.0.64/26");
  rig.up(1, 65001);
  rig.bytes(1, encodeRouteRefresh({ kind: "routeRefresh", afi: 1, safi: 1, subtype: 0 }));
  const sent = rig.handle({ kind: "tick" });
  assert.equal(sent.filter((one) => one.kind === "send").length, 1);
  assert.equal(rig.told(1).length, 3);
});

test("a restarting speaker tells its own routes at once, the others after every peer's End-of-RIB", () => {
  const rig = new Rig([65001, 65002], { config: { restarting: true } });
  rig.local("10.1.0.0/26");
  rig.up(1, 65001);
  rig.up(2, 65002);
  rig.announce(1, "10.9.0.0/16", {});
  rig.endOfRib(1);
  assert.deepEqual(rig.told(2), ["10.1.0.0/26 via 10.0.0.100"]);
  assert.equal(
    rig.effects.some((one) => one.kind === "initialSync"),
    false,
  );
  rig.endOfRib(2);
  assert.deepEqual(rig.told(2), ["10.1.0.0/26 via 10.0.0.100", "10.9.0.0/16 via 10.0.0.100", "End-of-RIB"]);
  assert.equal(rig.effects.at(-1)?.kind, "initialSync");
});

test("a restarting speaker does not wait for a peer that restarts as well, nor forever for a dead one", () => {
  const both = new Rig([65001], { config: { restarting: true } });
  both.up(1, 65001, {}, true);
  assert.deepEqual(both.told(1), ["End-of-RIB"]);
  assert.equal(
    both.effects.some((one) => one.kind === "initialSync"),
    false,
    "its routes are still awaited",
  );
  both.endOfRib(1);
  assert.equal(both.effects.at(-1)?.kind, "initialSync");
  const dead = new Rig([65001], { config: { restarting: true } });
  dead.now += speakerDefaults.selectionDeferralMs;
  assert.equal(dead.handle({ kind: "tick" }).at(-1)?.kind, "initialSync");
});

test("a connection from nowhere is refused and counted", () => {
  const rig = new Rig([65001]);
  const effects = rig.handle({
    kind: "accepted",
    connection: "x",
    localAddress: addressOf("10.0.0.100"),
    remoteAddress: addressOf("10.0.0.77"),
  });
  assert.deepEqual(
    effects.map((one) => one.kind),
    ["send", "close", "log"],
  );
  assert.equal(rig.speaker.refusedCount, 1);
});

test("a recording of events, read back, makes another speaker do the same", () => {
  const lines: string[] = [];
  const first = new Rig([65001, 65002], { onEvent: (event) => lines.push(formatEvent(event)) });
  first.local("10.1.0.0/26", "fd00:1::/64");
  first.up(1, 65001);
  first.up(2, 65002);
  first.announce(1, "10.9.0.0/16", { communities: [7] });
  first.handle({ kind: "failed", connection: "c1", reason: "Connection closed" });
  const [peers, ...rest] = lines;
  assert.ok(peers !== undefined);
  const second = new Rig([65001, 65002]);
  for (const line of rest) {
    const event = parseEvent(line);
    assert.ok(event !== undefined, line);
    second.handle(event);
  }
  assert.deepEqual(second.effects, first.effects);
  assert.equal(parseEvent('{"kind":"other"}'), undefined);
});
