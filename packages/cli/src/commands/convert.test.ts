/** Aim: old manifests are converted to what the changing commands accept, and nothing is lost silently. Method: whole command lines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseManifest } from "@caracal/resources/manifest";
import { run } from "../../test/test-context.ts";

/** Converts one document; it must be accepted as a user's own. */
async function convert(document: unknown): Promise<unknown> {
  const { exitCode, stdout, stderr } = await run("convert -f - -o json", { stdin: JSON.stringify(document) });
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(parseManifest(stdout).errors, []);
  return JSON.parse(stdout);
}

const v3 = "projectcalico.org/v3";

test("peers are named after what they are for", async () => {
  assert.deepEqual(
    await convert({
      apiVersion: "v1",
      kind: "bgpPeer",
      metadata: { scope: "global", peerIP: "192.20.30.40" },
      spec: { asNumber: 64567 },
    }),
    {
      apiVersion: v3,
      kind: "BGPPeer",
      metadata: { name: "192-20-30-40" },
      spec: { peerIP: "192.20.30.40", asNumber: 64567 },
    },
  );
  assert.deepEqual(
    await convert({
      apiVersion: "v1",
      kind: "bgpPeer",
      metadata: { scope: "node", node: "Rack1_Host1", peerIP: "aa:bb::ff" },
      spec: { asNumber: 64514 },
    }),
    {
      apiVersion: v3,
      kind: "BGPPeer",
      metadata: { name: "rack1-host1.00aa-00bb-0000-0000-0000-0000-0000-00ff" },
      spec: { node: "rack1-host1", peerIP: "aa:bb::ff", asNumber: 64514 },
    },
  );
});

test("pools, nodes and host endpoints", async () => {
  assert.deepEqual(
    await convert({
      apiVersion: "v1",
      kind: "ipPool",
      metadata: { cidr: "10.1.0.0/16" },
      spec: { ipip: { enabled: true, mode: "cross-subnet" }, "nat-outgoing": true, disabled: false },
    }),
    {
      apiVersion: v3,
      kind: "IPPool",
      metadata: { name: "10-1-0-0-16" },
      spec: { cidr: "10.1.0.0/16", ipipMode: "CrossSubnet", natOutgoing: true, disabled: false },
    },
  );
  assert.partialDeepStrictEqual(
    await convert({
      apiVersion: "v1",
      kind: "node",
      metadata: { name: "Node/One" },
      spec: { bgp: { asNumber: 64512, ipv4Address: "10.0.0.1/24" } },
    }),
    { kind: "Node", metadata: { name: "node.one" }, spec: { bgp: { ipv4Address: "10.0.0.1/24" } } },
  );
  assert.partialDeepStrictEqual(
    await convert({
      apiVersion: "v1",
      kind: "hostEndpoint",
      metadata: { name: "eth0", node: "host1", labels: { type: "db" } },
      spec: {
        interfaceName: "eth0",
        profiles: ["k8s_ns.blue"],
        ports: [{ name: "p", port: 80, protocol: "tcp" }],
      },
    }),
    {
      kind: "HostEndpoint",
      metadata: { name: "host1.eth0", labels: { type: "db" } },
      spec: { node: "host1", ports: [{ name: "p", port: 80, protocol: "TCP" }] },
    },
  );
});

test("policies and profiles have rules without tags", async () => {
  assert.deepEqual(
    await convert({
      apiVersion: "v1",
      kind: "policy",
      metadata: { name: "allow_Web" },
      spec: {
        order: 100,
        selector: "calico/k8s_ns == 'blue'",
        ingress: [
          {
            action: "pass",
            protocol: "udp",
            source: {
              tag: "web",
              selector: "a == 'b'",
              net: "10.0.0.0/8",
              nets: ["11.0.0.0/8"],
              "!ports": [1],
            },
          },
        ],
      },
    }),
    {
      apiVersion: v3,
      kind: "GlobalNetworkPolicy",
      metadata: { name: "allow-web-a5c6b805" },
      spec: {
        tier: "default",
        order: 100,
        selector: "projectcalico.org/namespace == 'blue'",
        types: ["Ingress"],
        ingress: [
          {
            action: "Pass",
            protocol: "UDP",
            source: {
              nets: ["10.0.0.0/8", "11.0.0.0/8"],
              selector: "(a == 'b') && web == ''",
              notPorts: [1],
            },
          },
        ],
      },
    },
  );
  assert.deepEqual(
    await convert({
      apiVersion: "v1",
      kind: "profile",
      metadata: { name: "p1", tags: ["t"], labels: { a: "b" } },
      spec: { egress: [{ action: "deny" }] },
    }),
    {
      apiVersion: v3,
      kind: "Profile",
      metadata: { name: "p1" },
      spec: { labelsToApply: { a: "b", t: "" }, egress: [{ action: "Deny" }] },
    },
  );
});

test("Kubernetes' network policies keep their meaning", async () => {
  assert.deepEqual(
    await convert({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: "db", namespace: "blue" },
      spec: {
        podSelector: {
          matchLabels: { role: "db" },
          matchExpressions: [{ key: "tier", operator: "In", values: ["a", "b"] }],
        },
        policyTypes: ["Ingress", "Egress"],
        ingress: [
          {
            from: [
              { ipBlock: { cidr: "172.17.0.0/16", except: ["172.17.1.0/24"] } },
              { namespaceSelector: {}, podSelector: { matchLabels: { a: "b" } } },
            ],
            ports: [{ port: 80 }, { port: 8000, endPort: 8080 }],
          },
        ],
        egress: [{ to: [{ podSelector: {} }] }],
      },
    }),
    {
      apiVersion: v3,
      kind: "NetworkPolicy",
      metadata: { name: "db", namespace: "blue" },
      spec: {
        tier: "default",
        order: 1000,
        selector: "projectcalico.org/orchestrator == 'k8s' && role == 'db' && tier in { 'a', 'b' }",
        types: ["Ingress", "Egress"],
        ingress: [
          {
            action: "Allow",
            protocol: "TCP",
            source: { nets: ["172.17.0.0/16"], notNets: ["172.17.1.0/24"] },
            destination: { ports: [80, "8000:8080"] },
          },
          {
            action: "Allow",
            protocol: "TCP",
            source: {
              selector: "projectcalico.org/orchestrator == 'k8s' && a == 'b'",
              namespaceSelector: "all()",
            },
            destination: { ports: [80, "8000:8080"] },
          },
        ],
        egress: [{ action: "Allow", destination: { selector: "projectcalico.org/orchestrator == 'k8s'" } }],
      },
    },
  );
});

test("several documents make a list, in YAML unless told", async () => {
  const stdin =
    "- {apiVersion: v1, kind: node, metadata: {name: a}}\n- {apiVersion: v1, kind: node, metadata: {name: b}}\n";
  const { stdout } = await run("convert -f -", { stdin });
  assert.deepEqual(
    parseManifest(stdout).resources.map(({ resource }) => resource.metadata.name),
    ["a", "b"],
  );
});

test("what has no counterpart is refused, by its place", async () => {
  for (const [document, stderr] of [
    [
      { apiVersion: "v1", kind: "workloadEndpoint" },
      /^a workloadEndpoint of v1 cannot be converted; the network plugin/,
    ],
    [
      { apiVersion: "v1", kind: "pod" },
      /^a pod of v1 cannot be converted; these can: bgpPeer, .* \[standard input, document 1\]$/m,
    ],
    [{ apiVersion: v3, kind: "IPPool" }, /^IPPool is of projectcalico\.org\/v3 already/],
    [{ apiVersion: "apps/v1", kind: "Deployment" }, /^Deployment of apps\/v1 cannot be converted/],
    [
      { apiVersion: "v1", kind: "ipPool", metadata: { cidr: "10.1.0.0/16" }, spec: { nat: true } },
      /cannot be converted: nat /,
    ],
    [{ apiVersion: "v1", kind: "ipPool", metadata: { cidr: "10.1.0.0/30" } }, /size is too small/],
    [
      { apiVersion: "v1", kind: "bgpPeer", metadata: { scope: "node", peerIP: "10.0.0.1" } },
      /^a bgpPeer of scope node needs node/,
    ],
  ] as const) {
    const outcome = await run("convert -f -", { stdin: JSON.stringify(document) });
    assert.equal(outcome.exitCode, 1);
    assert.match(outcome.stderr, stderr);
  }
  const small = JSON.stringify({ apiVersion: "v1", kind: "ipPool", metadata: { cidr: "10.1.0.0/30" } });
  assert.equal((await run("convert -f - --ignore-validation", { stdin: small })).exitCode, 0);
});
