/**
 * MinRouteAdvertisementInterval (RFC 4271 §9.2.1.1) and add-path of the best few: what peers hear, counted at the peers, while a
 * source changes its mind. Routers on simulated connections in virtual time; seeded.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prefix } from "@caracal/net";
import { type LocalRoute, type PeerInput } from "../src/index.ts";
import { seeded, seedOf } from "./seeded.ts";
import { prefixOf, type SimNode, Simulation } from "./simulation.ts";

const seed = seedOf(7);

function peerOf(node: SimNode, more: Partial<PeerInput> = {}): PeerInput {
  return { name: node.name, address: node.address, asn: node.asn, ...more };
}

/** A hub with a source, one peer that is told at once, and two of one group that are told at intervals. */
function rig(intervalMs: number): Readonly<Record<"hub" | "source" | "quick" | "slow" | "other", SimNode>> & {
  readonly net: Simulation;
} {
  const net = new Simulation(seed);
  const hub = net.node("hub", "10.0.0.100", { asn: 64512 });
  const nodes = {
    source: net.node("source", "10.0.0.1", { asn: 65001 }),
    quick: net.node("quick", "10.0.0.2", { asn: 65002 }),
    slow: net.node("slow", "10.0.0.3", { asn: 65003 }),
    other: net.node("other", "10.0.0.4", { asn: 65004 }),
  };
  const paced = { advertisementIntervalMs: intervalMs };
  hub.setPeers([
    peerOf(nodes.source),
    peerOf(nodes.quick),
    peerOf(nodes.slow, paced),
    peerOf(nodes.other, paced),
  ]);
  for (const node of Object.values(nodes)) node.setPeers([peerOf(hub)]);
  nodes.source.setLocalRoutes(["10.0.0.0/24"]);
  // Until it is quiet.
  net.run(20_000);
  return { net, hub, ...nodes };
}

function heard(net: Simulation, node: SimNode): { announced: number; withdrawn: number } {
  const [peer] = node.speaker.peers(net.now);
  return {
    announced: peer?.imports.updatesReceived ?? 0,
    withdrawn: peer?.imports.withdrawsReceived ?? 0,
  };
}

function prefixesAt(node: SimNode): string[] {
  return node.speaker
    .routes()
    .filter(({ source }) => source.kind === "peer")
    .map(({ prefix }) => Prefix.format(prefix))
    .toSorted();
}

/** A route that says something else with each mark. */
function marked(prefix: string, mark: number): LocalRoute {
  return { prefix: prefixOf(prefix), communities: [65001 * 65536 + mark] };
}

function marksAt(node: SimNode): string[] {
  return node.speaker
    .routes()
    .map(({ prefix, attributes }) => `${Prefix.format(prefix)} ${String(attributes.communities)}`)
    .toSorted();
}

test("after a quiet time a change goes at once, and the next ones wait together", () => {
  const { net, source, slow, other } = rig(10_000);
  const before = heard(net, slow).announced;
  source.setLocalRoutes(["10.0.0.0/24", "10.0.1.0/24"]);
  net.run(200);
  assert.deepEqual(prefixesAt(slow), ["10.0.0.0/24", "10.0.1.0/24"]);
  for (let round = 0; round < 20; round += 1) {
    source.setLocalRoutes(["10.0.0.0/24", marked("10.0.1.0/24", round)]);
    net.run(100);
  }
  source.setLocalRoutes([marked("10.0.1.0/24", 99), "10.0.2.0/24"]);
  net.run(100);
  assert.deepEqual(prefixesAt(slow), ["10.0.0.0/24", "10.0.1.0/24"], "a withdrawal waits as well");
  assert.equal(heard(net, slow).announced, before + 1);
  net.run(10_000);
  for (const node of [slow, other]) {
    assert.deepEqual(prefixesAt(node), ["10.0.1.0/24", "10.0.2.0/24"]);
    assert.deepEqual(heard(net, node), { announced: before + 3, withdrawn: 1 });
  }
});

test("what came and went within the interval is not told", () => {
  const { net, source, slow } = rig(10_000);
  source.setLocalRoutes(["10.0.0.0/24", "10.0.1.0/24"]);
  net.run(200);
  const before = heard(net, slow);
  source.setLocalRoutes(["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]);
  net.run(200);
  source.setLocalRoutes(["10.0.0.0/24", "10.0.1.0/24"]);
  net.run(20_000);
  assert.deepEqual(heard(net, slow), before);
});

test("a peer whose own route takes another's place within the interval loses the other's", () => {
  const { net, source, slow, other } = rig(10_000);
  source.setLocalRoutes(["10.0.0.0/24", "10.0.1.0/24"]);
  net.run(200);
  // Shorter than the path through the source, so that it is chosen.
  slow.setLocalRoutes([{ prefix: prefixOf("10.0.1.0/24") }]);
  source.setLocalRoutes(["10.0.0.0/24"]);
  net.run(20_000);
  assert.deepEqual(prefixesAt(slow), ["10.0.0.0/24"]);
  assert.deepEqual(prefixesAt(other), ["10.0.0.0/24", "10.0.1.0/24"]);
});

test(`churn: at most one message round an interval, and the right table at the end (SEED=${seed})`, () => {
  const { net, hub, source, quick, slow, other } = rig(5000);
  const random = seeded(seed);
  const start = { slow: heard(net, slow).announced, quick: heard(net, quick).announced };
  const lasted = 60_000;
  for (const end = net.now + lasted; net.now < end; net.run(50)) {
    source.setLocalRoutes(
      Array.from({ length: 8 }, (_, index) =>
        marked(`10.0.${index}.0/24`, Math.floor(random() * 1000)),
      ).filter(() => random() < 0.8),
    );
    // One of them also loses its session, is slow to read, or changes its group in between.
    if (random() < 0.02) net.cut(hub, slow);
    if (random() < 0.02) hub.setPeers(peersWith(hub, net, random() < 0.5 ? 5000 : 3000));
  }
  assert.ok(heard(net, quick).announced - start.quick > 2000);
  // 8 prefixes, an interval of no less than three quarters of 3 s; and the dumps of new sessions.
  assert.ok(heard(net, other).announced < (8 * lasted) / 2250 + 100, String(heard(net, other).announced));
  net.run(20_000);
  const expected = prefixesAt(quick);
  for (const node of [slow, other]) {
    assert.deepEqual(prefixesAt(node), expected);
    assert.deepEqual(marksAt(node), marksAt(quick));
  }
});

/** The hub's peers, with another interval for one of the two. */
function peersWith(hub: SimNode, net: Simulation, intervalMs: number): PeerInput[] {
  return [...net.nodes.values()]
    .filter((node) => node !== hub)
    .map((node) => {
      if (node.name === "other") return peerOf(node, { advertisementIntervalMs: intervalMs });
      return peerOf(node, node.name === "slow" ? { advertisementIntervalMs: 5000 } : {});
    });
}

test("add-path tells the best few, and another takes the place of one that goes", () => {
  const net = new Simulation(seed);
  const hub = net.node("hub", "10.0.0.100", { asn: 64512 });
  const sources = [1, 2, 3, 4].map((number) => {
    const node = net.node(`s${number}`, `10.0.0.${number}`, { asn: 65000 + number });
    node.setLocalRoutes(["10.0.0.0/24"]);
    node.setPeers([peerOf(hub)]);
    return node;
  });
  const few = net.node("few", "10.0.1.1", { asn: 64512 });
  const all = net.node("all", "10.0.1.2", { asn: 64512 });
  for (const node of [few, all]) node.setPeers([peerOf(hub)]);
  const peers = (addPathLimit: number): PeerInput[] => [
    ...sources.map((node) => peerOf(node)),
    peerOf(few, { addPathLimit }),
    peerOf(all),
  ];
  const asns = (node: SimNode): unknown[] =>
    node.speaker
      .routes()
      .flatMap(({ attributes }) => attributes.asPath[0]?.asns[0] ?? [])
      .toSorted((a, b) => a - b);
  hub.setPeers(peers(2));
  net.run(4000);
  assert.deepEqual(asns(few), [65001, 65002]);
  assert.deepEqual(asns(all), [65001, 65002, 65003, 65004]);
  const kept = [...hub.speaker.listings.advertised("few", prefixOf("10.0.0.0/24"))].map(
    (route) => route?.why,
  );
  assert.deepEqual(kept, [undefined, undefined, "path limit", "path limit"]);
  sources[0]?.setLocalRoutes([]);
  net.run(200);
  assert.deepEqual(asns(few), [65002, 65003]);
  hub.setPeers(peers(1));
  net.run(200);
  assert.deepEqual(asns(few), [65002]);
  const resets = hub.facts.filter((fact) => fact.kind === "sessionState" && fact.from === "Established");
  assert.deepEqual(resets, [], "a limit is no matter of the session");
});
