/**
 * Aim: policies, tiers, profiles, sets and host endpoints are accepted, refused and completed as Calico's client does it.
 * Method: one document per rule, with the path and the reason that a refusal must give; then what is written and read.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { kinds, parseResource, type Resource } from "../kinds.ts";
import { describeProblems } from "../problem.ts";
import { apiVersion } from "../resource-schema.ts";

type Spec = Readonly<Record<string, unknown>>;

function read(kind: string, spec: Spec, metadata: Spec = {}, source: "user" | "store" = "user") {
  const isNamespaced = /^(Staged(Kubernetes)?)?Network(Policy|Set)$/.test(kind);
  const name = { name: "x", ...(isNamespaced ? { namespace: "ns" } : {}) };
  return parseResource({ kind, apiVersion, metadata: { ...name, ...metadata }, spec }, source);
}

function accept(kind: string, spec: Spec, metadata: Spec = {}): Resource {
  const reading = read(kind, spec, metadata);
  if (reading.kind === "bad") assert.fail(describeProblems(reading.problems));
  return reading.value;
}

/** `path: reason` of the first problem. */
function refusal(kind: string, spec: Spec, metadata: Spec = {}): string {
  const reading = read(kind, spec, metadata);
  if (reading.kind === "ok") assert.fail(`accepted: ${JSON.stringify(spec)}`);
  const [first] = reading.problems;
  return `${first?.path}: ${first?.reason}`;
}

const ingress = (rule: Spec): Spec => ({ ingress: [{ action: "Allow", ...rule }] });
const egress = (rule: Spec): Spec => ({ egress: [{ action: "Allow", ...rule }] });

test("rules that contradict themselves are refused, with the path", () => {
  const noPorts = "rules that specify ports must set protocol to TCP or UDP or SCTP";
  const cases: readonly (readonly [Spec, string])[] = [
    [{ ingress: [{}] }, "spec.ingress[0].action: is required"],
    [
      { ingress: [{ action: "allow" }] },
      "spec.ingress[0].action: is not an allowed value, did you mean Allow?",
    ],
    [ingress({ protocol: "tcp" }), "spec.ingress[0].protocol: is not a protocol, did you mean TCP?"],
    [ingress({ protocol: 0 }), "spec.ingress[0].protocol: is out of range"],
    [ingress({ protocol: 256 }), "spec.ingress[0].protocol: is out of range"],
    [ingress({ protocol: "300" }), "spec.ingress[0].protocol: is not a protocol"],
    [ingress({ destination: { ports: [80] } }), `spec.ingress[0].destination.ports: ${noPorts}`],
    [
      ingress({ protocol: "ICMP", source: { notPorts: ["1:2"] } }),
      `spec.ingress[0].source.notPorts: ${noPorts}`,
    ],
    [
      ingress({ protocol: "TCP", source: { ports: [0] } }),
      "spec.ingress[0].source.ports[0]: is out of range",
    ],
    [
      ingress({ protocol: "TCP", source: { ports: ["2:1"] } }),
      "spec.ingress[0].source.ports[0]: is not a port",
    ],
    [
      ingress({ protocol: "TCP", source: { ports: [65536] } }),
      "spec.ingress[0].source.ports[0]: is out of range",
    ],
    [
      ingress({ protocol: "TCP", source: { ports: Array.from({ length: 51 }, () => 1) } }),
      "spec.ingress[0].source.ports: must have at most 50 items",
    ],
    [
      ingress({ icmp: { type: 8 } }),
      "spec.ingress[0].icmp: rules that specify ICMP fields must set protocol to ICMP",
    ],
    [
      ingress({ protocol: "ICMP", icmp: { code: 1 } }),
      "spec.ingress[0].icmp.code: ICMP code specified without an ICMP type",
    ],
    [ingress({ protocol: "ICMP", icmp: { type: 255 } }), "spec.ingress[0].icmp.type: is out of range"],
    [
      ingress({ protocol: "ICMP", ipVersion: 6 }),
      "spec.ingress[0].ipVersion: must set ipversion to '4' with protocol icmp",
    ],
    [
      ingress({ metadata: { annotations: { "a b": "c" } } }),
      "spec.ingress[0].metadata.annotations.a b: is not an annotation's name",
    ],
    [ingress({ ipVersion: 5 }), "spec.ingress[0].ipVersion: is not an allowed value"],
    [ingress({ source: { nets: ["10.0.0.1/8"] } }), "spec.ingress[0].source.nets[0]: is not a CIDR"],
    [ingress({ source: { nets: ["10.0.0.1"] } }), "spec.ingress[0].source.nets[0]: is not a CIDR"],
    [
      ingress({ source: { nets: ["10.0.0.0/8", "fd00::/8"] } }),
      "spec.ingress[0].source.nets: rule contains both IPv4 and IPv6 CIDRs",
    ],
    [
      ingress({ source: { nets: ["10.0.0.0/8"] }, destination: { notNets: ["fd00::/8"] } }),
      "spec.ingress[0].destination.notNets: rule contains both IPv4 and IPv6 CIDRs",
    ],
    [
      ingress({ ipVersion: 6, source: { nets: ["10.0.0.0/8"] } }),
      "spec.ingress[0].source.nets: rule IP version doesn't match CIDR version",
    ],
    [
      ingress({ source: { notNets: ["0.0.0.0/0"] } }),
      "spec.ingress[0].source.notNets[0]: a rule that excludes every address matches nothing",
    ],
    [
      ingress({ source: { selector: "global()" } }),
      "spec.ingress[0].source.selector: global() can only be used in an EntityRule namespaceSelector",
    ],
    [
      ingress({ source: { namespaceSelector: "global() || has(a)" } }),
      "spec.ingress[0].source.namespaceSelector: global() cannot be combined with other selectors",
    ],
    [ingress({ source: { selector: "a = 'b'" } }), "spec.ingress[0].source.selector: invalid selector"],
    [
      ingress({ action: "Deny", http: { methods: ["GET"] } }),
      "spec.ingress[0].http: only valid for Allow rules",
    ],
    [egress({ http: { methods: ["GET"] } }), "spec.egress[0].http: not allowed in egress rule"],
    [
      ingress({ protocol: "UDP", http: { methods: ["GET"] } }),
      "spec.ingress[0].protocol: rules that specify HTTP fields must set protocol to TCP or empty",
    ],
    [
      ingress({ http: { methods: ["GET", "GET"] } }),
      "spec.ingress[0].http.methods: Invalid methods (duplicates)",
    ],
    [
      ingress({ http: { paths: [{ exact: "/a", prefix: "/b" }] } }),
      "spec.ingress[0].http.paths[0]: must have either 'exact' or 'prefix'",
    ],
    [
      ingress({ http: { paths: [{ exact: "a?b" }] } }),
      "spec.ingress[0].http.paths[0]: must start with / and not contain a blank, ? or #",
    ],
    [
      ingress({ destination: { services: { name: "s", namespace: "n" } } }),
      "spec.ingress[0].destination.services: not allowed in ingress rule destination",
    ],
    [
      egress({ source: { services: { name: "s", namespace: "n" } } }),
      "spec.egress[0].source.services: not allowed in egress rule source",
    ],
    [
      egress({ protocol: "TCP", destination: { services: { name: "s", namespace: "n" }, ports: [80] } }),
      "spec.egress[0].destination.ports: cannot specify ports with a service selector",
    ],
    [
      egress({ destination: { services: { name: "s", namespace: "n" }, selector: "has(a)" } }),
      "spec.egress[0].destination.services: cannot specify Selector/NotSelector and Services on the same rule",
    ],
    [
      egress({ destination: { services: { namespace: "n" } } }),
      "spec.egress[0].destination.services.name: must specify a service name",
    ],
    [{ types: ["Ingress", "Ingress"] }, "spec.types: 'Ingress' type specified more than once"],
    [{ types: ["ingress"] }, "spec.types[0]: is not an allowed value, did you mean Ingress?"],
    [
      { selector: "has(a) && global()" },
      "spec.selector: global() can only be used in an EntityRule namespaceSelector",
    ],
    [{ order: "high" }, "spec.order: must be a number"],
  ];
  for (const kind of [
    "NetworkPolicy",
    "GlobalNetworkPolicy",
    "StagedNetworkPolicy",
    "StagedGlobalNetworkPolicy",
  ]) {
    for (const [spec, expected] of cases) {
      const found = refusal(kind, spec);
      assert.ok(found.startsWith(expected), `${kind}: ${found}\nexpected ${expected}`);
    }
  }
});

test("what only one kind of policy may say is refused in the other", () => {
  const service = { services: { name: "s" } };
  accept("NetworkPolicy", egress({ destination: service }));
  assert.equal(
    refusal("GlobalNetworkPolicy", egress({ destination: service })),
    "spec.egress[0].destination.services.namespace: must specify a namespace",
  );
  assert.match(refusal("NetworkPolicy", { doNotTrack: true }), /doNotTrack/);
  for (const [spec, expected] of [
    [{ doNotTrack: true }, "spec.applyOnForward: ApplyOnForward must be true"],
    [
      { preDNAT: true, doNotTrack: true, applyOnForward: true },
      "spec.preDNAT: PreDNAT and DoNotTrack cannot",
    ],
    [
      { preDNAT: true, applyOnForward: true, ...egress({}) },
      "spec.egress: PreDNAT PolicySpec cannot have any",
    ],
    [
      { preDNAT: true, applyOnForward: true, types: ["Egress"] },
      "spec.types: PreDNAT PolicySpec cannot have",
    ],
    [{ namespaceSelector: "global()" }, "spec.namespaceSelector: global() can only be used"],
  ] as const) {
    const found = refusal("GlobalNetworkPolicy", spec);
    assert.ok(found.startsWith(expected), found);
  }
  accept("GlobalNetworkPolicy", { preDNAT: true, applyOnForward: true, ...ingress({}) });
});

test("a staged deletion says only which policy", () => {
  for (const kind of ["StagedNetworkPolicy", "StagedGlobalNetworkPolicy"]) {
    const { spec } = accept(kind, { stagedAction: "Delete", tier: "t" }, { name: "t.x" });
    assert.deepEqual(spec, { stagedAction: "Delete", tier: "t" });
    assert.match(
      refusal(kind, { stagedAction: "Delete", selector: "has(a)" }),
      /^spec.selector: Spec fields/,
    );
  }
  accept("StagedKubernetesNetworkPolicy", { stagedAction: "Delete" });
  assert.match(
    refusal("StagedKubernetesNetworkPolicy", { stagedAction: "Delete", policyTypes: ["Ingress"] }),
    /^spec.policyTypes: Spec fields/,
  );
});

test("what is legal is accepted, and numbers in text become numbers", () => {
  const { spec } = accept(
    "GlobalNetworkPolicy",
    ingress({
      protocol: "6",
      source: { nets: ["10.0.0.0/8"], namespaceSelector: "global()" },
      destination: { ports: ["80", "1000:2000", "http", 443, "5:5"] },
    }),
  );
  const [rule] = "ingress" in spec && Array.isArray(spec.ingress) ? spec.ingress : [];
  assert.deepEqual(rule, {
    action: "Allow",
    protocol: 6,
    source: { nets: ["10.0.0.0/8"], namespaceSelector: "global()" },
    destination: { ports: [80, "1000:2000", "http", 443, 5] },
  });
  // A named port stands for its protocol too.
  accept("NetworkPolicy", ingress({ destination: { ports: ["http"] } }));
  accept("NetworkPolicy", ingress({ source: { selector: "a == 'global()'" } }));
});

test("a policy gets its tier, its types and its tier's label", () => {
  for (const [spec, types] of [
    [{}, ["Ingress"]],
    [ingress({}), ["Ingress"]],
    [egress({}), ["Egress"]],
    [{ ...ingress({}), ...egress({}) }, ["Ingress", "Egress"]],
    [{ types: ["Egress"] }, ["Egress"]],
  ] as const) {
    const policy = accept("NetworkPolicy", spec, { labels: { "projectcalico.org/tier": "other" } });
    assert.ok(policy.kind === "NetworkPolicy");
    assert.deepEqual(policy.spec.types, types);
    assert.equal(policy.spec.tier, "default");
    assert.deepEqual(policy.metadata.labels, { "projectcalico.org/tier": "default" });
  }
  // Reading adds nothing: without types a stored policy governs both directions.
  const stored = read("NetworkPolicy", {}, {}, "store");
  assert.ok(stored.kind === "ok" && stored.value.kind === "NetworkPolicy");
  assert.equal(stored.value.spec.types, undefined);
});

test("a policy's name is what the user gave, whichever Calico stored it", () => {
  const shown = (name: string, spec: Spec, annotations?: Spec): string => {
    const metadata = annotations === undefined ? { name } : { name, annotations };
    const reading = read("GlobalNetworkPolicy", spec, metadata, "store");
    if (reading.kind === "bad") assert.fail(describeProblems(reading.problems));
    assert.equal(reading.value.metadata.annotations?.["projectcalico.org/metadata"], undefined);
    return reading.value.metadata.name;
  };
  const kept = (name: string): Spec => ({ "projectcalico.org/metadata": JSON.stringify({ name }) });
  assert.equal(shown("foo", {}), "foo");
  assert.equal(shown("default.foo", {}), "foo");
  assert.equal(shown("default.foo", { tier: "default" }, kept("foo")), "foo");
  assert.equal(shown("default.foo", { tier: "default" }, kept("default.foo")), "default.foo");
  assert.equal(shown("t.foo", { tier: "t" }), "t.foo");
  assert.equal(shown("default.foo", { tier: "t" }), "default.foo");
  assert.equal(shown("foo", {}, { "projectcalico.org/metadata": "not JSON" }), "foo");
  const policy = accept("GlobalNetworkPolicy", {}, { name: "foo", annotations: { b: "1" } });
  assert.deepEqual(kinds.GlobalNetworkPolicy.forStore(policy).metadata.annotations, {
    b: "1",
    ...kept("foo"),
  });
});

test("policy names are a label, or a tier's and a label", () => {
  for (const name of ["a", "t.a", "a-b"]) accept("NetworkPolicy", {}, { name });
  for (const name of ["a.b.c", "knp.default.", `${"x".repeat(64)}`, "t.", "A"]) {
    assert.match(refusal("NetworkPolicy", {}, { name }), /^metadata.name: /, name);
  }
});

test("tiers have simple names, and those of every cluster cannot be changed", () => {
  assert.equal(accept("Tier", { order: 10 }, { name: "t" }).kind, "Tier");
  assert.deepEqual(accept("Tier", {}, { name: "t" }).spec, { defaultAction: "Deny" });
  assert.deepEqual(accept("Tier", { order: 1000 }, { name: "kube-admin" }).spec, {
    order: 1000,
    defaultAction: "Pass",
  });
  assert.match(refusal("Tier", {}, { name: "a.b" }), /^metadata.name: /);
  assert.match(refusal("Tier", {}, { name: "x".repeat(64) }), /^metadata.name: /);
  assert.equal(
    refusal("Tier", { order: 5 }, { name: "default" }),
    "spec.order: default tier order must be 1000000",
  );
  assert.equal(
    refusal("Tier", { order: 1000000, defaultAction: "Pass" }, { name: "default" }),
    "spec.defaultAction: default tier defaultAction must be Deny",
  );
  const condition = { type: "Ready", status: "True", reason: "Ok", message: "" };
  const exported = { kind: "Tier", apiVersion, metadata: { name: "t" }, status: { conditions: [condition] } };
  assert.equal(parseResource({ ...exported, spec: { order: 1 } }, "user").kind, "ok");
  assert.match(refusal("Tier", { defaultAction: "Allow" }, { name: "t" }), /^spec.defaultAction: /);
});

test("sets, host endpoints and profiles keep Calico's rules", () => {
  accept("NetworkSet", { nets: ["10.0.0.1", "10.0.0.1/8", "fd00::/8"] });
  assert.match(refusal("GlobalNetworkSet", { nets: ["ten"] }), /^spec.nets\[0\]: /);
  const labels = { "projectcalico.org/namespace": "x" };
  assert.match(refusal("NetworkSet", {}, { labels }), /not a valid label name/);
  accept("HostEndpoint", { node: "n", interfaceName: "*" });
  accept("HostEndpoint", { node: "n", expectedIPs: ["10.0.0.1"] });
  assert.match(refusal("HostEndpoint", { node: "n" }), /^spec.interfaceName: no interface or expected IPs/);
  assert.match(refusal("HostEndpoint", { interfaceName: "eth0" }), /^spec.node: no node/);
  assert.match(
    refusal("HostEndpoint", { node: "n", interfaceName: "e".repeat(16) }),
    /^spec.interfaceName: /,
  );
  const ports = (protocol: unknown): Spec => ({
    node: "n",
    interfaceName: "e",
    ports: [{ name: "http", protocol, port: 80 }],
  });
  accept("HostEndpoint", ports("TCP"));
  accept("HostEndpoint", ports(6));
  assert.match(refusal("HostEndpoint", ports("ICMP")), /^spec.ports\[0\].protocol: EndpointPort protocol/);
  accept("Profile", { ...ingress({ http: { methods: ["GET"] } }), labelsToApply: { a: "b" } });
  assert.match(refusal("Profile", ingress({ protocol: "TCP", http: {}, ipVersion: 7 })), /ipVersion/);
});
