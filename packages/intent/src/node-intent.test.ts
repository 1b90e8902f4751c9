/**
 * Aim: one node's intent is what Calico's templates give for the scenarios' clusters.
 * Method: the scenarios' resources in, names, roles and prefixes out; then random clusters, where both ends must agree.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import type { Node } from "@caracal/resources";
import fc from "fast-check";
import {
  affinity,
  cluster,
  configuration,
  input,
  node,
  peer,
  pod,
  pool,
  prefix,
  sha256,
} from "../test/scenario.ts";
import { type ClusterResources, nodeIntent, type PeerIntent } from "./index.ts";

const fullMesh = cluster({
  nodes: [
    node("control-plane", { ipv4Address: "172.18.0.2/16" }),
    node("worker", { ipv4Address: "172.18.0.3/16" }),
    node("worker2", { ipv4Address: "172.18.0.4/16" }),
  ],
  pools: [pool("default-ipv4-ippool", "10.244.0.0/16")],
});

const socketMesh = cluster({
  nodes: [
    node("km01", { ipv4Address: "192.168.80.121/24" }),
    node("kw01", { ipv4Address: "192.168.80.124/24" }),
    node("kw02", { ipv4Address: "192.168.80.125/24" }),
  ],
});

function peersOf(name: string, resources: ClusterResources): readonly PeerIntent[] {
  return nodeIntent(input(name, resources)).bgp?.peers ?? [];
}

function created(one: Node, creationTimestamp: string): Node {
  return { ...one, metadata: { ...one.metadata, creationTimestamp } };
}

function names(peers: readonly PeerIntent[]): readonly string[] {
  return peers.map((one) => one.name);
}

test("a full mesh has one session with every other node, named after its address", () => {
  const intent = nodeIntent(input("control-plane", fullMesh));
  assert.deepEqual(names(intent.bgp?.peers ?? []), ["Mesh_172_18_0_3", "Mesh_172_18_0_4"]);
  assert.equal(intent.bgp?.asNumber, 64512);
  assert.equal(intent.bgp?.routerId, Ipv4.parse("172.18.0.2"));
  assert.deepEqual(intent.bgp?.listen, { port: 179 });
  assert.deepEqual(intent.problems, []);
  const [first] = intent.bgp?.peers ?? [];
  assert.ok(first);
  assert.equal(first.remoteAsNumber, 64512);
  assert.equal(first.localAsNumber, 64512);
  assert.equal(first.sourceAddress, Ipv4.parse("172.18.0.2"));
  assert.deepEqual(
    [first.holdSeconds, first.keepaliveSeconds, first.restartSeconds, first.port],
    [240, 80, 120, 179],
  );
});

test("the node whose address is the larger text connects", () => {
  const roles = ["km01", "kw01", "kw02"].map((name) =>
    peersOf(name, socketMesh).map(({ isPassive }) => (isPassive ? "waits" : "connects")),
  );
  assert.deepEqual(roles, [
    ["waits", "waits"],
    ["connects", "waits"],
    ["connects", "connects"],
  ]);
  const texts = cluster({
    nodes: [node("a", { ipv4Address: "10.0.0.9/24" }), node("b", { ipv4Address: "10.0.0.10/24" })],
  });
  assert.equal(peersOf("a", texts)[0]?.isPassive, false);
  assert.equal(peersOf("b", texts)[0]?.isPassive, true);
});

test("mesh off leaves no peers, and the AS is the configured one", () => {
  const off = configuration("default", { nodeToNodeMeshEnabled: false, asNumber: 61234 });
  const intent = nodeIntent(input("kw01", { ...socketMesh, bgpConfigurations: [off] }));
  assert.deepEqual(intent.bgp?.peers, []);
  assert.equal(intent.bgp?.asNumber, 61234);
});

test("a node's own AS and port are what its peers expect of it", () => {
  const resources = cluster({
    nodes: [
      node("a", { ipv4Address: "10.0.0.1/24", asNumber: 65001 }),
      node("b", { ipv4Address: "10.0.0.2/24" }),
    ],
    bgpConfigurations: [
      configuration("default", { asNumber: 65000, bindMode: "NodeIP" }),
      configuration("node.a", { listenPort: 1790 }),
    ],
  });
  const [fromB] = peersOf("b", resources);
  assert.deepEqual([fromB?.remoteAsNumber, fromB?.localAsNumber, fromB?.port], [65001, 65000, 1790]);
  assert.equal(fromB?.name, "Mesh_10_0_0_1");
  assert.deepEqual(nodeIntent(input("a", resources)).bgp?.listen, {
    port: 1790,
    addresses: [Ipv4.parse("10.0.0.1")],
  });
});

test("a dual-stack pair has a session per family, the second named with underscores for colons", () => {
  const resources = cluster({
    nodes: [
      node("a", { ipv4Address: "10.0.0.1/24", ipv6Address: "fd00::1/64" }),
      node("b", { ipv4Address: "10.0.0.2/24", ipv6Address: "fd00::2/64" }),
    ],
  });
  assert.deepEqual(names(peersOf("a", resources)), ["Mesh_10_0_0_2", "Mesh_fd00__2"]);
});

test("confirmed blocks are announced and blackholed; others are not, and a /32 block is only its pod's route", () => {
  const intent = nodeIntent(
    input("worker", fullMesh, {
      affinities: [
        affinity("worker", "10.244.83.128/26"),
        affinity("worker", "10.244.90.0/26", "pending"),
        affinity("worker", "10.244.91.0/26", "pendingDeletion"),
        affinity("worker", "10.244.92.7/32"),
        affinity("worker2", "10.244.10.0/26"),
      ],
      endpoints: [
        pod("worker", "inside", "10.244.83.130/32"),
        pod("worker", "borrowed", "10.244.10.5/32"),
        pod("worker", "alone", "10.244.92.7/32"),
        pod("worker", "outside-pools", "10.9.9.9/32"),
        pod("worker2", "elsewhere", "10.244.10.6/32"),
      ],
    }),
  );
  assert.deepEqual(intent.kernel.blackholes.map(Prefix.format), ["10.244.83.128/26"]);
  assert.deepEqual(
    intent.bgp?.origins.map((origin) => `${origin.kind} ${Prefix.format(origin.prefix)}`),
    ["block 10.244.83.128/26", "pod 10.244.10.5/32", "pod 10.244.92.7/32"],
  );
  assert.deepEqual(
    intent.kernel.podRoutes.map((route) => `${Prefix.format(route.prefix)} ${route.interfaceName}`),
    [
      "10.9.9.9/32 calioutside-pools",
      "10.244.10.5/32 caliborrowed",
      "10.244.83.130/32 caliinside",
      "10.244.92.7/32 calialone",
    ],
  );
});

test("a block of a pool with disableBGPExport stays at home, but keeps its blackhole", () => {
  const resources = { ...fullMesh, pools: [pool("hidden", "10.244.0.0/16", { disableBGPExport: true })] };
  const intent = nodeIntent(
    input("worker", resources, { affinities: [affinity("worker", "10.244.1.0/26")] }),
  );
  assert.deepEqual(intent.bgp?.origins, []);
  assert.deepEqual(intent.kernel.blackholes, [prefix("10.244.1.0/26")]);
});

test("the router ID is the address, a literal, or the name's hash; without any the node says so", () => {
  const routerId = (setting: string): number | undefined =>
    nodeIntent(input("kw01", socketMesh, { settings: { routerId: setting, sha256 } })).bgp?.routerId;
  assert.equal(routerId(""), Ipv4.parse("192.168.80.124"));
  assert.equal(routerId("1.2.3.4"), Ipv4.parse("1.2.3.4"));
  assert.equal(routerId("nonsense"), undefined);
  const digest = sha256("kw01");
  const expected = Uint8Array.from(digest.subarray(0, 4));
  if ((expected[0] ?? 0) > 223) expected[0] = (expected[0] ?? 0) - 32;
  assert.equal(routerId("hash"), Ipv4.read(expected));
  const multicast = nodeIntent(
    input("kw01", socketMesh, { settings: { routerId: "hash", sha256: () => Uint8Array.of(255, 1, 2, 3) } }),
  );
  assert.equal(multicast.bgp?.routerId, Ipv4.parse("223.1.2.3"));
  const v6only = nodeIntent(input("a", cluster({ nodes: [node("a", { ipv6Address: "fd00::1/64" })] })));
  assert.equal(v6only.bgp, undefined);
  assert.match(v6only.problems[0]?.message ?? "", /CALICO_ROUTER_ID/);
});

test("an unknown node and one without an address have no BGP and one problem each", () => {
  for (const resources of [cluster({}), cluster({ nodes: [node("a", undefined)] })]) {
    const intent = nodeIntent(input("a", resources));
    assert.equal(intent.bgp, undefined);
    assert.deepEqual(intent.kernel.blackholes, []);
    assert.equal(intent.problems.length, 1);
    assert.equal(intent.problems[0]?.about, "Node(a)");
  }
});

test("of two nodes with one address the older is in the mesh, and every node is told", () => {
  const resources = cluster({
    nodes: [
      created(node("a", { ipv4Address: "10.0.0.1/24" }), "2026-01-02T00:00:00Z"),
      created(node("b", { ipv4Address: "10.0.0.1/24" }), "2026-01-01T00:00:00Z"),
      node("c", { ipv4Address: "10.0.0.3/24" }),
    ],
  });
  assert.deepEqual(
    peersOf("c", resources).map((one) => one.node),
    ["b"],
  );
  assert.deepEqual(peersOf("a", resources), []);
  assert.deepEqual(nodeIntent(input("c", resources)).problems, [
    {
      about: "Node(a)",
      message: "has the address 10.0.0.1 of Node(b) and is left out: give one of them another",
    },
  ]);
});

test("route reflectors leave the mesh, and a peerSelector makes both ends peer", () => {
  const label = { "route-reflector": "true" };
  const resources = cluster({
    nodes: [
      node("km01", { ipv4Address: "10.0.0.1/24", routeReflectorClusterID: "1.0.0.1" }, label),
      node("kw01", { ipv4Address: "10.0.0.2/24", routeReflectorClusterID: "1.0.0.1" }, label),
      node("kw02", { ipv4Address: "10.0.0.3/24" }),
      node("kw03", { ipv4Address: "10.0.0.4/24" }),
    ],
    bgpConfigurations: [configuration("default", { nodeToNodeMeshEnabled: false })],
    bgpPeers: [peer("rr", { nodeSelector: "all()", peerSelector: "route-reflector == 'true'" })],
  });
  assert.deepEqual(names(peersOf("kw02", resources)), ["Node_10_0_0_1", "Node_10_0_0_2"]);
  assert.deepEqual(names(peersOf("km01", resources)), ["Node_10_0_0_2", "Node_10_0_0_3", "Node_10_0_0_4"]);
  assert.deepEqual(
    peersOf("km01", resources).map(({ reflectorClusterId }) => reflectorClusterId),
    [undefined, Ipv4.parse("1.0.0.1"), Ipv4.parse("1.0.0.1")],
  );
  assert.ok(peersOf("kw02", resources).every(({ reflectorClusterId }) => reflectorClusterId === undefined));
});

test("a global peer by address is global on every node and node-specific back on the node that has it", () => {
  const resources = cluster({
    nodes: socketMesh.nodes,
    bgpConfigurations: [configuration("default", { nodeToNodeMeshEnabled: false, asNumber: 61234 })],
    bgpPeers: [peer("km01", { peerIP: "192.168.80.121", asNumber: 61234 })],
  });
  assert.deepEqual(names(peersOf("kw01", resources)), ["Global_192_168_80_121"]);
  assert.deepEqual(names(peersOf("km01", resources)), ["Node_192_168_80_124", "Node_192_168_80_125"]);
});

test("a top-of-rack peer belongs to its rack's nodes and has the settings of its resource", () => {
  const resources = cluster({
    nodes: [
      node("w1", { ipv4Address: "10.0.0.1/24", asNumber: 65011 }, { rack: "1" }),
      node("w3", { ipv4Address: "30.0.0.3/24" }, { rack: "2" }),
    ],
    bgpPeers: [
      peer("leaf01", {
        nodeSelector: "rack == '1'",
        peerIP: "10.0.0.254:1790",
        asNumber: 65001,
        localASNumber: 65099,
        sourceAddress: "None",
        ttlSecurity: 2,
        keepaliveTime: "20s",
        maxRestartTime: "1m30s",
        nextHopMode: "Self",
        numAllowedLocalASNumbers: 3,
        password: { secretKeyRef: { name: "bgp", key: "leaf" } },
        reachableBy: "10.0.0.253",
        filters: ["missing"],
      }),
    ],
  });
  const intent = nodeIntent(input("w1", resources));
  const leaf = intent.bgp?.peers.find(({ bgpPeer }) => bgpPeer === "leaf01");
  assert.deepEqual(leaf, {
    name: "Node_10_0_0_254_port_1790",
    type: "node",
    family: 4,
    address: Ipv4.parse("10.0.0.254"),
    port: 1790,
    remoteAsNumber: 65001,
    localAsNumber: 65099,
    isPassive: false,
    bgpPeer: "leaf01",
    ttlSecurityHops: 2,
    nextHop: "self",
    allowedLocalAsCount: 3,
    holdSeconds: 240,
    restartSeconds: 90,
    keepaliveSeconds: 20,
    password: { name: "bgp", key: "leaf" },
    reachableBy: Ipv4.parse("10.0.0.253"),
    filters: ["missing"],
  });
  assert.deepEqual(intent.problems, [
    { about: "BGPPeer(leaf01)", message: "names the BGPFilter missing, which does not exist" },
  ]);
  assert.deepEqual(names(peersOf("w3", resources)), ["Mesh_10_0_0_1"]);
});

test("peers that cannot work are left out or reported in one line", () => {
  const resources = cluster({
    nodes: socketMesh.nodes,
    bgpPeers: [
      peer("no-as", { peerIP: "10.1.1.1" }),
      peer("no-match", { peerSelector: "has(nothing)" }),
      peer("twice", { peerIP: "192.168.80.124", asNumber: 64512 }),
      peer("wrong-as", { peerIP: "192.168.80.125", asNumber: 1 }),
    ],
  });
  const intent = nodeIntent(input("km01", resources));
  assert.deepEqual(names(intent.bgp?.peers ?? []), ["Mesh_192_168_80_124", "Mesh_192_168_80_125"]);
  assert.deepEqual(
    intent.problems.map(({ about, message }) => `${about} ${message}`),
    [
      "BGPPeer(no-as) has no asNumber, so no session can open; it is left out",
      "BGPPeer(no-match) selects no node to peer with: has(nothing)",
      "BGPPeer(twice) asks for a session with 192.168.80.124, which the node-to-node mesh already has as Mesh_192_168_80_124; the mesh's is kept",
      "BGPPeer(wrong-as) asks for a session with 192.168.80.125, which the node-to-node mesh already has as Mesh_192_168_80_125; the mesh's is kept",
    ],
  );
});

const labelsArb = fc.record({ rack: fc.constantFrom("1", "2"), rr: fc.constantFrom("yes", "no") });

/** Clusters of up to 12 nodes: families, AS numbers, reflectors, ports and shared addresses all vary. */
const clusterArb = fc
  .record({
    nodes: fc.array(
      fc.record({
        last4: fc.option(fc.integer({ min: 1, max: 30 }), { freq: 8 }),
        last6: fc.option(fc.integer({ min: 1, max: 0xffff }), { freq: 1 }),
        asNumber: fc.option(fc.integer({ min: 64512, max: 64515 })),
        reflects: fc.option(fc.constantFrom("1.0.0.1", "1.0.0.2"), { freq: 1 }),
        listenPort: fc.option(fc.integer({ min: 1000, max: 1003 }), { freq: 1 }),
        labels: labelsArb,
      }),
      { maxLength: 12 },
    ),
    mesh: fc.option(fc.boolean()),
    asNumber: fc.option(fc.integer({ min: 1, max: 70000 })),
  })
  .map(({ nodes, mesh, asNumber }) =>
    cluster({
      nodes: nodes.map((one, index) =>
        node(
          `n${index}`,
          {
            ...(one.last4 === null ? {} : { ipv4Address: `10.0.0.${one.last4}/24` }),
            ...(one.last6 === null ? {} : { ipv6Address: `fd00::${one.last6.toString(16)}/64` }),
            ...(one.asNumber === null ? {} : { asNumber: one.asNumber }),
            ...(one.reflects === null ? {} : { routeReflectorClusterID: one.reflects }),
          },
          one.labels,
        ),
      ),
      bgpConfigurations: [
        configuration("default", {
          ...(mesh === null ? {} : { nodeToNodeMeshEnabled: mesh }),
          ...(asNumber === null ? {} : { asNumber }),
        }),
        ...nodes.flatMap((one, index) =>
          one.listenPort === null ? [] : [configuration(`node.n${index}`, { listenPort: one.listenPort })],
        ),
      ],
    }),
  );

const hashed = { routerId: "hash", sha256 };

/** Both ends of every session agree that it exists, on AS numbers and port; not both wait. */
function checkAgreement(resources: ClusterResources, type: "mesh" | "any"): void {
  const intents = new Map(
    resources.nodes.map(({ metadata }) => [
      metadata.name,
      nodeIntent(input(metadata.name, resources, { settings: hashed })),
    ]),
  );
  for (const [name, intent] of intents) {
    for (const ours of intent.bgp?.peers ?? []) {
      assert.ok(ours.node !== undefined && ours.sourceAddress !== undefined);
      const other = intents.get(ours.node)?.bgp;
      const theirs = other?.peers.find(
        ({ node: back, address }) => back === name && address === ours.sourceAddress,
      );
      assert.ok(theirs, `${name} has ${ours.name}, and ${ours.node} has no session back`);
      assert.equal(theirs.sourceAddress, ours.address);
      assert.equal(theirs.remoteAsNumber, ours.localAsNumber);
      assert.equal(theirs.localAsNumber, ours.remoteAsNumber);
      assert.equal(ours.port, other?.listen.port);
      if (type === "mesh") assert.notEqual(theirs.isPassive, ours.isPassive);
      else assert.ok(!(theirs.isPassive && ours.isPassive), "both wait");
    }
    const addresses = (intent.bgp?.peers ?? []).map(({ address }) => IpAddress.format(address));
    assert.equal(new Set(addresses).size, addresses.length, "two sessions with one address");
  }
}

test("both ends of every mesh session agree that it exists, on AS numbers, ports and who connects", () => {
  fc.assert(
    fc.property(clusterArb, (resources) => checkAgreement(resources, "mesh")),
    { numRuns: 300 },
  );
});

test("both ends of every selected session agree as well", () => {
  const selector = fc.constantFrom("all()", "rack == '1'", "rr == 'yes'", "rr == 'no' && rack == '2'");
  const peerings = fc.array(
    fc
      .record({ nodeSelector: fc.option(selector), peerSelector: selector })
      .map(({ nodeSelector, peerSelector }) => ({
        peerSelector,
        ...(nodeSelector === null ? {} : { nodeSelector }),
      })),
    { maxLength: 3 },
  );
  fc.assert(
    fc.property(clusterArb, peerings, (resources, specs) =>
      checkAgreement({ ...resources, bgpPeers: specs.map((spec, index) => peer(`p${index}`, spec)) }, "any"),
    ),
    { numRuns: 300 },
  );
});

test("the order of the resources does not matter", () => {
  fc.assert(
    fc.property(clusterArb, (resources) => {
      const reversed = {
        ...resources,
        nodes: resources.nodes.toReversed(),
        bgpConfigurations: resources.bgpConfigurations.toReversed(),
      };
      for (const { metadata } of resources.nodes) {
        assert.deepEqual(
          nodeIntent(input(metadata.name, reversed)),
          nodeIntent(input(metadata.name, resources)),
        );
      }
    }),
    { numRuns: 100 },
  );
});

test("a BGPPeer's annotation has its IPv6 sessions carry IPv4, and a node without IPv4 tell its IPv4 blocks", () => {
  const bgpPeer = peer("both", { nodeSelector: "all()", peerSelector: "all()" });
  const resources = (annotations: Record<string, string>): ClusterResources =>
    cluster({
      nodes: [node("a", { ipv6Address: "fd00::1/64" }), node("b", { ipv6Address: "fd00::2/64" })],
      pools: [pool("v4", "10.244.0.0/16")],
      bgpConfigurations: [configuration("default", { nodeToNodeMeshEnabled: false })],
      bgpPeers: [{ ...bgpPeer, metadata: { ...bgpPeer.metadata, annotations } }],
    });
  const intentOf = (annotations: Record<string, string>) =>
    nodeIntent(
      input("a", resources(annotations), {
        affinities: [affinity("a", "10.244.1.0/26")],
        settings: { sha256, routerId: "hash" },
      }),
    );
  const carrying = intentOf({ "caracal/ipv4-over-ipv6": "true" });
  assert.deepEqual(
    carrying.bgp?.peers.map(({ name, carriesIpv4 }) => [name, carriesIpv4]),
    [["Node_fd00__2", true]],
  );
  assert.deepEqual(
    carrying.bgp.origins.map(({ prefix: told }) => Prefix.format(told)),
    ["10.244.1.0/26"],
  );
  assert.deepEqual(carrying.kernel.blackholes.map(Prefix.format), ["10.244.1.0/26"]);
  const plain = intentOf({});
  assert.deepEqual(
    plain.bgp?.peers.map(({ carriesIpv4 }) => carriesIpv4),
    [undefined],
  );
  assert.deepEqual([plain.bgp.origins, plain.kernel.blackholes], [[], []]);
});
