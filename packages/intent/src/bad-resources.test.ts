/**
 * Aim: what is wrong with resources is said in one line that names the resource, and everything else goes on.
 * Method: a working cluster with one mistake at a time; its sessions beside the mistake stay.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cluster, configuration, input, node, peer } from "../test/scenario.ts";
import { type ClusterResources, nodeIntent } from "./index.ts";

const nodes = [
  node("a", { ipv4Address: "10.0.0.1/24" }, { rack: "1" }),
  node("b", { ipv4Address: "10.0.0.2/24" }, { rack: "2" }),
];

/** Problems as lines, and names of the sessions. */
function seen(
  resources: Partial<ClusterResources>,
  name = "a",
): { readonly lines: readonly string[]; readonly peers: readonly string[] } {
  const { problems, bgp } = nodeIntent(input(name, cluster({ nodes, ...resources })));
  return {
    lines: problems.map(({ about, message }) => `${about} ${message}`),
    peers: (bgp?.peers ?? []).map((one) => one.name),
  };
}

test("selectors that match nothing are told by every node", () => {
  const bgpPeers = [
    peer("nowhere", { nodeSelector: "rack == '9'", peerIP: "10.0.0.254", asNumber: 65000 }),
    peer("gone", { node: "c", peerIP: "10.0.0.254", asNumber: 65000 }),
    peer("nobody", { nodeSelector: "rack == '2'", peerSelector: "has(reflector)" }),
  ];
  for (const name of ["a", "b"]) {
    assert.deepEqual(seen({ bgpPeers }, name), {
      lines: [
        "BGPPeer(gone) applies to no node: Node(c) does not exist",
        "BGPPeer(nobody) selects no node to peer with: has(reflector)",
        "BGPPeer(nowhere) applies to no node: rack == '9'",
      ],
      peers: [`Mesh_10_0_0_${name === "a" ? 2 : 1}`],
    });
  }
});

test("a wrong port of a node is told, and its session tried", () => {
  const off = configuration("default", { nodeToNodeMeshEnabled: false });
  const bgpPeers = [peer("odd", { node: "a", peerIP: "10.0.0.2:1790", asNumber: 64512 })];
  assert.deepEqual(seen({ bgpPeers, bgpConfigurations: [off] }), {
    lines: ["BGPPeer(odd) gives Node(b) the port 1790, but it listens on 179: the session will not open"],
    peers: ["Node_10_0_0_2_port_1790"],
  });
});

test("two AS numbers for one address are told, and the first is kept", () => {
  const bgpPeers = [
    peer("first", { node: "a", peerIP: "10.0.0.254", asNumber: 65001 }),
    peer("same", { node: "a", peerIP: "10.0.0.254", asNumber: 65001 }),
    peer("second", { node: "a", peerIP: "10.0.0.254", asNumber: 65002 }),
  ];
  assert.deepEqual(seen({ bgpPeers }), {
    lines: [
      "BGPPeer(second) asks for AS 65002 at 10.0.0.254, where BGPPeer(first) asks for AS 65001; that one is kept",
    ],
    peers: ["Mesh_10_0_0_2", "Node_10_0_0_254"],
  });
});

test("what cannot be read as a resource is told", () => {
  const unreadable = [{ about: "Node(c)", message: "cannot be read: spec.bgp.asNumber is too large" }];
  assert.deepEqual(seen({ unreadable }), {
    lines: ["Node(c) cannot be read: spec.bgp.asNumber is too large"],
    peers: ["Mesh_10_0_0_2"],
  });
});

test("a malformed cluster ID leaves the node in the mesh", () => {
  const malformed = node("c", { ipv4Address: "10.0.0.3/24", routeReflectorClusterID: "1.0.0" });
  assert.deepEqual(seen({ nodes: [...nodes, malformed] }), {
    lines: [
      "Node(c) has the cluster ID 1.0.0, which is no IPv4 address: it does not reflect, and is in the mesh",
    ],
    peers: ["Mesh_10_0_0_2", "Mesh_10_0_0_3"],
  });
});

test("reflectors of one cluster ID with other clients clash; with the same clients, or other IDs, they do not", () => {
  const reflector = (name: string, last: number, id: string) =>
    node(name, { ipv4Address: `10.0.0.${last}/24`, routeReflectorClusterID: id }, { rr: name });
  const off = configuration("default", { nodeToNodeMeshEnabled: false });
  const racks = [
    peer("rack1", { nodeSelector: "rack == '1'", peerSelector: "rr == 'r1'" }),
    peer("rack2", { nodeSelector: "rack == '2'", peerSelector: "rr == 'r2'" }),
    peer("between", { nodeSelector: "has(rr)", peerSelector: "has(rr)" }),
  ];
  const lines = (second: string, bgpPeers: ClusterResources["bgpPeers"]) =>
    seen({
      nodes: [...nodes, reflector("r1", 11, "1.0.0.1"), reflector("r2", 12, second)],
      bgpConfigurations: [off],
      bgpPeers,
    }).lines;
  assert.deepEqual(lines("1.0.0.1", racks), [
    "Node(r1) reflects with the cluster ID 1.0.0.1 as Node(r2) does, but not to its client Node(b), whose routes it drops as a loop: give it another ID, or peer the two",
    "Node(r2) reflects with the cluster ID 1.0.0.1 as Node(r1) does, but not to its client Node(a), whose routes it drops as a loop: give it another ID, or peer the two",
  ]);
  assert.deepEqual(lines("1.0.0.2", racks), []);
  assert.deepEqual(
    lines("1.0.0.1", [peer("all", { nodeSelector: "has(rack)", peerSelector: "has(rr)" })]),
    [],
  );
});

test("a secret that is not there is told once for each resource that names it", () => {
  const secret = { secretKeyRef: { name: "bgp", key: "mesh" } };
  const resources = cluster({
    nodes,
    bgpConfigurations: [configuration("default", { nodeMeshPassword: secret })],
    bgpPeers: [peer("leaf", { peerIP: "10.0.0.254", asNumber: 65000, password: secret })],
  });
  const lines = (hasSecret?: () => boolean) => {
    const settings = { ...input("a", resources).settings, ...(hasSecret === undefined ? {} : { hasSecret }) };
    return nodeIntent(input("a", resources, { settings })).problems.map(
      ({ about, message }) => `${about} ${message}`,
    );
  };
  const reason =
    "takes its password from the key mesh of the secret bgp, which is not there: its sessions have no password";
  assert.deepEqual(
    lines(() => false),
    [`BGPConfiguration(default) ${reason}`, `BGPPeer(leaf) ${reason}`],
  );
  assert.deepEqual(
    lines(() => true),
    [],
  );
  assert.deepEqual(lines(), []);
});
