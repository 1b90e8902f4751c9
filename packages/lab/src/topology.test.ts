/**
 * Aim: a topology file becomes data, and whatever is wrong with one is said in a line with its place.
 * Method: the built-in files, and small files with one mistake each.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { builtInTopologies, findTopology } from "./find-topology.ts";
import { parseTopology } from "./topology.ts";

const GOOD = `name: small
pool:
  cidr: 10.244.0.0/16
networks:
  - name: lan
    subnet: 10.0.0.0/24
nodes:
  - name: a
    address: 10.0.0.1
    pods:
      - p1
      - name: p2
        namespace: web
        annotations:
          cni.projectcalico.org/ipAddrs: '["10.244.0.9"]'
  - name: b
    address: 10.0.0.2
`;

test("the built-in topologies are as the scenarios say", () => {
  assert.deepEqual(builtInTopologies(), ["full-mesh", "mesh-sockets"]);
  const mesh = findTopology("full-mesh");
  assert.deepEqual(
    mesh.nodes.map(({ name, address }) => `${name} ${address}`),
    [
      "calico-bgp-fullmesh-control-plane 172.18.0.4",
      "calico-bgp-fullmesh-worker 172.18.0.3",
      "calico-bgp-fullmesh-worker2 172.18.0.2",
    ],
  );
  assert.deepEqual(mesh.pool, {
    cidr: "10.244.0.0/16",
    blockSize: 26,
    ipip: "Never",
    vxlan: "Never",
    natOutgoing: true,
  });
  const sockets = findTopology("mesh-sockets").nodes.map(({ name, address }) => `${name} ${address}`);
  assert.deepEqual(sockets, ["km01 192.168.80.121", "kw01 192.168.80.124", "kw02 192.168.80.125"]);
});

test("a pod is a name or a mapping; the only network needs no naming", () => {
  const { nodes } = parseTopology(GOOD, "t.yaml");
  assert.deepEqual(nodes[0], {
    name: "a",
    network: "lan",
    address: "10.0.0.1",
    backend: "caracal",
    environment: {},
    pods: [
      { name: "p1", namespace: "default", annotations: {} },
      { name: "p2", namespace: "web", annotations: { "cni.projectcalico.org/ipAddrs": '["10.244.0.9"]' } },
    ],
  });
});

test("a node's backend wins over the topology's", () => {
  const text = GOOD.replace("pool:", "backend: bird\npool:").replace(
    "- name: b",
    "- name: b\n    backend: none",
  );
  assert.deepEqual(
    parseTopology(text, "t.yaml").nodes.map(({ backend }) => backend),
    ["bird", "none"],
  );
});

const MISTAKES: readonly (readonly [what: string, from: string, to: string, message: string])[] = [
  ["no YAML", "name: small", "name: [", "t.yaml:2: "],
  ["a stray key", "pool:", "colour: red\npool:", "t.yaml:2: colour: there is no such key; there are name, "],
  ["a key that is missing", "    address: 10.0.0.1\n", "", "t.yaml:8: nodes[0]: the key address is missing"],
  ["a lab's name", "name: small", "name: Big Lab", 't.yaml:1: name: "Big Lab" is not a lab\'s name'],
  ["a pool", "10.244.0.0/16", "10.244.0.1/16", 't.yaml:3: pool.cidr: "10.244.0.1/16" is not an IPv4 CIDR'],
  ["a subnet", "10.0.0.0/24", "lan", 't.yaml:6: networks[0].subnet: "lan" is not an IPv4 subnet'],
  [
    "a foreign address",
    "10.0.0.1",
    "10.0.1.1",
    't.yaml:9: nodes[0].address: "10.0.1.1" is not an address in 10.0.0.0/24',
  ],
  ["a broadcast address", "10.0.0.1", "10.0.0.255", "t.yaml:9: nodes[0].address: "],
  ["an address twice", "10.0.0.2", "10.0.0.1", "t.yaml:16: nodes[1]: 10.0.0.1 is there twice"],
  ["a name twice", "- name: b", "- name: p1", "t.yaml:16: nodes[1]: the name p1 is taken"],
  ["the switch's name", "- p1", "- switch", "t.yaml:8: nodes[0]: the name switch is taken"],
  [
    "a network that is not there",
    "address: 10.0.0.2",
    "network: wan\n    address: 10.0.0.2",
    't.yaml:17: nodes[1].network: "wan" is not one of',
  ],
  [
    "a backend",
    "address: 10.0.0.2",
    "backend: frr\n    address: 10.0.0.2",
    't.yaml:17: nodes[1].backend: "frr" is not caracal, bird, vxlan or none',
  ],
  ["a key twice", "    subnet:", "    name: lan\n    subnet:", "t.yaml:6: Map keys must be unique"],
  ["text for a list", "nodes:", "nodes: none\nothers:", "t.yaml:8: others: there is no such key"],
  [
    "too small a pool",
    "cidr: 10.244.0.0/16",
    "cidr: 10.244.0.0/27",
    "t.yaml:2: pool: a block of /26 does not fit",
  ],
  [
    "two encapsulations",
    "cidr: 10.244.0.0/16",
    "cidr: 10.244.0.0/16\n  ipip: Always\n  vxlan: Always",
    "t.yaml:2: pool: ipip and vxlan",
  ],
];

for (const [what, from, to, message] of MISTAKES) {
  test(`a mistake is named with its line: ${what}`, () => {
    assert.throws(
      () => parseTopology(GOOD.replace(from, to), "t.yaml"),
      (error: unknown) => {
        assert.ok(error instanceof Error);
        assert.equal(error.name, "LabError");
        assert.ok(error.message.startsWith(message), error.message);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      },
    );
  });
}

test("an unknown topology names those that exist; an unreadable file says so", () => {
  assert.throws(
    () => findTopology("full-mess"),
    /there is no topology full-mess: there are full-mesh, mesh-sockets/,
  );
  assert.throws(() => findTopology("./none.yaml"), /cannot read the topology: ENOENT/);
});
