/**
 * Two and three speakers on simulated connections: what a session carries, and what becomes of it when things break.
 * Virtual time; nothing random but the delays, which are seeded.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Filter, type NamedPolicy, type PeerInput, type Policies } from "../src/index.ts";
import { type SimNode, Simulation, addressOf, prefixOf } from "./simulation.ts";

function peerOf(node: SimNode, more: Partial<PeerInput> = {}): PeerInput {
  return { name: node.name, address: node.address, asn: node.asn, ...more };
}

function pair(options: { asnB?: number; more?: Partial<PeerInput>; moreB?: Partial<PeerInput> } = {}): {
  net: Simulation;
  a: SimNode;
  b: SimNode;
} {
  const net = new Simulation(1);
  const a = net.node("a", "10.0.0.1");
  const b = net.node("b", "10.0.0.2", { asn: options.asnB ?? 64512 });
  a.setLocalRoutes(["10.1.0.0/26"]);
  b.setLocalRoutes(["10.2.0.0/26"]);
  a.setPeers([peerOf(b, options.more)]);
  b.setPeers([peerOf(a, options.moreB ?? options.more)]);
  return { net, a, b };
}

/** Accepts everything unless told otherwise. */
function policyOf(
  name: string,
  direction: "import" | "export",
  filter: Filter = { rules: [], otherwise: "accept" },
): NamedPolicy {
  return { name, direction, peerType: "iBGP", filters: [filter] };
}

function state(node: SimNode, peer = 0): string {
  return node.speaker.peers(0)[peer]?.state ?? "none";
}

test("two internal peers that both connect agree on one session and exchange routes", () => {
  const { net, a, b } = pair();
  net.run(2000);
  assert.equal(state(a), "Established");
  assert.equal(state(b), "Established");
  assert.deepEqual(a.table(), ["10.1.0.0/26 via self", "10.2.0.0/26 via 10.0.0.2"]);
  assert.deepEqual(b.table(), ["10.1.0.0/26 via 10.0.0.1", "10.2.0.0/26 via self"]);
  assert.ok(a.synced && b.synced);
});

test("a passive side waits for the other to connect", () => {
  const { net, a, b } = pair({ more: {}, moreB: { passive: true } });
  net.run(2000);
  assert.equal(state(a), "Established");
  assert.equal(b.table().length, 2);
});

test("an external peer gets our AS in the path and our address as next hop, and no LOCAL_PREF", () => {
  const { net, b } = pair({ asnB: 65001 });
  net.run(2000);
  const route = b.speaker.routes().find((one) => one.source.kind === "peer");
  assert.deepEqual(route?.attributes.asPath, [{ kind: "sequence", asns: [64512] }]);
  assert.equal(route?.attributes.nextHop, addressOf("10.0.0.1"));
  assert.equal(route?.attributes.localPref, undefined);
});

test("a withdrawn local route disappears at the peer, and only it", () => {
  const { net, a, b } = pair();
  a.setLocalRoutes(["10.1.0.0/26", "10.1.0.64/26"]);
  net.run(2000);
  assert.equal(b.table().length, 3);
  a.setLocalRoutes(["10.1.0.64/26"]);
  net.run(100);
  assert.deepEqual(b.table(), ["10.1.0.64/26 via 10.0.0.1", "10.2.0.0/26 via self"]);
});

test("a killed peer's routes stay until it is back, and what it no longer has goes then", () => {
  const { net, a, b } = pair();
  a.setLocalRoutes(["10.1.0.0/26", "10.1.0.64/26"]);
  net.run(5000);
  a.kill();
  net.run(5000);
  assert.equal(b.table().length, 3, "kept as stale");
  assert.equal(b.speaker.peers(net.now)[0]?.staleCount, 2);
  a.start(true);
  assert.deepEqual(a.table().length, 3, "the kernel keeps what the dead process programmed");
  a.setLocalRoutes(["10.1.0.0/26"]);
  net.run(5000);
  assert.deepEqual(b.table(), ["10.1.0.0/26 via 10.0.0.1", "10.2.0.0/26 via self"]);
  assert.ok(a.synced);
});

test("a killed peer that stays away loses its routes after its restart time", () => {
  const { net, a, b } = pair({ more: { restartTimeS: 10 } });
  net.run(5000);
  a.kill();
  net.run(9000);
  assert.equal(b.table().length, 2);
  net.run(2000);
  assert.deepEqual(b.table(), ["10.2.0.0/26 via self"]);
});

test("a peer that says goodbye loses its routes at once", () => {
  const { net, a, b } = pair();
  net.run(5000);
  a.handle({ kind: "stop", graceful: false });
  net.run(100);
  assert.deepEqual(b.table(), ["10.2.0.0/26 via self"]);
  assert.equal(b.speaker.peers(net.now)[0]?.lastError, "Received: Hard reset: Administrative shutdown");
});

test("a silent peer is given up when the hold time is over", () => {
  const timers = { connectDelayMs: 0, connectRetryMs: 1000, connectRetryMinMs: 250 };
  const { net, a, b } = pair({
    more: {
      restartOnNotification: false,
      timers: {
        ...timers,
        errorWaitMinMs: 500,
        errorWaitMaxMs: 2000,
        holdTimeMs: 9000,
        keepaliveMs: 3000,
        openWaitMs: 9000,
      },
    },
  });
  net.run(60_000);
  assert.equal(state(a), "Established", "keepalives hold it up");
  net.part(a, b);
  net.run(9001);
  assert.notEqual(state(b), "Established");
  assert.deepEqual(b.table(), ["10.2.0.0/26 via self"]);
  net.join(a, b);
  net.run(20_000);
  assert.equal(b.table().length, 2);
});

test("what an internal peer said goes to no other internal peer, unless reflected", () => {
  const net = new Simulation(2);
  const [a, b, c] = [net.node("a", "10.0.0.1"), net.node("b", "10.0.0.2"), net.node("c", "10.0.0.3")];
  a.setLocalRoutes(["10.1.0.0/26"]);
  a.setPeers([peerOf(b)]);
  b.setPeers([peerOf(a), peerOf(c)]);
  c.setPeers([peerOf(b)]);
  net.run(3000);
  assert.deepEqual(c.table(), []);
  b.setPeers([peerOf(a, { reflectorClient: true }), peerOf(c, { reflectorClient: true })]);
  net.run(1000);
  assert.equal(state(b, 0), "Established");
  assert.deepEqual(c.table(), ["10.1.0.0/26 via 10.0.0.1"]);
  const route = c.speaker.routes()[0]?.attributes;
  assert.equal(route?.originatorId, a.address);
  assert.deepEqual(route?.clusterList, [b.address]);
});

test("an import policy takes effect on stored routes without a reset", () => {
  const { net, a, b } = pair({ more: { importPolicy: "in" } });
  for (const node of [a, b]) node.handle({ kind: "policies", policies: [policyOf("in", "import")] });
  net.run(2000);
  const before = b.speaker.peers(net.now)[0]?.since;
  b.handle({ kind: "policies", policies: [policyOf("in", "import", { rules: [], otherwise: "reject" })] });
  assert.deepEqual(b.table(), ["10.2.0.0/26 via self"]);
  b.handle({ kind: "policies", policies: [policyOf("in", "import")] });
  assert.equal(b.table().length, 2);
  assert.equal(b.speaker.peers(net.now)[0]?.since, before);
  assert.equal(state(a), "Established");
});

test("an export policy takes effect on what was told without a reset", () => {
  const { net, a, b } = pair({ more: { exportPolicy: "out" } });
  for (const node of [a, b]) node.handle({ kind: "policies", policies: [policyOf("out", "export")] });
  net.run(2000);
  a.handle({ kind: "policies", policies: [policyOf("out", "export", { rules: [], otherwise: "reject" })] });
  net.run(100);
  assert.deepEqual(b.table(), ["10.2.0.0/26 via self"]);
  a.handle({
    kind: "policies",
    policies: [
      policyOf("out", "export", { rules: [{ set: { med: 7 }, action: "accept" }], otherwise: "accept" }),
    ],
  });
  net.run(100);
  assert.equal(b.speaker.routes().find((one) => one.source.kind === "peer")?.attributes.med, 7);
});

test("a changed peer touches only its own session", () => {
  const net = new Simulation(3);
  const [a, b, c] = [net.node("a", "10.0.0.1"), net.node("b", "10.0.0.2"), net.node("c", "10.0.0.3")];
  b.setLocalRoutes(["10.2.0.0/26"]);
  c.setLocalRoutes(["10.3.0.0/26"]);
  a.setPeers([peerOf(b), peerOf(c)]);
  b.setPeers([peerOf(a)]);
  c.setPeers([peerOf(a)]);
  net.run(3000);
  const since = a.speaker.peers(net.now).map((peer) => peer.since);
  a.setPeers([peerOf(c), peerOf(b, { restartTimeS: 60 })]);
  net.run(3000);
  const after = a.speaker.peers(net.now);
  assert.deepEqual(
    after.map((peer) => [peer.name, peer.state]),
    [
      ["c", "Established"],
      ["b", "Established"],
    ],
  );
  assert.equal(after[0]?.since, since[1]);
  assert.notEqual(after[1]?.since, since[0]);
  a.setPeers([peerOf(c)]);
  net.run(100);
  assert.deepEqual(a.table(), ["10.3.0.0/26 via 10.0.0.3"]);
});

/** An external peer, us with a policy for what it says, and an internal peer. */
function transit(policies: Policies): { net: Simulation; outside: SimNode; us: SimNode; inside: SimNode } {
  const net = new Simulation(4);
  const outside = net.node("o", "10.0.0.1", { asn: 65001 });
  const us = net.node("u", "10.0.0.2", { policies });
  const inside = net.node("i", "10.0.0.3");
  outside.setPeers([peerOf(us)]);
  us.setPeers([peerOf(outside, { importPolicy: "p" }), peerOf(inside, { exportPolicy: "p" })]);
  inside.setPeers([peerOf(us)]);
  outside.setLocalRoutes(["10.1.0.0/26"]);
  net.run(3000);
  assert.equal(inside.table().length, 1);
  return { net, outside, us, inside };
}

test("a policy that stands both ways may begin to refuse what is told", () => {
  const { net, us, inside } = transit(new Map([["p", ({ attributes }) => attributes]]));
  us.setPolicies([policyOf("p", "import", { rules: [], otherwise: "reject" })]);
  net.run(100);
  assert.deepEqual([us.table(), inside.table()], [[], []]);
});

test("attributes that are told as they are go when their routes go", () => {
  const { net, outside, us, inside } = transit(
    new Map([["p", ({ attributes }) => ({ ...attributes, localPref: 100 })]]),
  );
  us.setPeers([peerOf(outside, { importPolicy: "p" }), peerOf(inside)]);
  const before = us.speaker.sizes.attributeSets;
  for (let med = 1; med <= 50; med += 1) {
    outside.setLocalRoutes([{ prefix: prefixOf("10.1.0.0/26"), med }]);
    net.run(100);
  }
  assert.equal(inside.speaker.routes()[0]?.attributes.med, 50);
  assert.ok(us.speaker.sizes.attributeSets <= before + 2, `${us.speaker.sizes.attributeSets} attribute sets`);
});
