/**
 * Aim: single service addresses are announced by the nodes that Calico has announce them, and routes carry the communities of
 * the ranges they are in.
 * Method: one service with its endpoints at a time, seen from two nodes.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prefix } from "@caracal/net";
import type { BgpConfiguration, KubernetesEndpointSlice, KubernetesService } from "@caracal/resources";
import { cluster, configuration, input, node } from "../test/scenario.ts";
import { nodeIntent } from "./index.ts";

const ranges: BgpConfiguration["spec"] = {
  serviceClusterIPs: [{ cidr: "10.96.0.0/12" }],
  serviceExternalIPs: [{ cidr: "192.0.2.0/24" }, { cidr: "198.51.100.7/32" }],
  serviceLoadBalancerIPs: [{ cidr: "203.0.113.0/24" }],
};
const whole = ["10.96.0.0/12", "192.0.2.0/24", "203.0.113.0/24"];

function service(parts: Partial<KubernetesService> = {}): KubernetesService {
  return {
    namespace: "default",
    name: "web",
    type: "LoadBalancer",
    clusterIps: ["10.96.0.7"],
    externalIps: ["192.0.2.7", "10.1.1.1"],
    loadBalancerIps: ["203.0.113.7"],
    externalTrafficPolicy: "Local",
    ...parts,
  };
}

function slice(...readyNodes: readonly string[]): KubernetesEndpointSlice {
  return { namespace: "default", name: "web-x", service: "web", readyNodes };
}

const excluded = { "node.kubernetes.io/exclude-from-external-load-balancers": "true" };
const nodes = [
  node("a", { ipv4Address: "10.0.0.1/24" }),
  node("b", { ipv4Address: "10.0.0.2/24" }),
  node("c", { ipv4Address: "10.0.0.3/24" }, excluded),
];

/** Single addresses that each of the nodes announces. */
function announced(
  services: readonly KubernetesService[],
  endpointSlices: readonly KubernetesEndpointSlice[],
  spec: BgpConfiguration["spec"] = ranges,
): readonly (readonly string[])[] {
  const resources = cluster({
    nodes,
    bgpConfigurations: [configuration("default", spec)],
    services,
    endpointSlices,
  });
  return nodes.map(({ metadata }) => {
    const origins = nodeIntent(input(metadata.name, resources)).bgp?.origins ?? [];
    return origins.map(({ prefix }) => Prefix.format(prefix)).filter((text) => !whole.includes(text));
  });
}

const all = ["10.96.0.7/32", "192.0.2.7/32", "203.0.113.7/32"];

test("a service with local traffic is announced by the nodes that have a ready endpoint of it", () => {
  assert.deepEqual(announced([service()], [slice("a")]), [all, [], []]);
  assert.deepEqual(announced([service()], [slice("a"), slice("b", "c")]), [all, all, []]);
  assert.deepEqual(announced([service()], [slice("")]), [[], [], []]);
  assert.deepEqual(announced([service()], []), [[], [], []]);
  assert.deepEqual(announced([service({ name: "other" })], [slice("a")]), [[], [], []]);
});

test("ranges stand for the single addresses in them where routes are decided about", () => {
  const resources = cluster({
    nodes,
    bgpConfigurations: [
      configuration("default", { ...ranges, serviceExternalIPs: [{ cidr: "192.0.2.7/32" }] }),
    ],
    services: [service()],
    endpointSlices: [slice("a")],
  });
  const bgp = nodeIntent(input("a", resources)).bgp;
  const texts = (list: readonly Prefix[] = []) => list.map(Prefix.format);
  assert.deepEqual(texts(bgp?.origins.map(({ prefix }) => prefix)), [
    "10.96.0.0/12",
    "10.96.0.7/32",
    "192.0.2.7/32",
    "203.0.113.0/24",
    "203.0.113.7/32",
  ]);
  assert.deepEqual(texts(bgp?.exportPolicy.services), ["10.96.0.0/12", "192.0.2.7/32", "203.0.113.0/24"]);
});

test("a node is known to Kubernetes by the name that its Node refers to", () => {
  const [first, ...others] = nodes;
  assert.ok(first);
  const renamed = {
    ...first,
    spec: { ...first.spec, orchRefs: [{ nodeName: "ip-10-0-0-1", orchestrator: "k8s" }] },
  };
  const resources = cluster({
    nodes: [renamed, ...others],
    bgpConfigurations: [configuration("default", ranges)],
    services: [service()],
    endpointSlices: [slice("ip-10-0-0-1")],
  });
  const origins = nodeIntent(input("a", resources)).bgp?.origins ?? [];
  assert.equal(origins.length, whole.length + all.length);
});

test("a service that every node takes is announced on its own only for a single configured address", () => {
  const anywhere = service({ externalTrafficPolicy: "Cluster" });
  assert.deepEqual(announced([anywhere], [slice("a")]), [[], [], []]);
  const single = { ...anywhere, externalIps: ["198.51.100.7"] };
  const both = ["10.96.0.7/32", "198.51.100.7/32", "203.0.113.7/32"];
  assert.deepEqual(announced([single], []), [both, both, []]);
});

test("without aggregation a service is announced while it has an endpoint anywhere", () => {
  const anywhere = service({ externalTrafficPolicy: "Cluster" });
  const apart = { ...ranges, serviceLoadBalancerAggregation: "Disabled" } as const;
  assert.deepEqual(announced([anywhere], [slice("b")], apart), [all, all, []]);
  assert.deepEqual(announced([anywhere], [slice()], apart), [[], [], []]);
});

test("headless services and names for elsewhere are not announced; cluster addresses only where there is a range", () => {
  assert.deepEqual(announced([service({ clusterIps: [] })], [slice("a")]), [[], [], []]);
  assert.deepEqual(announced([service({ type: "ExternalName" })], [slice("a")]), [[], [], []]);
  const { serviceClusterIPs: _none, ...others } = ranges;
  assert.deepEqual(announced([service()], [slice("a")], others), [all.slice(1), [], []]);
});

test("an address that services share stays as long as one of them is announced", () => {
  const twin = service({ name: "twin", externalIps: [], loadBalancerIps: [] });
  const shared = all.slice(0, 1);
  const slices = [{ ...slice("a"), service: "twin" }];
  assert.deepEqual(announced([service(), twin], slices), [shared, [], []]);
  assert.deepEqual(announced([service(), twin], [...slices, slice("a")]), [all, [], []]);
});

test("routes carry the communities of every range they are in; a node's own ranges replace the cluster's", () => {
  const resources = cluster({
    nodes,
    bgpConfigurations: [
      configuration("default", {
        communities: [
          { name: "rack", value: "065001:0100" },
          { name: "large", value: "65001:1:2" },
        ],
        prefixAdvertisements: [
          { cidr: "10.244.0.0/16", communities: ["rack", "65001:7", "rack"] },
          { cidr: "10.244.1.0/24", communities: ["large", "nobody"] },
          { cidr: "10.245.0.0/16" },
        ],
      }),
      configuration("node.b", { prefixAdvertisements: [{ cidr: "10.9.0.0/16", communities: ["rack"] }] }),
      configuration("node.c", { prefixAdvertisements: [] }),
    ],
  });
  const of = (name: string) => {
    const { bgp, problems } = nodeIntent(input(name, resources));
    const list = bgp?.exportPolicy.advertisements ?? [];
    return {
      problems: problems.map(({ about, message }) => `${about} ${message}`),
      list: list.map(({ prefix, communities }) => `${Prefix.format(prefix)} ${communities.join(" ")}`),
    };
  };
  assert.deepEqual(of("a"), {
    list: ["10.244.0.0/16 65001:100 65001:7", "10.244.1.0/24 65001:1:2"],
    problems: [
      "BGPConfiguration(default) advertises 10.244.1.0/24 with the community nobody, which spec.communities does not name; it is left out",
    ],
  });
  assert.deepEqual(of("b"), { list: ["10.9.0.0/16 65001:100"], problems: [] });
  assert.deepEqual(of("c"), { list: [], problems: [] });
});
