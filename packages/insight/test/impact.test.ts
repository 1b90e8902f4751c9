/**
 * Aim: the impact of a change of resources is what the cluster's speakers would make of it. Method: small clusters before
 * and after, run in memory by the real speaker.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { impactOf, isHarmful, type Impact } from "@caracal/insight";
import { type ClusterParts, plannedCluster, rowOfNodes } from "./any-cluster.ts";

function impact(before: ClusterParts, after: ClusterParts): Impact {
  return impactOf(plannedCluster(before), plannedCluster(after));
}

const mesh: ClusterParts = { nodes: rowOfNodes(3) };

test("no change has no impact", () => {
  const found = impact(mesh, mesh);
  assert.deepEqual(found.sessions, { come: [], go: [], restart: [] });
  assert.deepEqual(found.routes, []);
  assert.deepEqual(found.pairs, { lost: [], gained: [], count: 6 });
  assert.equal(isHarmful(found), false);
});

test("the mesh switched off ends every session and loses every pair", () => {
  const found = impact(mesh, { ...mesh, settings: { nodeToNodeMeshEnabled: false } });
  assert.equal(found.sessions.go.length, 6);
  assert.deepEqual(found.pairs.lost.length, 6);
  assert.deepEqual(found.routes[0], { node: "n1", prefix: "10.244.1.0/26", before: "172.18.0.2" });
  assert.equal(found.routes.length, 6);
  assert.equal(isHarmful(found), true);
});

test("a route reflector in place of the mesh moves sessions and loses nothing", () => {
  const reflected: ClusterParts = {
    nodes: rowOfNodes(4, (index) =>
      index === 1 ? { clusterId: "1.0.0.1", labels: { "route-reflector": "true" } } : {},
    ),
    settings: { nodeToNodeMeshEnabled: false },
    peers: { rr: { nodeSelector: "all()", peerSelector: "route-reflector == 'true'" } },
  };
  const found = impact({ nodes: rowOfNodes(4) }, reflected);
  // n1's three neighbours keep it, by another name; the other pairs' sessions go.
  assert.equal(found.sessions.go.length, 6);
  assert.equal(found.sessions.restart.length, 0);
  assert.deepEqual(found.pairs.lost, []);
  assert.deepEqual(found.routes, []);
});

test("without a cluster ID the same peering is no reflector, and the plain nodes lose each other", () => {
  const star: ClusterParts = {
    nodes: rowOfNodes(3, (index) => (index === 1 ? { labels: { hub: "true" } } : {})),
    settings: { nodeToNodeMeshEnabled: false },
    peers: { hub: { nodeSelector: "all()", peerSelector: "hub == 'true'" } },
  };
  const found = impact(mesh, star);
  assert.deepEqual(found.pairs.lost, [
    { from: "default/p2", to: "default/p3" },
    { from: "default/p3", to: "default/p2" },
  ]);
});

test("a filter that stops one block loses that node's pods, and names no session", () => {
  const peers = { all: { nodeSelector: "all()", peerSelector: "all()", filters: ["hold"] } };
  const settings = { nodeToNodeMeshEnabled: false };
  const before: ClusterParts = { nodes: rowOfNodes(3), settings, peers };
  const filters = {
    hold: {
      exportV4: [{ action: "Reject" as const, cidr: "10.244.1.0/26", matchOperator: "Equal" as const }],
    },
  };
  const found = impact(before, { ...before, filters });
  assert.deepEqual(found.sessions, { come: [], go: [], restart: [] });
  assert.equal(found.pairs.lost.length, 4);
  assert.deepEqual(
    found.routes.map(({ node, prefix }) => `${node} ${prefix}`),
    ["n1 10.244.1.0/26", "n3 10.244.1.0/26"],
  );
});

test("nodes that peer with their racks' switches reach each other through the fabric, which is assumed", () => {
  const racks: ClusterParts = {
    nodes: {
      n1: { address: "10.0.0.21", asNumber: 65001, block: "10.244.0.0/26", pods: { p1: "10.244.0.5" } },
      n2: { address: "30.0.0.23", asNumber: 65002, block: "10.244.1.0/26", pods: { p2: "10.244.1.5" } },
    },
    settings: { nodeToNodeMeshEnabled: false },
  };
  const peers = {
    leaf1: { node: "n1", peerIP: "10.0.0.254", asNumber: 65001 },
    leaf2: { node: "n2", peerIP: "30.0.0.254", asNumber: 65002 },
  };
  const found = impact(racks, { ...racks, peers });
  assert.equal(found.pairs.gained.length, 2);
  assert.deepEqual(found.assumed, ["10.0.0.254", "30.0.0.254"]);
});

test("a pool that becomes VXLAN moves its routes to the tunnel, and no pair is lost", () => {
  const found = impact(mesh, { ...mesh, pool: { vxlanMode: "Always" } });
  assert.deepEqual(found.sessions, { come: [], go: [], restart: [] });
  assert.deepEqual(found.pairs, { lost: [], gained: [], count: 6 });
  assert.deepEqual(found.routes[0], {
    node: "n1",
    prefix: "10.244.1.0/26",
    before: "172.18.0.2",
    after: "172.18.0.2 dev vxlan.calico",
  });
  assert.equal(found.routes.length, 6);
  assert.equal(isHarmful(found), false);
});

test("VXLAN needs no session: the mesh may go", () => {
  const vxlan: ClusterParts = { ...mesh, pool: { vxlanMode: "CrossSubnet" } };
  const found = impact(vxlan, { ...vxlan, settings: { nodeToNodeMeshEnabled: false } });
  assert.equal(found.sessions.go.length, 6);
  assert.deepEqual([found.pairs.lost, found.routes], [[], []]);
});

test("where nothing speaks BGP a pool without encapsulation is reached by nobody", () => {
  const silent = rowOfNodes(3, () => ({ annotations: { "caracal/backend": "vxlan" } }));
  const found = impact({ nodes: silent, pool: { vxlanMode: "Always" } }, { nodes: silent });
  assert.deepEqual(found.sessions, { come: [], go: [], restart: [] });
  assert.equal(found.pairs.lost.length, 6);
  assert.deepEqual(found.routes[0], {
    node: "n1",
    prefix: "10.244.1.0/26",
    before: "172.18.0.2 dev vxlan.calico",
  });
});

test("a pool whose routes nobody programs loses its pairs, though every session and route of BGP stays", () => {
  const unprogrammed = impact(mesh, { ...mesh, settings: { programClusterRoutes: "Disabled" } });
  assert.equal(unprogrammed.sessions.go.length, 0);
  assert.equal(unprogrammed.pairs.lost.length, 6);
  assert.equal(isHarmful(unprogrammed), true);
});

test("without a tunnel, packets to another subnet end at a gateway that was not told of pods", () => {
  const racks = {
    n1: { address: "10.0.0.21", block: "10.244.0.0/26", pods: { p1: "10.244.0.5" } },
    n2: { address: "10.0.0.22", block: "10.244.1.0/26", pods: { p2: "10.244.1.5" } },
    n3: { address: "30.0.0.23", block: "10.244.2.0/26", pods: { p3: "10.244.2.5" } },
  };
  const found = impact({ nodes: racks, pool: { ipipMode: "CrossSubnet" } }, { nodes: racks });
  assert.deepEqual(
    found.pairs.lost.map(({ from, to }) => `${from} ${to}`),
    ["default/p1 default/p3", "default/p2 default/p3", "default/p3 default/p1", "default/p3 default/p2"],
  );
  assert.deepEqual(found.routes[0], {
    node: "n1",
    prefix: "10.244.2.0/26",
    before: "30.0.0.23 dev tunl0",
    after: "30.0.0.23",
  });
  assert.equal(isHarmful(found), true);
});

test("what is wrapped goes to the block's node, though BGP's next hop is a router that does not unwrap", () => {
  const racks: ClusterParts = {
    nodes: {
      n1: { address: "10.0.0.21", asNumber: 65001, block: "10.244.0.0/26", pods: { p1: "10.244.0.5" } },
      n2: { address: "30.0.0.23", asNumber: 65002, block: "10.244.1.0/26", pods: { p2: "10.244.1.5" } },
    },
    settings: { nodeToNodeMeshEnabled: false },
    peers: {
      leaf1: { node: "n1", peerIP: "10.0.0.254", asNumber: 65100 },
      leaf2: { node: "n2", peerIP: "30.0.0.254", asNumber: 65200 },
    },
  };
  assert.equal(impact(racks, { ...racks, pool: { ipipMode: "CrossSubnet" } }).pairs.lost.length, 0);
  const wrapped = impact(racks, { ...racks, pool: { ipipMode: "Always" } });
  assert.deepEqual(wrapped.pairs.lost, []);
  assert.deepEqual(wrapped.routes[0], {
    node: "n1",
    prefix: "10.244.1.0/26",
    before: "10.0.0.254",
    after: "30.0.0.23 dev tunl0",
  });
});

test("what is agreed on when a session opens restarts it: also TTL security, the port, and the address", () => {
  const peers = { all: { nodeSelector: "all()", peerSelector: "all()" } };
  const before: ClusterParts = { nodes: rowOfNodes(2), settings: { nodeToNodeMeshEnabled: false }, peers };
  const restarts = (change: Partial<ClusterParts>): number =>
    impact(before, { ...before, ...change }).sessions.restart.length;
  assert.equal(restarts({ peers: { all: { ...peers.all, ttlSecurity: 1 } } }), 2);
  assert.equal(restarts({ peers: { all: { ...peers.all, sourceAddress: "None" } } }), 2);
  assert.equal(restarts({ settings: { nodeToNodeMeshEnabled: false, bindMode: "NodeIP" } }), 2);
  assert.equal(restarts({ peers: { all: { ...peers.all, nextHopMode: "Self" } } }), 0);
});

test("ranges of services are told and never programmed: they are no routes of nodes", () => {
  const found = impact(mesh, { ...mesh, settings: { serviceClusterIPs: [{ cidr: "10.96.0.0/12" }] } });
  assert.deepEqual(found.routes, []);
  assert.equal(isHarmful(found), false);
});

test("a cluster with more sessions than can be run is refused in words", () => {
  const nodes = Object.fromEntries(
    Array.from({ length: 201 }, (_, index) => [
      `n${index}`,
      { address: `10.9.${index >> 7}.${index & 127}` },
    ]),
  );
  const big = plannedCluster({ nodes });
  assert.throws(() => impactOf(big, big), /20100 sessions; at most 20000/);
});
