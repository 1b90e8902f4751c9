/**
 * Aim: in any cluster the two ends of a session agree that it exists, on AS numbers and on who connects; nothing oscillates; and
 * a change touches only the sessions that it is about.
 * Method: random clusters with BGPPeers of every form; all nodes' intents against each other, and before against after.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ClusterResources, type NodeIntent, nodeIntent, type PeerIntent } from "../src/index.ts";
import { clusterArb } from "./random-clusters.ts";
import { affinity, input, node, peer, pool, sha256 } from "./scenario.ts";

const settings = { routerId: "hash", sha256 };

function intentsOf(resources: ClusterResources): ReadonlyMap<string, NodeIntent> {
  return new Map(
    resources.nodes.map(({ metadata: { name } }) => [name, nodeIntent(input(name, resources, { settings }))]),
  );
}

/** A session that its own resource has been told of may not open. */
function isTold({ problems }: NodeIntent, { bgpPeer }: PeerIntent): boolean {
  return problems.some(({ about }) => about === `BGPPeer(${bgpPeer})`);
}

test("both ends of every session agree, unless the resource is told of or wants one end only", () => {
  const sessions = { checked: 0, told: 0 };
  const check = (resources: ClusterResources): void => {
    const intents = intentsOf(resources);
    for (const [name, intent] of intents) {
      for (const ours of intent.bgp?.peers ?? []) {
        if (ours.node === undefined) continue;
        const other = intents.get(ours.node);
        assert.ok(other?.bgp, `${ours.node} speaks BGP`);
        const theirs = other.bgp.peers.find(
          (one) => one.node === name && one.family === ours.family && one.port === intent.bgp?.listen.port,
        );
        const isManual =
          resources.bgpPeers.find(({ metadata }) => metadata.name === ours.bgpPeer)?.spec.reversePeering ===
          "Manual";
        if (isTold(intent, ours) || (theirs !== undefined && isTold(other, theirs))) {
          sessions.told += 1;
          continue;
        }
        if (isManual && theirs === undefined) continue;
        assert.ok(theirs, `${name} has ${ours.name}, and ${ours.node} has no session back`);
        sessions.checked += 1;
        assert.deepEqual(
          [ours.localAsNumber, ours.remoteAsNumber],
          [theirs.remoteAsNumber, theirs.localAsNumber],
          `AS numbers of ${name} and ${ours.node}`,
        );
        assert.ok(!(ours.isPassive && theirs.isPassive), `${name} and ${ours.node} both wait`);
        assert.equal(ours.port, other.bgp.listen.port);
        assert.ok(
          !(ours.reflectorClusterId !== undefined && ours.reflectorClusterId === theirs.reflectorClusterId),
        );
      }
    }
  };
  fc.assert(fc.property(clusterArb, check), { numRuns: 400 });
  // Were nearly everything told of, nothing would have been shown.
  assert.ok(sessions.checked > 4 * sessions.told, JSON.stringify(sessions));
});

test("nothing oscillates: what a node writes back, and any order of resources, changes nothing", () => {
  const check = (resources: ClusterResources): void => {
    const again: ClusterResources = {
      ...resources,
      nodes: resources.nodes
        .map((one) => ({ ...structuredClone(one), metadata: { ...one.metadata, resourceVersion: "7" } }))
        .toReversed(),
      bgpPeers: resources.bgpPeers.toReversed(),
    };
    assert.deepEqual(intentsOf(again), intentsOf(resources));
  };
  fc.assert(fc.property(clusterArb, check), { numRuns: 100 });
});

/** Every session by node and name, but those that a node is one end of. */
function sessionsBeside(
  name: string | undefined,
  resources: ClusterResources,
): ReadonlyMap<string, PeerIntent> {
  return new Map(
    [...intentsOf(resources)].flatMap(([self, { bgp }]) =>
      (bgp?.peers ?? [])
        .filter((one) => self !== name && one.node !== name)
        .map((one) => [`${self} ${one.name}`, one] as const),
    ),
  );
}

test("a change to a node touches only sessions that it is one end of", () => {
  const change = fc.constantFrom(
    { asNumber: 65000 },
    { routeReflectorClusterID: "9.9.9.9" },
    { ipv4Address: "10.0.0.99/24" },
    undefined,
  );
  const check = (resources: ClusterResources, spec: object | undefined, at: number): void => {
    const changed = resources.nodes[at % Math.max(resources.nodes.length, 1)];
    const name = changed?.metadata.name ?? "n99";
    const nodes = resources.nodes.filter((one) => one !== changed);
    if (spec !== undefined)
      nodes.push(
        node(name, { ipv4Address: `10.0.0.98/24`, ...changed?.spec.bgp, ...spec }, { rack: "2", rr: "no" }),
      );
    assert.deepEqual(
      sessionsOfNodes(sessionsBeside(name, { ...resources, nodes })),
      sessionsOfNodes(sessionsBeside(name, resources)),
    );
  };
  fc.assert(fc.property(clusterArb, change, fc.nat(7), check), { numRuns: 300 });
});

/** A peer given by its address may be a node before or after. */
function sessionsOfNodes(sessions: ReadonlyMap<string, PeerIntent>): ReadonlyMap<string, PeerIntent> {
  return new Map([...sessions].filter(([, { node: peerNode }]) => peerNode !== undefined));
}

test("what sessions do not depend on touches none of them", () => {
  const check = (resources: ClusterResources): void => {
    const before = sessionsBeside(undefined, resources);
    const elsewhere = peer("elsewhere", { node: "n99", peerIP: "10.0.0.1", asNumber: 65432 });
    const after: ClusterResources = {
      ...resources,
      pools: [pool("p", "10.244.0.0/16")],
      bgpPeers: [...resources.bgpPeers, elsewhere],
      bgpFilters: [
        { kind: "BGPFilter", apiVersion: "projectcalico.org/v3", metadata: { name: "f" }, spec: {} },
      ],
    };
    assert.deepEqual(sessionsBeside(undefined, after), before);
    for (const { metadata } of resources.nodes) {
      const affinities = [affinity(metadata.name, "10.244.1.0/26")];
      const intent = nodeIntent(input(metadata.name, resources, { settings, affinities }));
      assert.deepEqual(
        intent.bgp?.peers,
        nodeIntent(input(metadata.name, resources, { settings })).bgp?.peers,
      );
    }
  };
  fc.assert(fc.property(clusterArb, check), { numRuns: 100 });
});
