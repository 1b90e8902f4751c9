/** NAT, floating addresses and guards of tunnels. Method: small clusters, one setting at a time, expectations as text. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, Prefix } from "@caracal/net";
import { apiVersion, type FelixConfiguration, type IpPool, type WorkloadEndpoint } from "@caracal/resources";
import { cluster, configuration, input, node, pod, pool } from "../../test/scenario.ts";
import { type ClusterResources, nodeIntent, type PacketIntent, packetIntents } from "../index.ts";

const nodes = [
  node("a", { ipv4Address: "10.0.0.1/24", ipv6Address: "fd00::1/64" }),
  node("b", { ipv4Address: "10.0.0.2/24" }),
];

function felix(spec: FelixConfiguration["spec"]): FelixConfiguration {
  return { kind: "FelixConfiguration", apiVersion, metadata: { name: "default" }, spec };
}

function nat(name: string, cidr: string, spec: Partial<IpPool["spec"]> = {}): IpPool {
  return pool(name, cidr, { natOutgoing: true, ...spec });
}

function ask(
  parts: Partial<ClusterResources>,
  endpoints: readonly WorkloadEndpoint[] = [],
): readonly [PacketIntent, PacketIntent] {
  const [v4, v6] = packetIntents({ node: "a", cluster: cluster({ nodes, ...parts }), endpoints });
  return [v4 ?? assert.fail(), v6 ?? assert.fail()];
}

function texts(prefixes: readonly Prefix[] | undefined): readonly string[] | undefined {
  return prefixes?.map(Prefix.format);
}

test("pools that ask for it are translated, outside all pools; overlapping ones are told once", () => {
  const pools = [
    nat("a", "10.244.0.0/16"),
    nat("inside", "10.244.7.0/24"),
    pool("plain", "10.9.0.0/16", { disabled: true }),
    nat("services", "10.7.0.0/24", { allowedUses: ["LoadBalancer"] }),
    nat("six", "fd00:10::/48"),
  ];
  const [v4, v6] = ask({ pools });
  assert.deepEqual(texts(v4.outgoing?.sources), ["10.244.0.0/16"]);
  assert.deepEqual(texts(v4.outgoing?.pools), ["10.9.0.0/16", "10.244.0.0/16"]);
  assert.deepEqual(texts(v6.outgoing?.sources), ["fd00:10::/48"]);
  assert.equal(v4.outgoing?.hosts, undefined);
  assert.equal(ask({ pools: [pool("plain", "10.9.0.0/16")] })[0].outgoing, undefined);
});

test("ports, address, interface and excluded hosts are as the settings say", () => {
  const pools = [nat("a", "10.244.0.0/16"), nat("six", "fd00:10::/48")];
  const settings = felix({
    natPortRange: "30000:30010",
    natOutgoingAddress: "10.0.0.9",
    natOutgoingExclusions: "IPPoolsAndHostIPs",
    iptablesNATOutgoingInterfaceFilter: "eth+",
    externalNodesList: ["192.168.0.0/24", "fd09::9"],
  });
  const [v4, v6] = ask({ pools, felixConfigurations: [settings] });
  assert.deepEqual(v4.outgoing?.ports, { first: 30000, last: 30010 });
  assert.equal(v4.outgoing?.address, IpAddress.parse("10.0.0.9"));
  assert.equal(v4.outgoing?.interfaceName, "eth*");
  assert.deepEqual(texts(v4.outgoing?.hosts), ["10.0.0.1/32", "10.0.0.2/32", "192.168.0.0/24"]);
  assert.deepEqual(texts(v6.outgoing?.hosts), ["fd00::1/128", "fd09::9/128"]);
  assert.equal(v6.outgoing?.address, undefined, "an IPv4 address is IPv4's");
  const one = ask({ pools, felixConfigurations: [felix({ natPortRange: 4000 })] })[0];
  assert.deepEqual(one.outgoing?.ports, { first: 4000, last: 4000 });
  const any = ask({ pools, felixConfigurations: [felix({ natPortRange: 0 })] })[0];
  assert.equal(any.outgoing?.ports, undefined);
});

function floating(name: string, internal: string, ...externals: readonly string[]): WorkloadEndpoint {
  const made = pod("a", name, `${internal}/${internal.includes(":") ? 128 : 32}`);
  const ipNATs = externals.map((externalIP) => ({ internalIP: internal, externalIP }));
  return { ...made, spec: { ...made.spec, ipNATs } };
}

function show({ floating: list }: PacketIntent): readonly string[] {
  return list.map(({ external, internal }) => `${IpAddress.format(external)} ${IpAddress.format(internal)}`);
}

const on = [felix({ floatingIPs: "Enabled" })];

test("floating addresses are given where they are enabled; of two claims the lower address has it", () => {
  const endpoints = [
    floating("web", "10.244.0.9", "192.0.2.1", "192.0.2.2"),
    floating("db", "10.244.0.3", "192.0.2.1"),
    floating("six", "fd00:10::9", "fd00:99::1"),
    { ...floating("far", "10.244.9.9", "192.0.2.7"), spec: { node: "b" } },
  ];
  const [v4, v6] = ask({ felixConfigurations: on }, endpoints);
  assert.deepEqual(show(v4), ["192.0.2.1 10.244.0.3", "192.0.2.2 10.244.0.9"]);
  assert.deepEqual(show(v6), ["fd00:99::1 fd00:10::9"]);
  assert.deepEqual(ask({}, endpoints)[0].floating, []);
});

test("a floating address is routed to its workload and announced; what goes wrong is told", () => {
  const pools = [pool("p", "10.244.0.0/16"), pool("public", "192.0.2.0/24")];
  const endpoints = [
    floating("web", "10.244.0.9", "192.0.2.1", "10.0.0.2"),
    floating("db", "10.244.0.3", "10.244.0.9"),
    floating("dc", "10.244.0.4", "192.0.2.1"),
  ];
  const intent = (felixConfigurations: readonly FelixConfiguration[]) =>
    nodeIntent(input("a", cluster({ nodes, pools, felixConfigurations }), { endpoints }));
  const { kernel, bgp, problems } = intent(on);
  const route = kernel.podRoutes.find(({ prefix }) => Prefix.format(prefix) === "192.0.2.1/32");
  assert.equal(route?.interfaceName, "calidc");
  assert.ok(bgp?.origins.some(({ prefix }) => Prefix.format(prefix) === "192.0.2.1/32"));
  assert.deepEqual(
    problems.map(({ about, message }) => `${about} ${message}`),
    [
      "WorkloadEndpoint(default/a-k8s-db-eth0) asks for the floating IP 10.244.0.9, which is that of WorkloadEndpoint(default/a-k8s-web-eth0)",
      "WorkloadEndpoint(default/a-k8s-web-eth0) asks for the floating IP 10.0.0.2, which is that of Node(b)",
      "WorkloadEndpoint(default/a-k8s-web-eth0) asks for the floating IP 192.0.2.1, which is that of WorkloadEndpoint(default/a-k8s-dc-eth0)",
    ],
  );
  const off = intent([]);
  assert.equal(off.kernel.podRoutes.length, 3);
  assert.match(off.problems[0]?.message ?? "", /floatingIPs Disabled/);
});

test("tunnels are guarded while they are in use, and only their nodes may send", () => {
  const ends = [
    {
      ...node("a", { ipv4Address: "10.0.0.1/24", ipv6Address: "fd00::1/64" }),
      spec: { ...nodes[0]?.spec, ipv4VXLANTunnelAddr: "10.244.0.0" },
    },
    node("b", { ipv4Address: "10.0.0.2/24" }),
  ];
  const vxlan = [
    pool("v", "10.244.0.0/16", { vxlanMode: "Always" }),
    pool("6", "fd00:10::/48", { vxlanMode: "CrossSubnet" }),
  ];
  const settings = felix({ vxlanPort: 8472, externalNodesList: ["192.168.0.0/24"] });
  const [v4, v6] = ask({ nodes: ends, pools: vxlan, felixConfigurations: [settings] });
  assert.deepEqual(
    [...v4.guards, ...v6.guards].map((guard) => [guard.device, guard.port, texts(guard.senders)]),
    [
      ["vxlan.calico", 8472, ["10.0.0.1/32", "10.0.0.2/32", "192.168.0.0/24"]],
      ["vxlan-v6.calico", 8472, ["fd00::1/128"]],
    ],
  );
  const ipip = [pool("i", "10.244.0.0/16", { ipipMode: "CrossSubnet" })];
  const [tunnel] = ask({ pools: ipip })[0].guards;
  assert.deepEqual([tunnel?.kind, texts(tunnel?.senders)], ["ipip", ["10.0.0.1/32", "10.0.0.2/32"]]);
  assert.deepEqual(ask({ pools: [pool("p", "10.244.0.0/16")] })[0].guards, []);
  assert.deepEqual(ask({ pools: ipip, felixConfigurations: [felix({ ipipEnabled: false })] })[0].guards, []);
  const open = felix({ allowIPIPPacketsFromWorkloads: true });
  assert.equal(ask({ pools: ipip, felixConfigurations: [open] })[0].guards[0]?.isOpenToWorkloads, true);
});

test("service ranges that nobody translated are stopped as the settings say", () => {
  const bgpConfigurations = [
    configuration("default", {
      serviceClusterIPs: [{ cidr: "10.96.0.0/12" }, { cidr: "fd00:96::/112" }],
      serviceExternalIPs: [{ cidr: "10.96.7.0/24" }],
    }),
  ];
  const [v4, v6] = ask({ bgpConfigurations });
  assert.deepEqual([texts(v4.serviceLoops?.ranges), v4.serviceLoops?.action], [["10.96.0.0/12"], "drop"]);
  assert.deepEqual(texts(v6.serviceLoops?.ranges), ["fd00:96::/112"]);
  const set = (serviceLoopPrevention: "Reject" | "Disabled") =>
    ask({ bgpConfigurations, felixConfigurations: [felix({ serviceLoopPrevention })] })[0].serviceLoops;
  assert.equal(set("Reject")?.action, "reject");
  assert.equal(set("Disabled"), undefined);
});

test("a node without a resource keeps the NAT of its pods", () => {
  const pools = [nat("a", "10.244.0.0/16", { vxlanMode: "Always" })];
  const [v4] = packetIntents({ node: "z", cluster: cluster({ nodes, pools }), endpoints: [] });
  assert.deepEqual([texts(v4?.outgoing?.sources), v4?.guards], [["10.244.0.0/16"], []]);
});
