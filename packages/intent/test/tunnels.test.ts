// Aim: a node's tunnels and their routes are those that Calico would program. Method: the racks of the walk through VXLAN
// (three nodes in 10.0.0.0/24, one in 30.0.0.0/24), its expected lines written out; then one thing changed at a time.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { IpAddress, Prefix } from "@caracal/net";
import { Mac } from "@caracal/netlink";
import { AllocationBlockCodec, apiVersion, type FelixConfiguration, type Node } from "@caracal/resources";
import {
  type ClusterResources,
  isSameRoutedBlock,
  type RoutedBlock,
  routedBlockOf,
  takenTunnelAddresses,
  type TunnelInput,
  tunnelIntent,
  type TunnelRoute,
} from "../src/index.ts";
import { cluster, configuration, node, pod, pool, prefix } from "./scenario.ts";

const sha1 = (text: string): Uint8Array => createHash("sha1").update(text).digest();

const racks = [
  ["master1", "10.0.0.11/24", 65],
  ["worker1", "10.0.0.21/24", 204],
  ["worker2", "10.0.0.22/24", 42],
  ["worker3", "30.0.0.23/24", 73],
] as const;

function rackNode(name: string, ipv4Address: string, octet: number, spec: Partial<Node["spec"]> = {}): Node {
  const made = node(name, { ipv4Address, ipv4IPIPTunnelAddr: `10.244.${octet}.1` });
  return { ...made, spec: { ...made.spec, ipv4VXLANTunnelAddr: `10.244.${octet}.0`, ...spec } };
}

const nodes = racks.map(([name, address, octet]) => rackNode(name, address, octet));
const blocks: readonly RoutedBlock[] = racks.map(([name, , octet]) => block(`10.244.${octet}.0/24`, name));

function block(
  cidr: string,
  name: string | undefined,
  borrowed: readonly (readonly [string, string])[] = [],
): RoutedBlock {
  return {
    prefix: prefix(cidr),
    ...(name === undefined ? {} : { node: name }),
    borrowed: borrowed.map(([text, holder]) => ({ address: address(text), node: holder })),
  };
}

function address(text: string): IpAddress {
  return IpAddress.parse(text) ?? assert.fail(text);
}

function felix(spec: FelixConfiguration["spec"], name = "default"): FelixConfiguration {
  return { kind: "FelixConfiguration", apiVersion, metadata: { name }, spec };
}

interface Change {
  readonly resources?: Partial<ClusterResources>;
  readonly input?: Partial<TunnelInput>;
  readonly speaksBgp?: boolean;
}

function vxlan(mode: "Always" | "CrossSubnet") {
  return [pool("default", "10.244.0.0/16", { vxlanMode: mode })];
}

function ask(name: string, { resources, input, speaksBgp = false }: Change = {}) {
  return tunnelIntent({
    node: name,
    cluster: cluster({ nodes, pools: vxlan("CrossSubnet"), ...resources }),
    blocks,
    ownBlocks: blocks.filter((one) => one.node === name).map((one) => one.prefix),
    settings: { sha1, speaksBgp },
    ...input,
  });
}

function show(routes: readonly TunnelRoute[]): readonly string[] {
  return routes.map((route) => {
    const to = Prefix.format(route.prefix);
    if (route.kind === "blackhole") return `blackhole ${to}`;
    const dev = route.kind === "tunnel" ? ` dev ${route.device}` : "";
    return `${to} via ${IpAddress.format(route.gateway)}${dev}`;
  });
}

test("CrossSubnet goes directly within the rack and through VXLAN beyond", () => {
  const { routes, tunnels, problems } = ask("worker1");
  assert.deepEqual(show(routes), [
    "10.244.42.0/24 via 10.0.0.22",
    "10.244.65.0/24 via 10.0.0.11",
    "10.244.73.0/24 via 10.244.73.0 dev vxlan.calico",
    "blackhole 10.244.204.0/24",
  ]);
  assert.deepEqual(problems, []);
  const [device, ...others] = tunnels;
  assert.deepEqual(others, []);
  assert.ok(device?.kind === "vxlan");
  const { name, vni, port, local, mac, mtu, address: own } = device;
  assert.deepEqual(
    [name, vni, port, local, own, mtu],
    ["vxlan.calico", 4096, 4789, address("10.0.0.21"), address("10.244.204.0"), undefined],
  );
  assert.equal(Mac.format(mac), `66:${macTail("worker1")}`);
  assert.deepEqual(
    device.vteps.map((end) => [end.node, IpAddress.format(end.host), Mac.format(end.mac)]),
    [
      ["worker2", "10.0.0.22", `66:${macTail("worker2")}`],
      ["master1", "10.0.0.11", `66:${macTail("master1")}`],
      ["worker3", "30.0.0.23", `66:${macTail("worker3")}`],
    ],
  );
});

/** The first five bytes of a name's SHA-1, as Calico puts them behind 66. */
function macTail(name: string): string {
  const digest = createHash("sha1").update(name).digest("hex");
  return (digest.slice(0, 10).match(/../g) ?? []).join(":");
}

test("Always goes through VXLAN everywhere; a mask of /32 makes every node a far one", () => {
  const always = ask("worker1", { resources: { pools: vxlan("Always") } });
  const far = ask("worker1", {
    resources: { nodes: nodes.with(1, rackNode("worker1", "10.0.0.21/32", 204)) },
  });
  for (const { routes } of [always, far]) {
    assert.deepEqual(show(routes), [
      "10.244.42.0/24 via 10.244.42.0 dev vxlan.calico",
      "10.244.65.0/24 via 10.244.65.0 dev vxlan.calico",
      "10.244.73.0/24 via 10.244.73.0 dev vxlan.calico",
      "blackhole 10.244.204.0/24",
    ]);
  }
});

test("beside a BGP speaker VXLAN pools are still ours, and other pools and their blackholes are not", () => {
  const pools = [
    ...vxlan("Always"),
    pool("plain", "10.9.0.0/16"),
    pool("ipip", "10.8.0.0/16", { ipipMode: "Always" }),
  ];
  const more = [...blocks, block("10.9.1.0/24", "worker2"), block("10.8.1.0/24", "worker2")];
  const { routes, tunnels } = ask("worker1", {
    speaksBgp: true,
    resources: { pools },
    input: { blocks: more },
  });
  assert.equal(routes.length, 4);
  assert.ok(show(routes).includes("blackhole 10.244.204.0/24"));
  assert.deepEqual(
    tunnels.map(({ name }) => name),
    ["tunl0", "vxlan.calico"],
  );
  // BGPConfiguration may leave IPIP pools to the agent.
  const left = ask("worker1", {
    speaksBgp: true,
    resources: {
      pools,
      bgpConfigurations: [configuration("default", { programClusterRoutes: "EnabledNoEncapOnly" })],
    },
    input: { blocks: more },
  });
  assert.ok(show(left.routes).includes("10.8.1.0/24 via 10.0.0.22 dev tunl0"));
  assert.ok(!show(left.routes).some((line) => line.startsWith("10.9.")));
});

test("without BGP the agent's setting says whether IPIP and plain pools are ours", () => {
  const pools = [pool("plain", "10.9.0.0/16"), pool("ipip", "10.8.0.0/16", { ipipMode: "CrossSubnet" })];
  const some = [
    block("10.9.1.0/24", "worker2"),
    block("10.9.2.0/24", "worker3"),
    block("10.8.1.0/24", "worker3"),
  ];
  const routes = (mode: FelixConfiguration["spec"]["programClusterRoutes"]) =>
    show(
      ask("worker1", {
        resources: {
          pools,
          ...(mode === undefined ? {} : { felixConfigurations: [felix({ programClusterRoutes: mode })] }),
        },
        input: { blocks: some, ownBlocks: [prefix("10.9.3.0/24"), prefix("10.8.3.0/24")] },
      }).routes,
    );
  const ipip = ["10.8.1.0/24 via 30.0.0.23 dev tunl0", "blackhole 10.8.3.0/24"];
  const plain = ["10.9.1.0/24 via 10.0.0.22", "blackhole 10.9.3.0/24"];
  assert.deepEqual(routes(undefined), ipip);
  assert.deepEqual(routes("Enabled"), [...ipip, ...plain]);
  assert.deepEqual(routes("EnabledNoEncapOnly"), plain);
  assert.deepEqual(routes("Disabled"), []);
});

test("borrowed addresses and tunnel addresses outside their node's block have routes of their own", () => {
  const lent = [
    block("10.244.204.0/24", "worker1", [["10.244.204.9", "worker3"]]),
    block("10.244.73.0/24", "worker3", [
      ["10.244.73.9", "worker1"],
      ["10.244.73.10", "worker2"],
    ]),
    block("10.244.99.0/24", undefined, [
      ["10.244.99.5", "worker3"],
      ["10.244.99.6", "gone"],
    ]),
  ];
  const { routes } = ask("worker1", {
    input: { blocks: lent, ownBlocks: [prefix("10.244.204.0/24")] },
  });
  assert.deepEqual(show(routes), [
    "10.244.42.0/32 via 10.0.0.22",
    "10.244.65.0/32 via 10.0.0.11",
    "10.244.73.0/24 via 10.244.73.0 dev vxlan.calico",
    "10.244.73.10/32 via 10.0.0.22",
    "10.244.99.5/32 via 10.244.73.0 dev vxlan.calico",
    "blackhole 10.244.204.0/24",
    "10.244.204.9/32 via 10.244.73.0 dev vxlan.calico",
  ]);
});

test("settings of the agent and of the node are taken over", () => {
  const { tunnels } = ask("worker1", {
    resources: {
      nodes: nodes.with(
        1,
        rackNode("worker1", "10.0.0.21/24", 204, { vxlanTunnelMACAddr: "02:00:00:00:00:07" }),
      ),
      felixConfigurations: [
        felix({ vxlanVNI: 7, vxlanPort: 8472, vxlanMTU: 1300, ipipEnabled: true, ipipMTU: 1280 }),
      ],
    },
    input: { settings: { sha1, speaksBgp: false, environment: { vxlanMTU: 1350 } } },
  });
  const [ipip, device] = tunnels;
  assert.deepEqual(ipip, {
    kind: "ipip",
    name: "tunl0",
    family: 4,
    mtu: 1280,
    address: address("10.244.204.1"),
  });
  assert.ok(device?.kind === "vxlan");
  assert.deepEqual(
    [device.vni, device.port, device.mtu, Mac.format(device.mac)],
    [7, 8472, 1350, "02:00:00:00:00:07"],
  );
});

test("whether checksums may be left to the interface can be said", () => {
  for (const [featureDetectOverride, expected] of [
    ["", undefined],
    ["SNATFullyRandom=true", undefined],
    ["ChecksumOffloadBroken=true", false],
    ["SNATFullyRandom=true, ChecksumOffloadBroken=false", true],
  ] as const) {
    const felixConfigurations = [felix({ featureDetectOverride })];
    const [device] = ask("worker1", { resources: { felixConfigurations } }).tunnels;
    assert.equal(device?.kind === "vxlan" ? device.checksumOffload : "none", expected, featureDetectOverride);
  }
});

test("IPv6 pools have a device of their own, and the IPv4 switch does not concern it", () => {
  const both = racks.map(([name, ipv4Address, octet], at) => {
    const made = node(name, { ipv4Address, ipv6Address: `fd0${at < 3 ? 0 : 3}::${octet}/64` });
    return { ...made, spec: { ...made.spec, ipv6VXLANTunnelAddr: `fd10::${octet}:0` } };
  });
  const { tunnels, routes, problems } = ask("worker1", {
    resources: {
      nodes: both,
      pools: [
        pool("six", "fd10::/48", { vxlanMode: "CrossSubnet" }),
        pool("four", "10.244.0.0/16", { vxlanMode: "Always" }),
      ],
      felixConfigurations: [felix({ vxlanEnabled: false, vxlanMTUV6: 1400 })],
    },
    input: { blocks: [block("fd10::42:0/122", "worker2"), block("fd10::73:0/122", "worker3"), ...blocks] },
  });
  assert.deepEqual(show(routes), [
    "fd10::42:0/122 via fd00::42",
    "fd10::65:0/128 via fd00::65",
    "fd10::73:0/122 via fd10::73:0 dev vxlan-v6.calico",
  ]);
  const [device] = tunnels;
  assert.ok(tunnels.length === 1 && device?.kind === "vxlan");
  assert.deepEqual([device.name, device.local, device.mtu], ["vxlan-v6.calico", address("fd00::204"), 1400]);
  assert.equal(Mac.format(device.mac), `66:${macTail("worker1-v6")}`);
  assert.deepEqual(
    problems.map(({ about }) => about),
    ["IPPool(four)"],
  );
});

test("an end that two nodes claim is the older one's; the rest goes on", () => {
  const young = rackNode("worker2", "10.0.0.22/24", 42);
  const old = { ...young, metadata: { name: "worker2", creationTimestamp: "2020-01-01T00:00:00Z" } };
  const twin = rackNode("worker3", "30.0.0.23/24", 42);
  const { routes, problems } = ask("worker1", {
    resources: { nodes: [...nodes.slice(0, 2), twin, old] },
    input: { blocks: [...blocks, block("10.244.1.0/24", "worker3")] },
  });
  assert.deepEqual(problems, [
    {
      about: "Node(worker3)",
      message:
        "has the VXLAN tunnel address 10.244.42.0 of Node(worker2), and is not reached through VXLAN: give one of them another",
    },
  ]);
  assert.ok(!show(routes).some((line) => line.includes("vxlan.calico")));
  assert.ok(show(routes).includes("10.244.42.0/24 via 10.0.0.22"));
});

test("missing tunnel addresses, taken ones and pools inside pools are told", () => {
  const lines = (parts: Change) =>
    ask("worker1", parts).problems.map(({ about, message }) => `${about} ${message}`);
  const without = racks.map(([name, ipv4Address]) => node(name, { ipv4Address }));
  assert.deepEqual(lines({ resources: { nodes: without } }), [
    "Node(master1) has no ipv4VXLANTunnelAddr yet, so it is not reached through VXLAN, nor are worker2, worker3",
    "Node(worker1) has no ipv4VXLANTunnelAddr yet, so other nodes do not reach it through VXLAN",
  ]);
  const alone = { nodes: [...nodes.slice(0, 3), node("worker3", { ipv4Address: "30.0.0.23/24" })] };
  assert.deepEqual(
    lines({ resources: alone, input: { blocks: blocks.slice(0, 3) } }),
    [],
    "no block, no need",
  );
  const endpoints = [pod("worker1", "a", "10.244.204.0/32"), pod("worker1", "b", "10.244.73.0/32")];
  const taken = takenTunnelAddresses(ask("worker1").tunnels, "worker1", endpoints);
  assert.deepEqual(
    taken.map(({ about, message }) => `${about} ${message}`),
    [
      "WorkloadEndpoint(default/worker1-k8s-a-eth0) has 10.244.204.0, the tunnel address of this node: make the pod anew",
      "WorkloadEndpoint(default/worker1-k8s-b-eth0) has 10.244.73.0, the tunnel address of Node(worker3): make the pod anew",
    ],
  );
  const pools = [...vxlan("CrossSubnet"), pool("inner", "10.244.73.0/24", { vxlanMode: "Always" })];
  assert.deepEqual(lines({ resources: { pools } }), [
    "IPPool(inner) lies in 10.244.0.0/16 of IPPool(default): where both have an address, this one decides how it is reached",
  ]);
  const twice = [pool("zwin", "10.244.0.0/16", { ipipMode: "Always" }), ...vxlan("CrossSubnet")];
  assert.deepEqual(lines({ resources: { pools: twice } }), [
    "IPPool(zwin) has the very range of IPPool(default), which decides how its addresses are reached",
  ]);
});

test("a node that is unknown or has no address has no tunnels", () => {
  assert.deepEqual(ask("nobody"), { tunnels: [], routes: [], problems: [] });
  const alone = ask("worker1", { resources: { nodes: nodes.with(1, node("worker1", undefined)) } });
  assert.deepEqual([alone.tunnels, alone.routes], [[], []]);
});

test("IPAM's record of a block says whose it is and who borrows from it", () => {
  const record = (attributes: readonly object[], affinity?: string) => {
    const text = JSON.stringify({
      cidr: "10.244.73.0/30",
      affinity,
      allocations: [0, 1, null, 2],
      unallocated: [2],
      attributes,
    });
    const reading = AllocationBlockCodec.parse(text);
    return reading.kind === "ok" ? routedBlockOf(reading.value) : assert.fail(text);
  };
  const attributes = [
    { secondary: { node: "worker3", type: "vxlanTunnelAddress" } },
    { handle_id: "h", secondary: { node: "worker1" } },
    { handle_id: "windows-reserved-ipam-handle" },
  ];
  const found = record(attributes, "host:worker3");
  assert.deepEqual(found, block("10.244.73.0/30", "worker3", [["10.244.73.1", "worker1"]]));
  const orphan = record(attributes);
  assert.deepEqual(orphan?.borrowed.length, 2);
  assert.ok(found !== undefined && orphan !== undefined);
  assert.ok(isSameRoutedBlock(found, found) && !isSameRoutedBlock(found, orphan));
  assert.ok(!isSameRoutedBlock(found, block("10.244.73.0/30", "worker3", [["10.244.73.1", "worker2"]])));
});
