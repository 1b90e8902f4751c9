/**
 * Aim: what is told to peers and what goes into the kernel follow Calico's filters, first decision wins.
 * Method: policies of small clusters, one route at a time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, Prefix } from "@caracal/net";
import { affinity, cluster, configuration, input, node, pool, prefix } from "../test/scenario.ts";
import {
  type ClusterResources,
  decideExport,
  decideProgramming,
  nodeIntent,
  type ProgrammingVerdict,
} from "./index.ts";

const self = node("a", { ipv4Address: "10.0.0.1/24", ipv6Address: "fd00::1/64" });

function address(text: string): IpAddress {
  const found = IpAddress.parse(text);
  assert.ok(found !== undefined);
  return found;
}

test("export: hidden pools, own blocks whole, inside them nothing, then pools, disabled ones too, then nothing", () => {
  const resources = cluster({
    nodes: [self],
    pools: [
      pool("open", "10.244.0.0/16"),
      pool("hidden", "10.245.0.0/16", { disableBGPExport: true }),
      pool("disabled", "10.246.0.0/16", { disabled: true }),
    ],
  });
  const affinities = [affinity("a", "10.244.1.0/26"), affinity("a", "10.246.1.0/26")];
  const policy = nodeIntent(input("a", resources, { affinities })).bgp?.exportPolicy;
  assert.ok(policy);
  const verdict = (route: string): string => {
    const { isAccepted, rule, by } = decideExport(policy, prefix(route));
    return `${isAccepted ? "accept" : "reject"} ${rule} ${by ?? "-"}`;
  };
  assert.equal(verdict("10.245.1.0/26"), "reject pool-hidden hidden");
  assert.equal(verdict("10.244.1.0/26"), "accept own-block 10.244.1.0/26");
  assert.equal(verdict("10.244.1.7/32"), "reject inside-own-block 10.244.1.0/26");
  assert.equal(verdict("10.244.2.7/32"), "accept pool open");
  assert.equal(verdict("10.244.0.0/16"), "accept pool open");
  assert.equal(verdict("10.246.1.0/26"), "accept own-block 10.246.1.0/26");
  assert.equal(verdict("10.246.2.0/26"), "accept pool disabled");
  assert.equal(verdict("10.0.0.0/24"), "reject outside-pools -");
  assert.equal(verdict("0.0.0.0/0"), "reject outside-pools -");
});

function programming(resources: ClusterResources): (route: string, nextHop: string) => ProgrammingVerdict {
  const policy = nodeIntent(input("a", resources)).kernel.programming;
  return (route, nextHop) => decideProgramming(policy, prefix(route), address(nextHop));
}

const pools = [
  pool("plain", "10.244.0.0/16"),
  pool("always", "10.245.0.0/16", { ipipMode: "Always" }),
  pool("cross", "10.246.0.0/16", { ipipMode: "CrossSubnet" }),
  pool("vxlan", "10.247.0.0/16", { vxlanMode: "CrossSubnet" }),
  pool("v6", "fd10::/48"),
];

test("programming: of overlapping pools the smallest decides, of equal ones the first by name", () => {
  const inner = pool("inner", "10.244.128.0/17", { vxlanMode: "Always" });
  const twin = pool("also", "10.245.0.0/16");
  const decide = programming(cluster({ nodes: [self], pools: [...pools, inner, twin] }));
  assert.deepEqual(decide("10.244.1.0/26", "10.0.0.2"), { kind: "direct", pool: "plain" });
  assert.deepEqual(decide("10.244.129.0/26", "10.0.0.2"), {
    kind: "skip",
    reason: "vxlan-pool",
    by: "inner",
  });
  assert.deepEqual(decide("10.245.1.0/26", "10.0.0.2"), { kind: "direct", pool: "also" });
});

test("programming: plain pools through the next hop, IPIP pools by mode and subnet, VXLAN pools not at all", () => {
  const decide = programming(cluster({ nodes: [self], pools }));
  assert.deepEqual(decide("10.244.1.0/26", "10.0.0.2"), { kind: "direct", pool: "plain" });
  assert.deepEqual(decide("10.245.1.0/26", "10.0.0.2"), { kind: "tunnel", device: "tunl0", pool: "always" });
  assert.deepEqual(decide("10.246.1.0/26", "10.0.0.2"), { kind: "direct", pool: "cross" });
  assert.deepEqual(decide("10.246.1.0/26", "30.0.0.2"), { kind: "tunnel", device: "tunl0", pool: "cross" });
  assert.deepEqual(decide("10.247.1.0/26", "10.0.0.2"), { kind: "skip", reason: "vxlan-pool", by: "vxlan" });
  assert.deepEqual(decide("fd10::/122", "fd00::2"), { kind: "direct", pool: "v6" });
  assert.deepEqual(decide("192.0.2.0/24", "10.0.0.254"), { kind: "direct" });
});

test("programming: service ranges never become routes", () => {
  const services = configuration("default", { serviceClusterIPs: [{ cidr: "10.96.0.0/12" }] });
  const decide = programming(cluster({ nodes: [self], pools, bgpConfigurations: [services] }));
  const skipped = { kind: "skip", reason: "service-range", by: "10.96.0.0/12" };
  assert.deepEqual(decide("10.96.0.0/12", "10.0.0.2"), skipped);
  assert.deepEqual(decide("10.96.0.10/32", "10.0.0.2"), skipped);
});

test("programming: programClusterRoutes leaves kinds of pool to someone else", () => {
  const kinds = (
    mode: "Enabled" | "Disabled" | "EnabledIPIPOnly" | "EnabledNoEncapOnly",
  ): readonly string[] => {
    const setting = configuration("default", { programClusterRoutes: mode });
    const decide = programming(cluster({ nodes: [self], pools, bgpConfigurations: [setting] }));
    return [decide("10.244.1.0/26", "10.0.0.2").kind, decide("10.245.1.0/26", "10.0.0.2").kind];
  };
  assert.deepEqual(kinds("Enabled"), ["direct", "tunnel"]);
  assert.deepEqual(kinds("Disabled"), ["skip", "skip"]);
  assert.deepEqual(kinds("EnabledIPIPOnly"), ["skip", "tunnel"]);
  assert.deepEqual(kinds("EnabledNoEncapOnly"), ["direct", "skip"]);
});

test("service ranges are announced whole, single addresses and excluded nodes aside", () => {
  const services = configuration("default", {
    serviceClusterIPs: [{ cidr: "10.96.0.0/12" }],
    serviceExternalIPs: [{ cidr: "192.0.2.0/24" }, { cidr: "198.51.100.7/32" }],
    serviceLoadBalancerIPs: [{ cidr: "203.0.113.0/24" }],
  });
  const origins = (labels: Record<string, string>, config = services): readonly string[] => {
    const nodes = [node("a", { ipv4Address: "10.0.0.1/24" }, labels)];
    const intent = nodeIntent(input("a", cluster({ nodes, bgpConfigurations: [config] })));
    assert.deepEqual(intent.kernel.blackholes, []);
    return (intent.bgp?.origins ?? []).map(({ prefix: range, kind }) => `${kind} ${Prefix.format(range)}`);
  };
  assert.deepEqual(origins({}), ["service 10.96.0.0/12", "service 192.0.2.0/24", "service 203.0.113.0/24"]);
  assert.deepEqual(origins({ "node.kubernetes.io/exclude-from-external-load-balancers": "true" }), []);
  const apart = configuration("default", { ...services.spec, serviceLoadBalancerAggregation: "Disabled" });
  assert.deepEqual(origins({}, apart), ["service 10.96.0.0/12", "service 192.0.2.0/24"]);
});

test("a route reflector passes single service addresses on though it announces no services itself", () => {
  const services = configuration("default", { serviceExternalIPs: [{ cidr: "192.0.2.0/24" }] });
  const accepts = (bgp: object): boolean => {
    const excluded = { "node.kubernetes.io/exclude-from-external-load-balancers": "true" };
    const resources = cluster({
      nodes: [node("a", { ipv4Address: "10.0.0.1/24", ...bgp }, excluded)],
      bgpConfigurations: [services],
    });
    const policy = nodeIntent(input("a", resources)).bgp?.exportPolicy;
    assert.ok(policy);
    return decideExport(policy, prefix("192.0.2.7/32")).isAccepted;
  };
  assert.equal(accepts({ routeReflectorClusterID: "1.0.0.1" }), true);
  assert.equal(accepts({}), false);
});

test("programming: IPv4 with an IPv6 next hop goes directly, and through no IPIP", () => {
  const decide = programming(cluster({ nodes: [self], pools }));
  assert.deepEqual(decide("10.244.1.0/26", "fd00::2"), { kind: "direct", pool: "plain" });
  assert.deepEqual(decide("10.246.1.0/26", "fd00::2"), { kind: "direct", pool: "cross" });
  const skipped = { kind: "skip", reason: "ipip-over-ipv6" };
  assert.deepEqual(decide("10.246.1.0/26", "fd01::2"), { ...skipped, by: "cross" });
  assert.deepEqual(decide("10.245.1.0/26", "fd00::2"), { ...skipped, by: "always" });
});
