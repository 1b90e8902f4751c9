/**
 * Aim: kinds are found by Calico's names, stored values are read tolerantly, and changes keep what may not change.
 * Method: documents as the store and users give them, with the value or the verdict expected.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { applyDefaults, findKind, isKindName, kinds, parseResource, validate } from "./kinds.ts";
import { checkPoolOverlap, type IpPool } from "./kinds/ip-pool.ts";
import { jsonSchemaOf } from "./json-schema.ts";
import { describeProblems } from "./problem.ts";
import { apiVersion } from "./resource-schema.ts";

function pool(name: string, spec: IpPool["spec"]): IpPool {
  return { kind: "IPPool", apiVersion, metadata: { name }, spec };
}

function specOf(document: object, source: "user" | "store" = "user"): unknown {
  const reading = parseResource({ apiVersion, ...document }, source);
  if (reading.kind === "bad") assert.fail(describeProblems(reading.problems));
  return reading.value.spec;
}

test("a kind is found by every name Calico's command takes, in any case", () => {
  for (const [word, name] of [
    ["pool", "IPPool"],
    ["IPPools", "IPPool"],
    ["ipp", "IPPool"],
    ["no", "Node"],
    ["bgpconfig", "BGPConfiguration"],
    ["bp", "BGPPeer"],
    ["bf", "BGPFilter"],
    ["wep", "WorkloadEndpoint"],
    ["clusterinfo", "ClusterInformation"],
    ["ipamconfigs", "IPAMConfiguration"],
    ["reservation", "IPReservation"],
    ["policy", "NetworkPolicy"],
    ["NP", "NetworkPolicy"],
    ["gnps", "GlobalNetworkPolicy"],
    ["gnetset", "GlobalNetworkSet"],
    ["netsets", "NetworkSet"],
    ["hep", "HostEndpoint"],
    ["felixconfig", "FelixConfiguration"],
    ["kubecontrollersconfig", "KubeControllersConfiguration"],
    ["nodestatus", "CalicoNodeStatus"],
    ["pro", "Profile"],
    ["sgnp", "StagedGlobalNetworkPolicy"],
    ["skpol", "StagedKubernetesNetworkPolicy"],
    ["spol", "StagedNetworkPolicy"],
    ["tiers", "Tier"],
  ] as const) {
    assert.equal(findKind(word)?.name, name, word);
  }
  assert.equal(findKind("x"), undefined);
  assert.ok(isKindName("IPPool") && !isKindName("ippool") && !isKindName("toString"));
  assert.equal(kinds.IPPool.listName, "IPPoolList");
  assert.deepEqual(kinds.ClusterInformation.operations, []);
  assert.deepEqual(
    Object.values(kinds).flatMap(({ isNamespaced, name }) => (isNamespaced ? [name] : [])),
    [
      "NetworkPolicy",
      "NetworkSet",
      "StagedKubernetesNetworkPolicy",
      "StagedNetworkPolicy",
      "WorkloadEndpoint",
    ],
  );
});

test("no alias names two kinds, and plurals are the store's", () => {
  const aliases = Object.values(kinds).flatMap((kind) => kind.aliases);
  assert.equal(new Set(aliases).size, aliases.length);
  for (const kind of Object.values(kinds)) {
    assert.ok(kind.aliases.includes(kind.plural));
    assert.ok(kind.aliases.includes(kind.name.toLowerCase()));
  }
});

test("a pool gets Calico's defaults, by family", () => {
  assert.deepEqual(specOf({ kind: "IPPool", metadata: { name: "p" }, spec: { cidr: "10.0.0.0/16" } }), {
    cidr: "10.0.0.0/16",
    vxlanMode: "Never",
    ipipMode: "Never",
    blockSize: 26,
    nodeSelector: "all()",
    allowedUses: ["Workload", "Tunnel"],
    assignmentMode: "Automatic",
  });
  const v6 = applyDefaults(pool("p", { cidr: "fd00::/48" }));
  assert.equal(v6.kind === "IPPool" ? v6.spec.blockSize : undefined, 122);
});

test("a stored value may have unknown fields, nulls and empty texts", () => {
  const stored = {
    kind: "Node",
    metadata: { name: "n", creationTimestamp: null, managedFields: [{}] },
    spec: {
      bgp: { asNumber: null, ipv4Address: "10.0.0.1/24", future: 1 },
      addresses: null,
      vxlanTunnelMACAddr: "",
    },
  };
  assert.deepEqual(specOf(stored, "store"), { bgp: { ipv4Address: "10.0.0.1/24" } });
  assert.deepEqual(specOf({ kind: "BGPConfiguration", metadata: { name: "default" } }, "store"), {});
});

test("AS numbers are taken as numbers, text and halves", () => {
  for (const [given, expected] of [
    [64512, 64512],
    ["64512", 64512],
    ["1.10", 65546],
  ] as const) {
    const document = { kind: "BGPConfiguration", metadata: { name: "default" }, spec: { asNumber: given } };
    assert.deepEqual(specOf(document), { asNumber: expected });
  }
});

test("legacy pool fields become today's", () => {
  const spec = (legacy: object): unknown => {
    const value = specOf({
      kind: "IPPool",
      metadata: { name: "p" },
      spec: { cidr: "10.0.0.0/16", ...legacy },
    });
    assert.ok(typeof value === "object" && value !== null && "ipipMode" in value);
    return { mode: value.ipipMode, nat: "natOutgoing" in value ? value.natOutgoing : undefined };
  };
  assert.deepEqual(spec({ ipip: { enabled: true } }), { mode: "Always", nat: undefined });
  assert.deepEqual(spec({ ipip: { enabled: true, mode: "cross-subnet" } }), {
    mode: "CrossSubnet",
    nat: undefined,
  });
  assert.deepEqual(spec({ ipip: { enabled: false, mode: "always" }, "nat-outgoing": true }), {
    mode: "Never",
    nat: true,
  });
  const both = {
    kind: "IPPool",
    apiVersion,
    metadata: { name: "p" },
    spec: { cidr: "10.0.0.0/16", ipip: { enabled: true }, ipipMode: "Never" },
  };
  assert.match(describeProblems(validate(both)), /contradicts spec.ipipMode/);
});

test("a pool's range and block size cannot change, all else can", () => {
  const before = pool("p", { cidr: "10.0.0.0/16", blockSize: 26 });
  const texts = (after: IpPool): string => describeProblems(kinds.IPPool.checkUpdate(before, after));
  assert.equal(texts(pool("p", { cidr: "10.0.0.0/16", blockSize: 26, natOutgoing: true })), "");
  assert.equal(
    texts(pool("p", { cidr: "10.1.0.0/16", blockSize: 26 })),
    "error with field IPPool.Spec.CIDR = '10.1.0.0/16' (IPPool CIDR cannot be modified)",
  );
  assert.equal(
    texts(pool("p", { cidr: "10.0.0.0/16", blockSize: 24 })),
    "error with field IPPool.Spec.BlockSize = '24' (IPPool BlockSize cannot be modified)",
  );
});

test("a pool for load balancers stays one", () => {
  const used = (...allowedUses: ("Workload" | "Tunnel" | "LoadBalancer")[]): IpPool =>
    pool("p", { cidr: "10.0.0.0/16", allowedUses });
  const texts = (before: IpPool, after: IpPool): string =>
    describeProblems(kinds.IPPool.checkUpdate(before, after));
  assert.equal(texts(used("LoadBalancer"), used("LoadBalancer")), "");
  assert.equal(texts(used("Workload"), used("Workload", "Tunnel")), "");
  assert.match(
    texts(used("LoadBalancer"), used("Workload")),
    /^error with field IPPool\.Spec\.AllowedUses = .*\(a LoadBalancer pool cannot be changed to another use\)$/,
  );
});

test("overlapping pools are named, the pool itself is not", () => {
  const one = pool("one", { cidr: "10.0.0.0/16" });
  const others = [
    one,
    pool("apart", { cidr: "10.1.0.0/16" }),
    pool("inside", { cidr: "10.0.128.0/20" }),
    pool("v6", { cidr: "fd00::/8" }),
  ];
  assert.equal(
    describeProblems(checkPoolOverlap(one, others)),
    "error with field IPPool.Spec.CIDR = '10.0.0.0/16' (IPPool(one) CIDR overlaps with IPPool(inside) CIDR 10.0.128.0/20)",
  );
});

test("a LoadBalancer pool is alone, plain, exported and for all nodes", () => {
  const refuse = (spec: Partial<IpPool["spec"]>): string =>
    describeProblems(validate(pool("p", { cidr: "10.0.0.0/16", allowedUses: ["LoadBalancer"], ...spec })));
  assert.equal(refuse({}), "");
  assert.match(
    refuse({ allowedUses: ["LoadBalancer", "Tunnel"] }),
    /LoadBalancer cannot be used at the same time as: Tunnel/,
  );
  assert.match(refuse({ vxlanMode: "Always" }), /cannot be encapsulated/);
  assert.match(refuse({ disableBGPExport: true }), /must be exported/);
  assert.match(refuse({ nodeSelector: "has(x)" }), /must be all\(\)/);
  assert.match(
    describeProblems(validate(pool("p", { cidr: "10.0.0.0/16", namespaceSelector: "has(x)" }))),
    /leave Tunnel out/,
  );
});

test("annotations are limited to 256 KiB, names to 253 characters", () => {
  const node = (metadata: object): unknown => ({
    kind: "Node",
    apiVersion,
    metadata: { name: "n", ...metadata },
  });
  assert.match(
    describeProblems(validate(node({ annotations: { a: "x".repeat(256 * 1024) } }))),
    /too large by 1 bytes/,
  );
  assert.match(describeProblems(validate(node({ name: "x".repeat(254) }))), /name is too long by 1 bytes/);
});

test("every kind has a JSON Schema of plain data with its fields", () => {
  for (const name of Object.keys(kinds)) {
    assert.ok(isKindName(name));
    const schema = jsonSchemaOf(name);
    assert.deepEqual(structuredClone(schema), schema);
    assert.match(JSON.stringify(schema), new RegExp(`"const":"${name}"`));
  }
  assert.match(
    JSON.stringify(jsonSchemaOf("IPPool")),
    /"ipipMode":\{"enum":\["Never","Always","CrossSubnet"\],"default":"Never"\}/,
  );
});
