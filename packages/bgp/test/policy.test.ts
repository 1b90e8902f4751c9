/**
 * Filters on live sessions: what a change of a filter makes a speaker say, and what it leaves alone. Two or three speakers
 * on simulated connections in virtual time; what a peer was told is counted at the peer.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prefix } from "@caracal/net";
import {
  type Filter,
  type FilterRule,
  type NamedPolicy,
  type PathAttributes,
  type PeerInput,
} from "../src/index.ts";
import { type SimNode, Simulation } from "./simulation.ts";

type Place = Pick<NamedPolicy, "direction" | "peerType">;

const toPeer: Place = { direction: "export", peerType: "eBGP" };
const fromPeer: Place = { direction: "import", peerType: "eBGP" };

function policyOf(name: string, filter: Filter, place: Place): NamedPolicy {
  return { name, filters: [filter], ...place };
}

function filterOf(...rules: FilterRule[]): Filter {
  return { rules, otherwise: "accept" };
}

function peerOf(node: SimNode, more: Partial<PeerInput> = {}): PeerInput {
  return { name: node.name, address: node.address, asn: node.asn, ...more };
}

function apply(net: Simulation, node: SimNode, ...policies: readonly NamedPolicy[]): void {
  node.handle({ kind: "policies", policies });
  net.run(200);
}

/** What a node has learned: prefixes with their attributes. */
function learned(node: SimNode): Map<string, PathAttributes> {
  return new Map(
    node.speaker
      .routes()
      .filter(({ source }) => source.kind === "peer")
      .map(({ prefix, attributes }) => [Prefix.format(prefix), attributes]),
  );
}

/** Announcements and withdrawals that a node has heard from all its peers. */
function heard(net: Simulation, node: SimNode): { announced: number; withdrawn: number; resets: number } {
  const peers = node.speaker.peers(net.now);
  const sum = (count: (peer: (typeof peers)[number]) => number): number =>
    peers.reduce((total, peer) => total + count(peer), 0);
  return {
    announced: sum(({ imports }) => imports.updatesReceived),
    withdrawn: sum(({ imports }) => imports.withdrawsReceived),
    resets: node.facts.filter((fact) => fact.kind === "sessionState" && fact.from === "Established").length,
  };
}

/** `a` announces four prefixes to `b` and `c`, and has a filter for `b` alone. */
function three(): { net: Simulation; a: SimNode; b: SimNode; c: SimNode } {
  const net = new Simulation(11);
  const a = net.node("a", "10.0.0.1", { asn: 65001 });
  const b = net.node("b", "10.0.0.2", { asn: 65002 });
  const c = net.node("c", "10.0.0.3", { asn: 65003 });
  a.setLocalRoutes(["10.1.0.0/24", "10.1.1.0/24", "10.2.0.0/24", "10.2.1.0/24"]);
  apply(net, a, policyOf("to-b", filterOf(), toPeer), policyOf("to-c", filterOf(), toPeer));
  a.setPeers([peerOf(b, { exportPolicy: "to-b" }), peerOf(c, { exportPolicy: "to-c" })]);
  apply(net, b, policyOf("from-a", filterOf(), fromPeer));
  b.setPeers([peerOf(a, { importPolicy: "from-a" })]);
  c.setPeers([peerOf(a)]);
  net.run(3000);
  assert.equal(learned(b).size, 4);
  assert.equal(learned(c).size, 4);
  return { net, a, b, c };
}

test("a changed export filter tells its peer only of the routes it decides otherwise about", () => {
  const { net, a, b, c } = three();
  const set = (...rules: FilterRule[]): void =>
    apply(net, a, policyOf("to-b", filterOf(...rules), toPeer), policyOf("to-c", filterOf(), toPeer));
  set();
  const atC = heard(net, c);
  const start = heard(net, b);

  set({ match: { prefixes: ["10.1.0.0/16+"] }, action: "reject" });
  assert.deepEqual([...learned(b).keys()], ["10.2.0.0/24", "10.2.1.0/24"]);
  assert.deepEqual(heard(net, b), { ...start, withdrawn: start.withdrawn + 2 });

  set(
    { match: { prefixes: ["10.1.0.0/16+"] }, action: "reject" },
    { match: { prefixes: ["10.2.1.0/24"] }, set: { prependAsPath: [65001], med: 5 }, action: "accept" },
  );
  assert.deepEqual(learned(b).get("10.2.1.0/24")?.asPath, [{ kind: "sequence", asns: [65001, 65001] }]);
  assert.equal(learned(b).get("10.2.1.0/24")?.med, 5);
  assert.equal(learned(b).get("10.2.0.0/24")?.med, undefined);
  assert.deepEqual(heard(net, b), {
    ...start,
    announced: start.announced + 1,
    withdrawn: start.withdrawn + 2,
  });

  set();
  assert.equal(learned(b).size, 4);
  assert.deepEqual(heard(net, b), {
    ...start,
    announced: start.announced + 4,
    withdrawn: start.withdrawn + 2,
  });
  assert.deepEqual(heard(net, c), atC, "the other peer hears nothing");
});

test("a changed import filter decides anew about what was heard, and asks the peer nothing", () => {
  const { net, b } = three();
  const start = heard(net, b);
  const before = net.now;
  const set = (...rules: FilterRule[]): void =>
    apply(net, b, policyOf("from-a", filterOf(...rules), fromPeer));
  set({ match: { prefixes: ["10.1.0.0/16 le 24"] }, action: "reject" });
  assert.equal(b.table().length, 2);
  set({ match: { asPath: { pattern: "^65001$" } }, set: { localPref: 300 }, action: "accept" });
  assert.equal(b.table().length, 4);
  assert.deepEqual(
    [...learned(b).values()].map(({ localPref }) => localPref),
    [300, 300, 300, 300],
  );
  assert.equal(b.speaker.sizes.attributeSets <= 3, true, "equal routes share what the filter made of them");
  assert.deepEqual(heard(net, b), start);
  assert.ok(net.now > before);
});

test("a filter sets the next hop to the speaker itself where it would be kept", () => {
  const net = new Simulation(12);
  const [outside, a, b] = [
    net.node("outside", "10.0.0.9", { asn: 65009 }),
    net.node("a", "10.0.0.1"),
    net.node("b", "10.0.0.2"),
  ];
  outside.setLocalRoutes(["10.9.0.0/24", "10.9.1.0/24"]);
  outside.setPeers([peerOf(a)]);
  const inside: Place = { direction: "export", peerType: "iBGP" };
  apply(net, a, policyOf("out", filterOf(), inside));
  a.setPeers([peerOf(outside), peerOf(b, { exportPolicy: "out" })]);
  b.setPeers([peerOf(a)]);
  net.run(3000);
  assert.deepEqual(b.table(), ["10.9.0.0/24 via 10.0.0.9", "10.9.1.0/24 via 10.0.0.9"]);
  const filter = filterOf({
    match: { prefixes: ["10.9.1.0/24"] },
    set: { nextHop: "self" },
    action: "accept",
  });
  apply(net, a, policyOf("out", filter, inside));
  assert.deepEqual(b.table(), ["10.9.0.0/24 via 10.0.0.9", "10.9.1.0/24 via 10.0.0.1"]);
});

test("an import and an export filter may change in one step, also on one session", () => {
  const net = new Simulation(12);
  const a = net.node("a", "10.0.0.1", { asn: 65001 });
  const b = net.node("b", "10.0.0.2", { asn: 65002 });
  const c = net.node("c", "10.0.0.3", { asn: 65003 });
  a.setLocalRoutes(["10.1.0.0/24", "10.1.1.0/24"]);
  a.setPeers([peerOf(b)]);
  b.setPeers([peerOf(a), peerOf(c)]);
  c.setPeers([peerOf(b)]);
  net.run(3000);
  assert.equal(learned(c).size, 2);

  const rejectFirst: FilterRule = { match: { prefixes: ["10.1.0.0/24"] }, action: "reject" };
  const [toC, fromA] = ["to-c", "from-a"];
  apply(
    net,
    b,
    policyOf(fromA, filterOf(rejectFirst), fromPeer),
    policyOf(toC, filterOf({ set: { med: 7 }, action: "accept" }), toPeer),
  );
  b.setPeers([
    peerOf(a, { importPolicy: "from-a", exportPolicy: "to-c" }),
    peerOf(c, { exportPolicy: "to-c" }),
  ]);
  net.run(200);
  assert.deepEqual([...learned(c).keys()], ["10.1.1.0/24"]);
  assert.equal(learned(c).get("10.1.1.0/24")?.med, 7);

  apply(
    net,
    b,
    policyOf(fromA, filterOf(), fromPeer),
    policyOf(toC, filterOf({ set: { med: 8 }, action: "accept" }), toPeer),
  );
  assert.equal(learned(c).size, 2);
  assert.equal(learned(c).get("10.1.0.0/24")?.med, 8);
});

test("a policy that is not there, or makes no sense, lets nothing pass, and is told of once", () => {
  const net = new Simulation(13);
  const a = net.node("a", "10.0.0.1", { asn: 65001 });
  const b = net.node("b", "10.0.0.2", { asn: 65002 });
  a.setLocalRoutes(["10.1.0.0/24"]);
  b.setLocalRoutes(["10.2.0.0/24"]);
  a.setPeers([peerOf(b)]);
  const peers = [peerOf(a, { importPolicy: "in", exportPolicy: "out" })];
  b.setPeers(peers);
  net.run(3000);
  assert.equal(learned(a).size, 0);
  assert.equal(b.table().length, 1);
  const missing = (): string[] =>
    b.facts.flatMap((fact) => (fact.kind === "policyMissing" ? [`${fact.policy} ${fact.why}`] : []));
  assert.deepEqual(missing(), ["in unknown", "out unknown"]);
  b.setPeers(peers);
  assert.equal(missing().length, 2);

  const nonsense = filterOf({ match: { prefixes: ["everything"] }, action: "accept" });
  apply(net, b, policyOf("in", nonsense, fromPeer), policyOf("out", filterOf(), toPeer));
  assert.equal(learned(a).size, 1);
  assert.equal(b.table().length, 1);
  assert.deepEqual(missing().slice(2), ["in invalid"]);
  apply(net, b, policyOf("in", filterOf(), fromPeer));
  assert.deepEqual([learned(a).size, b.table().length], [0, 2], "what is taken away refuses as well");
  assert.deepEqual(missing().slice(3), ["out unknown"]);
});

test("a filter by interface decides anew when next hops are behind other links, and only then", () => {
  const net = new Simulation(14);
  let link = "eth0";
  const resolver = { resolve: () => ({ reachable: true as const, metric: 0, connected: true, link }) };
  const a = net.node("a", "10.0.0.1", { asn: 65001 });
  const b = net.node("b", "10.0.0.2", { asn: 65002, resolver });
  a.setLocalRoutes(["10.1.0.0/24"]);
  a.setPeers([peerOf(b)]);
  apply(net, b, policyOf("in", filterOf({ match: { interfaces: ["eth1"] }, action: "reject" }), fromPeer));
  b.setPeers([peerOf(a, { importPolicy: "in" })]);
  net.run(3000);
  assert.equal(b.table().length, 1);
  link = "eth1";
  net.run(1000);
  assert.equal(b.table().length, 1);
  b.handle({ kind: "resolution" });
  assert.equal(b.table().length, 0);
});
