/**
 * Aim: a topology file becomes data, and whatever is wrong with one is said in a line with its place.
 * Method: the built-in files, and small files with one mistake each.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { builtInTopologies, findTopology } from "./find-topology.ts";
import { parseTopology } from "./parse-topology.ts";

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
  assert.deepEqual(builtInTopologies(), [
    "as-per-rack",
    "as-per-server",
    "dual-stack",
    "dual-stack-racks",
    "full-mesh",
    "ipip-always",
    "ipip-cross-subnet",
    "ipv6-only",
    "leaf-spine",
    "mesh-off",
    "mesh-sockets",
    "nat",
    "reflector-by-ip",
    "route-reflector",
    "vxlan-always",
    "vxlan-cross-subnet",
  ]);
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
  for (const [name, vxlan] of [
    ["vxlan-always", "Always"],
    ["vxlan-cross-subnet", "CrossSubnet"],
  ] as const) {
    const { pool, nodes } = findTopology(name);
    assert.deepEqual([pool.vxlan, pool.blockSize], [vxlan, 24]);
    assert.deepEqual(new Set(nodes.map(({ backend }) => backend)), new Set(["vxlan"]));
  }
  assert.deepEqual(sockets, ["km01 192.168.80.121", "kw01 192.168.80.124", "kw02 192.168.80.125"]);
});

test("a pod is a name or a mapping; the only network needs no naming", () => {
  const { nodes } = parseTopology(GOOD, "t.yaml");
  assert.deepEqual(nodes[0], {
    name: "a",
    network: "lan",
    address: "10.0.0.1",
    asNumber: 64512,
    backend: "caracal",
    environment: {},
    pods: [
      { name: "p1", namespace: "default", annotations: {} },
      { name: "p2", namespace: "web", annotations: { "cni.projectcalico.org/ipAddrs": '["10.244.0.9"]' } },
    ],
  });
});

const DUAL = GOOD.replace("networks:", "pool6: { cidr: fd00:10:244::/56 }\nnetworks:")
  .replace("subnet: 10.0.0.0/24", "subnet: 10.0.0.0/24\n    subnet6: fd00::/64\n    gateway6: fd00::ff")
  .replace("10.0.0.1", "10.0.0.1\n    address6: FD00:0::1")
  .replace("10.0.0.2", "10.0.0.2\n    address6: fd00::2");

test("a second family has pools, subnets and addresses of its own; IPv6 alone takes the first's place", () => {
  const both = parseTopology(DUAL, "t.yaml");
  assert.deepEqual(both.pool6, {
    cidr: "fd00:10:244::/56",
    blockSize: 122,
    ipip: "Never",
    vxlan: "Never",
    natOutgoing: false,
  });
  assert.deepEqual(both.networks, [
    { name: "lan", kind: "lan", subnet: "10.0.0.0/24", subnet6: "fd00::/64", gateway6: "fd00::ff" },
  ]);
  assert.deepEqual(
    both.nodes.map(({ address, address6 }) => [address, address6]),
    [
      ["10.0.0.1", "fd00::1"],
      ["10.0.0.2", "fd00::2"],
    ],
  );
  const alone = GOOD.replace("10.244.0.0/16", "fd00:10:244::/56")
    .replace("10.0.0.0/24", "fd00::/64")
    .replace("10.0.0.1", "fd00::1")
    .replace("10.0.0.2", "fd00::2");
  const { pool, pool6, nodes } = parseTopology(alone, "t.yaml");
  assert.deepEqual([pool.blockSize, pool.natOutgoing, pool6], [122, false, undefined]);
  assert.deepEqual(
    nodes.map(({ address, address6 }) => [address, address6]),
    [
      ["fd00::1", undefined],
      ["fd00::2", undefined],
    ],
  );
});

const FABRIC = `name: fabric
pool: { cidr: 10.244.0.0/16 }
switches:
  - { name: spine, asNumber: 65000, daemon: frr }
  - { name: leaf, asNumber: 65001, servers: external }
racks:
  - { name: rack1, subnet: 10.0.0.0/24, switch: leaf, gateway: 10.0.0.254 }
links:
  - { switches: [leaf, spine], subnet: 10.1.1.0/30 }
nodes:
  - { name: a, address: 10.0.0.1, pods: [pa] }
resources:
  - apiVersion: projectcalico.org/v3
    kind: Node
    metadata: { name: a }
    spec: { bgp: { asNumber: 65011 } }
checks:
  unreachable:
    - { from: all, to: a, at: leaf }
  sessions:
    a: [10.0.0.254 node specific]
  routes:
    leaf: [<block a> via 10.0.0.1 dev swp1, no 10.244.0.0/16]
  outputs:
    - { on: pa, run: ip route, includes: default }
`;

test("racks and links plug switches in, and tell whom they peer with", () => {
  const { switches, networks, nodes } = parseTopology(FABRIC, "t.yaml");
  assert.deepEqual(
    networks.map(({ name, kind, gateway }) => [name, kind, gateway]),
    [
      ["rack1", "rack", "10.0.0.254"],
      ["leaf-spine", "link", undefined],
    ],
  );
  const [spine, leaf] = switches;
  assert.deepEqual(spine?.interfaces, [
    { name: "swp1", network: "leaf-spine", address: "10.1.1.2", isRack: false },
  ]);
  assert.deepEqual([spine.daemon, leaf?.daemon], ["frr", "caracal"]);
  assert.deepEqual(leaf?.neighbors, [
    { name: "spine", address: "10.1.1.2", asNumber: 65000, localAddress: "10.1.1.1", isNode: false },
    { name: "a", address: "10.0.0.1", asNumber: 65011, localAddress: "10.0.0.254", isNode: true },
  ]);
  assert.equal(nodes[0]?.asNumber, 65011);
});

test("a rack and a link of both families have a session for each", () => {
  const text = FABRIC.replace(
    "gateway: 10.0.0.254",
    "gateway: 10.0.0.254, subnet6: 'fd00::/64', gateway6: 'fd00::fe'",
  )
    .replace("subnet: 10.1.1.0/30", "subnet: 10.1.1.0/30, subnet6: 'fd01::/126'")
    .replace("address: 10.0.0.1,", "address: 10.0.0.1, address6: 'fd00::1',");
  const [spine, leaf] = parseTopology(text, "t.yaml").switches;
  assert.deepEqual(spine?.interfaces, [
    { name: "swp1", network: "leaf-spine", address: "10.1.1.2", address6: "fd01::2", isRack: false },
  ]);
  assert.deepEqual(
    leaf?.neighbors.map(({ name, address, localAddress }) => [name, address, localAddress]),
    [
      ["spine", "10.1.1.2", "10.1.1.1"],
      ["spine", "fd01::2", "fd01::1"],
      ["a", "10.0.0.1", "10.0.0.254"],
      ["a", "fd00::1", "fd00::fe"],
    ],
  );
});

test("the switch's own AS is what servers: internal stands for", () => {
  const { switches } = parseTopology(FABRIC.replace("external", "internal"), "t.yaml");
  assert.deepEqual(
    switches[1]?.neighbors.map(({ asNumber }) => asNumber),
    [65000, 65001],
  );
});

test("checks become data", () => {
  const { checks } = parseTopology(FABRIC, "t.yaml");
  assert.deepEqual(checks.unreachable, [{ from: ["a"], to: ["a"], at: "leaf" }]);
  assert.deepEqual(checks.sessions.get("a"), [{ peer: "10.0.0.254", type: "node specific" }]);
  assert.deepEqual(checks.routes.get("leaf")?.[0], {
    text: "<block a> via 10.0.0.1 dev swp1",
    isAbsent: false,
    destination: { blocksOf: "a", pool: "pool" },
    isBlackhole: false,
    gateway: "10.0.0.1",
    interface: "swp1",
  });
  assert.deepEqual(checks.outputs, [{ on: "pa", run: "ip route", text: "default", isPart: true }]);
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
  ["a pool", "10.244.0.0/16", "10.244.0.1/16", 't.yaml:3: pool.cidr: "10.244.0.1/16" is not a CIDR such as'],
  ["a subnet", "10.0.0.0/24", "lan", 't.yaml:6: networks[0].subnet: "lan" is not a subnet such as'],
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

const DUAL_MISTAKES: typeof MISTAKES = [
  [
    "a pool of no network's family",
    "cidr: 10.244.0.0/16",
    "cidr: fd00:1::/56",
    "t.yaml:3: pool.cidr: no network's subnet is IPv6",
  ],
  [
    "two pools of one family",
    "fd00:10:244::/56",
    "10.245.0.0/16",
    't.yaml:4: pool6.cidr: "10.245.0.0/16" is not an IPv6 CIDR',
  ],
  ["ipip for IPv6", "244::/56", "244::/56, ipip: Always", "t.yaml:4: pool6: there is no ipip for IPv6"],
  ["no IPv6 address", "    address6: fd00::2\n", "", "t.yaml:20: nodes[1]: the key address6 is missing"],
  ["an IPv6 address twice", "fd00::2", "fd00:0::1", "t.yaml:20: nodes[1]: fd00::1 is there twice"],
  ["the gateway's address", "fd00::2", "fd00::ff", "t.yaml:22: nodes[1].address6: fd00::ff is the gateway"],
  [
    "a second family that no network has",
    "    subnet6: fd00::/64\n    gateway6: fd00::ff\n",
    "",
    "t.yaml:11: nodes[0].address6: the network lan has no subnet6",
  ],
  [
    "a gateway without its subnet",
    "    subnet6: fd00::/64\n",
    "",
    "t.yaml:6: networks[0]: the key subnet6 is missing",
  ],
];

const FABRIC_MISTAKES: typeof MISTAKES = [
  ["an AS number", "65000", "none", 't.yaml:4: switches[0].asNumber: "none" is not an AS number'],
  [
    "a switch's daemon",
    "daemon: frr",
    "daemon: gobgp",
    't.yaml:4: switches[0].daemon: "gobgp" is not caracal, bird or frr',
  ],
  ["a switch twice", "name: leaf, asN", "name: spine, asN", "t.yaml:5: switches[1]: spine is there twice"],
  [
    "an unknown switch",
    "switch: leaf,",
    "switch: lead,",
    't.yaml:7: racks[0].switch: "lead" is not one of the switches spine, leaf',
  ],
  ["a rack without a gateway", ", gateway: 10.0.0.254", "", "t.yaml:7: racks[0]: the key gateway is missing"],
  [
    "half a link",
    "[leaf, spine]",
    "[leaf]",
    "t.yaml:9: links[0].switches: two different switches are needed",
  ],
  ["too small a link", "10.1.1.0/30", "10.1.1.0/32", "t.yaml:9: links[0].subnet: a link needs two addresses"],
  [
    "a subnet within another",
    "10.1.1.0/30",
    "10.0.0.0/30",
    "t.yaml:9: links[0]: its subnet 10.0.0.0/30 overlaps",
  ],
  [
    "a node called as a switch",
    "name: a, addr",
    "name: leaf, addr",
    "t.yaml:11: nodes[0]: the name leaf is taken",
  ],
  [
    "an unknown rack",
    "address: 10.0.0.1,",
    "rack: r, address: 10.0.0.1,",
    't.yaml:11: nodes[0].rack: "r" is not one of the racks rack1',
  ],
  [
    "an unknown kind",
    "kind: Node",
    "kind: Nodes",
    't.yaml:14: resources[0].kind: "Nodes": unknown resource type',
  ],
  ["a resource's value", "asNumber: 65011", "asNumber: -1", "t.yaml:16: resources[0].spec.bgp.asNumber: "],
  [
    "another address than the node's",
    "asNumber: 65011",
    "ipv4Address: 10.0.0.2/24",
    "t.yaml:16: resources[0].spec.bgp.ipv4Address: 10.0.0.2/24 is not the address of a, 10.0.0.1",
  ],
  ["an unknown place", "at: leaf", "at: leave", 't.yaml:19: checks.unreachable[0].at: "leave" is not'],
  [
    "sessions of nobody",
    "a: [10.0.0.254",
    "b: [10.0.0.254",
    "t.yaml:21: checks.sessions.b: there is no node or switch b",
  ],
  [
    "a session's type",
    "node specific",
    "mesh",
    't.yaml:21: checks.sessions.a[0]: "10.0.0.254 mesh" is not a peer\'s address',
  ],
  [
    "a route",
    "no 10.244.0.0/16",
    "to 10.244.0.0/16",
    't.yaml:23: checks.routes.leaf[1]: "to 10.244.0.0/16" is not a route such as',
  ],
  ["a block of nobody", "<block a>", "<block z>", "t.yaml:23: checks.routes.leaf[0]: there is no node z"],
  ["an output on nothing", "on: pa", "on: pz", 't.yaml:25: checks.outputs[0].on: "pz" is not'],
  [
    "an output that says nothing",
    ", includes: default",
    "",
    "t.yaml:25: checks.outputs[0]: either prints or includes",
  ],
  [
    "a placeholder",
    "includes: default",
    "includes: <pod pz>",
    "t.yaml:25: checks.outputs[0]: <pod pz> means no node or pod",
  ],
];

const ALL_MISTAKES = [
  ...MISTAKES.map((mistake) => [GOOD, ...mistake] as const),
  ...DUAL_MISTAKES.map((mistake) => [DUAL, ...mistake] as const),
  ...FABRIC_MISTAKES.map((mistake) => [FABRIC, ...mistake] as const),
];

for (const [text, what, from, to, message] of ALL_MISTAKES) {
  test(`a mistake is named with its line: ${what}`, () => {
    assert.ok(text.includes(from));
    assert.throws(
      () => parseTopology(text.replace(from, to), "t.yaml"),
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
    /there is no topology full-mess: there are as-per-rack, as-per-server, dual-stack, dual-stack-racks, full-mesh, /,
  );
  assert.throws(() => findTopology("./none.yaml"), /cannot read the topology: ENOENT/);
});
