/**
 * Aim: the configurations of the node agent and the controllers, and the state of nodes, are accepted and refused as by Calico.
 * Method: each type of setting with values inside and outside of it; every rule across fields once.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseResource } from "../kinds.ts";
import { describeProblems } from "../problem.ts";
import { apiVersion } from "../resource-schema.ts";
import { felixConfigurationKind } from "./felix-configuration.ts";

type Spec = Readonly<Record<string, unknown>>;

function read(kind: string, spec: Spec, name = "default") {
  return parseResource({ kind, apiVersion, metadata: { name }, spec }, "user");
}

function accept(kind: string, spec: Spec, name?: string): unknown {
  const reading = read(kind, spec, name);
  if (reading.kind === "bad") assert.fail(`${describeProblems(reading.problems)} ${JSON.stringify(spec)}`);
  return reading.value.spec;
}

function refusal(kind: string, spec: Spec, name?: string): string {
  const reading = read(kind, spec, name);
  if (reading.kind === "ok") assert.fail(`accepted: ${JSON.stringify(spec)}`);
  const [first] = reading.problems;
  return `${first?.path}: ${first?.reason}`;
}

test("every setting of the agent is of its type", () => {
  const cases: readonly (readonly [string, readonly unknown[], readonly unknown[]])[] = [
    ["bpfEnabled", [true, false], ["true", 1]],
    ["wireguardListeningPort", [1, 65535], [0, 65536, -1]],
    ["wireguardRoutingRulePriority", [1, 32765], [0, 32766]],
    ["bpfExtToServiceConnmark", [0, 4294967295], [-1, 4294967296]],
    ["bpfLogFilters", [{ eth0: "tcp" }], [{ "eth 0": "tcp" }]],
    ["bpfDataIfacePattern", ["^eth[[:digit:]]+$", "(?P<x>a)"], ["(?=a)b", "("]],
    ["healthPort", [0, 65535], [-1, 65536, "x", 1.5]],
    ["logSeverityScreen", ["Info", "debug", "FATAL"], ["verbose"]],
    ["chainInsertMode", ["insert", "Append"], ["prepend"]],
    ["iptablesBackend", ["NFT", "nft", "auto"], ["xt"]],
    ["bpfAttachType", ["TC", "TCX", "Netkit"], ["tc"]],
    ["floatingIPs", ["Enabled"], ["enabled"]],
    ["routeRefreshInterval", ["90s", "1m30s", "0s", "500ms"], ["90", "soon", 90, "-5s"]],
    ["iptablesMarkMask", [0, 4294967295], [-1, 4294967296, "0xff"]],
    ["vxlanPort", [1, 65535], [0, 65536]],
    ["vxlanVNI", [0, 16777215], [-1, 16777216]],
    ["natPortRange", [0, 80, "80", "1000:2000"], ["http", "2000:1000", "70000"]],
    ["kubeNodePortRanges", [["30000:32767", 80]], [["http"], Array.from({ length: 8 }, () => 1)]],
    ["natOutgoingAddress", ["10.0.0.1"], ["fd00::1", "ten"]],
    ["deviceRouteSourceAddressIPv6", ["fd00::1"], ["10.0.0.1"]],
    ["externalNodesList", [["10.0.0.0/8", "10.0.0.1"]], [["fd00::/8"], ["ten"]]],
    [
      "failsafeInboundHostPorts",
      [[], [{ protocol: "tcp", port: 22 }], [{ port: 22, net: "10.0.0.0/8" }]],
      [[{ protocol: "tcp" }], [{ protocol: "icmp", port: 1 }], [{ port: 65536 }], ["tcp:22"]],
    ],
    ["bpfForceTrackPacketsFromIfaces", [["docker+", "eth0.1"]], [["a*"], ["x".repeat(16)]]],
    ["mtuIfacePattern", ["^((en|wl).*|eth[0-9])", "(?i)^eth"], ["(["]],
    ["featureDetectOverride", ["a=true,b=false", "a=true,", "x="], ["a=maybe", "a b"]],
    ["logPrefix", ["calico %t", "a/b_c"], ["a;b"]],
    ["logActionRateLimit", ["10/second", "9999/day"], ["0/second", "10/week", "10000/day"]],
    ["istioDSCPMark", [0, 63, "23", "AF11", "EF"], [64, "AF44", "XX"]],
    [
      "bpfConntrackTimeouts",
      [{ tcpFinsSeen: "Auto", udpTimeout: "60s" }],
      [{ udpTimeout: "auto" }, { tcp: "1s" }],
    ],
    [
      "healthTimeoutOverrides",
      [[{ name: "a-b", timeout: "10s" }]],
      [[{ name: "a" }], [{ name: "a/b", timeout: "1s" }]],
    ],
    ["openstackRegion", ["west-1"], ["West", "x".repeat(47)]],
    ["bpfMaglevMaxServices", [1, 3000], [0, 3001]],
    ["ipv4NormalRoutePriority", [1, 2147483646], [0, 2147483647]],
    ["wireguardInterfaceName", ["wireguard.cali"], ["x".repeat(16), "a b"]],
    [
      "routeTableRange",
      [{ min: 1, max: 250 }],
      [{ min: 0, max: 5 }, { min: 5, max: 4 }, { min: 1, max: 251 }, { min: 1 }],
    ],
    [
      "routeTableRanges",
      [
        [
          { min: 1, max: 4 },
          { min: 1000, max: 2000 },
        ],
      ],
      [[{ min: 0, max: 1 }], [{ min: 2, max: 1 }], [{ min: 1, max: 70000 }], [{ min: 1, max: 4294967296 }]],
    ],
  ];
  for (const [name, good, bad] of cases) {
    for (const value of good) accept("FelixConfiguration", { [name]: value });
    for (const value of bad) {
      const found = refusal("FelixConfiguration", { [name]: value });
      assert.ok(found.startsWith(`spec.${name}`), `${name} ${JSON.stringify(value)}: ${found}`);
    }
  }
});

test("settings that contradict each other are refused", () => {
  const ranges = { routeTableRange: { min: 1, max: 2 }, routeTableRanges: [{ min: 1, max: 2 }] };
  assert.match(refusal("FelixConfiguration", ranges), /cannot be set when `RouteTableRanges` is also set/);
  for (const name of ["default", "node.a"]) {
    assert.match(
      refusal("FelixConfiguration", { nodeSelector: "has(a)" }, name),
      /^spec.nodeSelector: .*must not/,
    );
  }
  accept("FelixConfiguration", { nodeSelector: "has(a)" }, "gpu-nodes");
  assert.match(refusal("FelixConfiguration", { bpfenabled: true }), /did you mean bpfEnabled\?/);
});

test("a write names the settings whose default changed with Calico's versions", () => {
  assert.deepEqual(accept("FelixConfiguration", { bpfConnectTimeLoadBalancing: "Disabled" }), {
    floatingIPs: "Disabled",
    bpfConnectTimeLoadBalancing: "Disabled",
    bpfHostNetworkedNATWithoutCTLB: "Enabled",
  });
  const stored = { kind: "FelixConfiguration", apiVersion, metadata: { name: "default" }, spec: {} };
  const reading = felixConfigurationKind.parse(stored, "store");
  assert.ok(reading.kind === "ok");
  assert.deepEqual(reading.value.spec, {});
});

test("the controllers' configuration lists its controllers", () => {
  const kind = "KubeControllersConfiguration";
  accept(kind, { controllers: {} });
  accept(kind, { prometheusMetricsPort: 0 });
  accept(kind, {
    logSeverityScreen: "warning",
    healthChecks: "Disabled",
    etcdV3CompactionPeriod: "10m",
    prometheusMetricsPort: 0,
    controllers: {
      node: {
        reconcilerPeriod: "5m",
        leakGracePeriod: "15m",
        hostEndpoint: {
          autoCreate: "Enabled",
          templates: [{ generateName: "x", interfaceCIDRs: ["10.0.0.0/8"], nodeSelector: "all()" }],
        },
      },
      policy: { reconcilerPeriod: "5m" },
      loadBalancer: { assignIPs: "RequestedServicesOnly" },
    },
  });
  assert.deepEqual(accept(kind, {}), { controllers: {} });
  assert.match(refusal(kind, { controllers: {} }, "other"), /^metadata.name: /);
  assert.match(
    refusal(kind, { controllers: { nodes: {} } }),
    /^spec.controllers.nodes: .*did you mean node\?/,
  );
  assert.match(
    refusal(kind, { controllers: {}, prometheusMetricsPort: 65536 }),
    /^spec.prometheusMetricsPort: /,
  );
  const templates = { controllers: { node: { hostEndpoint: { templates: [{}] } } } };
  assert.match(refusal(kind, templates), /one of interfaceCIDRs and interfacePattern/);
});

test("a node's state is asked for by class and period", () => {
  const kind = "CalicoNodeStatus";
  accept(kind, { node: "n", classes: ["Agent", "BGP", "Routes"], updatePeriodSeconds: 0 });
  const node = "n";
  assert.match(refusal(kind, { classes: ["BGP"], updatePeriodSeconds: 1 }), /^spec.node: is required/);
  assert.match(refusal(kind, { node: "N 1", classes: [], updatePeriodSeconds: 1 }), /form of a name/);
  assert.match(refusal(kind, { node, updatePeriodSeconds: 10 }), /^spec.classes: is required/);
  assert.match(refusal(kind, { node, classes: ["BGP"] }), /^spec.updatePeriodSeconds: is required/);
  assert.match(refusal(kind, { node, classes: ["BGP", "BGP"], updatePeriodSeconds: 1 }), /more than once/);
  assert.match(refusal(kind, { node, classes: ["BGP"], updatePeriodSeconds: 86401 }), /out of range/);
});

test("what names another object has the form of a name", () => {
  const endpoint = { node: "n", orchestrator: "k8s", pod: "p", endpoint: "eth0", interfaceName: "cali1" };
  const rules = (services: Spec): Spec => ({ egress: [{ action: "Allow", destination: { services } }] });
  const cases: readonly (readonly [string, string, Spec, string])[] = [
    ["BGPPeer", "x", { node: "N_1" }, "spec.node"],
    ["HostEndpoint", "x", { node: "N_1", interfaceName: "*" }, "spec.node"],
    ["HostEndpoint", "x", { node: "n", interfaceName: "*", profiles: ["a", "P_1"] }, "spec.profiles[1]"],
    [
      "BGPConfiguration",
      "default",
      { communities: [{ name: "A B", value: "1:2" }], prefixAdvertisements: [{ cidr: "10.0.0.0/8" }] },
      "spec.communities[0].name",
    ],
    ["WorkloadEndpoint", "n-k8s-p-eth0", { ...endpoint, profiles: ["P_1"] }, "spec.profiles[0]"],
    ["WorkloadEndpoint", "n-k8s-p-eth0", { ...endpoint, serviceAccountName: "-" }, "spec.serviceAccountName"],
    ["WorkloadEndpoint", "n-k8s-p-eth0", { ...endpoint, containerID: "a b" }, "spec.containerID"],
    ["WorkloadEndpoint", "n-k8s-p-eth0", { ...endpoint, interfaceName: undefined }, "spec.interfaceName"],
    ["NetworkPolicy", "x", rules({ name: "A_B" }), "spec.egress[0].destination.services.name"],
    ["Profile", "x", { labelsToApply: { "a b": "c" } }, "spec.labelsToApply.a b"],
    ["Profile", "x", { labelsToApply: { a: "b c" } }, "spec.labelsToApply.a"],
  ];
  for (const [kind, name, spec, path] of cases) {
    const refused = refusal(kind, spec, name);
    assert.equal(refused.slice(0, refused.indexOf(": ")), path);
  }
  accept("WorkloadEndpoint", { ...endpoint, mac: "AA-BB-CC-DD-EE-FF", containerID: "aB-1" }, "n-k8s-p-eth0");
  assert.deepEqual(accept("Node", { vxlanTunnelMACAddr: "66aa.bbcc.ddee" }, "n"), {
    vxlanTunnelMACAddr: "66:aa:bb:cc:dd:ee",
  });
});

test("a community of an advertisement is as narrow as one with a name", () => {
  const advertise = (community: string): Spec => ({
    prefixAdvertisements: [{ cidr: "10.0.0.0/8", communities: [community] }],
  });
  for (const community of ["65535:65535", "4294967295:0:1"]) accept("BGPConfiguration", advertise(community));
  for (const community of ["65536:1", "4294967296:0:1", "nobody"]) {
    assert.match(refusal("BGPConfiguration", advertise(community)), /neither a community nor the name/);
  }
});

test("a stored block affinity tells in text whether it is deleted", () => {
  const spec = { state: "confirmed", node: "n", type: "host", cidr: "10.0.0.0/26", deleted: "false" };
  const document = { kind: "BlockAffinity", apiVersion, metadata: { name: "n-10-0-0-0-26" }, spec };
  const reading = parseResource(document, "store");
  assert.ok(reading.kind === "ok");
  assert.deepEqual(reading.value.spec, { ...spec, deleted: false });
});
