/**
 * Aim: files of resources read as Calico's command reads them, and each wrong one gives one clear message with its line.
 * Method: random valid resources written and read back; a corpus of broken files with the exact answer to each.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { validDocument } from "../test/arbitraries.ts";
import { kinds, parseResource } from "./kinds.ts";
import { toJson } from "./json-text.ts";
import { toList } from "./list-document.ts";
import { parseManifest, toYaml } from "./manifest.ts";
import { describeProblems } from "./problem.ts";

/** A manifest of one pool with the given spec lines; the spec begins on line 5. */
function pool(...spec: readonly string[]): string {
  return [
    "apiVersion: projectcalico.org/v3",
    "kind: IPPool",
    "metadata: {name: p}",
    "spec:",
    ...spec.map((line) => `  ${line}`),
    "",
  ].join("\n");
}

function one(kind: string, name: string, spec: string): string {
  return `apiVersion: projectcalico.org/v3\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
}

function errorOf(text: string): string {
  const { resources, errors } = parseManifest(text);
  assert.equal(errors.length, 1, `${text}\n${JSON.stringify(errors)}`);
  assert.equal(resources.length, 0);
  return `${errors[0]?.line}: ${errors[0]?.message}`;
}

test("any valid resource survives YAML, JSON and the store", () => {
  fc.assert(
    fc.property(validDocument, (document) => {
      const reading = parseResource(document, "user");
      if (reading.kind === "bad")
        assert.fail(`${describeProblems(reading.problems)}\n${JSON.stringify(document)}`);
      const { value } = reading;
      for (const text of [toYaml(value), toJson(value), toYaml(toList("List", [value], "7"))]) {
        const { resources, errors } = parseManifest(text);
        assert.deepEqual(errors, [], text);
        assert.deepEqual(
          resources.map(({ resource }) => resource),
          [value],
          text,
        );
      }
      const stored: unknown = JSON.parse(JSON.stringify(value));
      assert.deepEqual(parseResource(stored, "store"), { kind: "ok", value });
    }),
    { numRuns: 500 },
  );
});

test("documents, lists and bare lists give their resources in order, with their lines", () => {
  const text = `# comment
${one("Node", "a", "{}")}---
---
apiVersion: projectcalico.org/v3
kind: List
items:
- {apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: b}}
- apiVersion: projectcalico.org/v3
  kind: Node
  metadata: {name: c}
---
- {apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: d}}
---
apiVersion: projectcalico.org/v3
kind: NodeList
items: []
`;
  const { resources, errors } = parseManifest(text);
  assert.deepEqual(errors, []);
  assert.deepEqual(
    resources.map(({ resource, line }) => `${resource.metadata.name} ${line}`),
    ["a 2", "b 11", "c 12", "d 16"],
  );
});

test("blank files hold nothing, and JSON with tabs is read", () => {
  for (const text of ["", "\n", "---\n---\n", "# only a comment\n"]) {
    assert.deepEqual(parseManifest(text), { resources: [], errors: [] });
  }
  const json =
    '{\n\t"kind": "Node",\n\t"apiVersion": "projectcalico.org/v3",\n\t"metadata": {"name": "q"}\n}\n';
  assert.equal(parseManifest(json).resources.length, 1);
});

test("YAML keys are sorted, JSON keeps the declared order, and texts that look like times are quoted", () => {
  const text = `${one("IPPool", "p", "{natOutgoing: true, cidr: 10.0.0.0/16}")}`.replace(
    "{name: p}",
    '{name: p, creationTimestamp: "2023-05-10T08:41:00Z", resourceVersion: "12"}',
  );
  const [first] = parseManifest(text).resources;
  assert.equal(
    toYaml(first?.resource),
    `apiVersion: projectcalico.org/v3
kind: IPPool
metadata:
  creationTimestamp: "2023-05-10T08:41:00Z"
  name: p
  resourceVersion: "12"
spec:
  allowedUses:
  - Workload
  - Tunnel
  assignmentMode: Automatic
  blockSize: 26
  cidr: 10.0.0.0/16
  ipipMode: Never
  natOutgoing: true
  nodeSelector: all()
  vxlanMode: Never
`,
  );
  assert.match(
    toJson(first?.resource),
    /^\{\n  "kind": "IPPool",\n  "apiVersion": "projectcalico.org\/v3",\n  "metadata": \{\n    "name"/,
  );
});

test("a broken file gives its line and one message", () => {
  const allKinds = Object.keys(kinds).join(", ");
  const unknown = "field in document is not recognized or is in the wrong location:";
  const corpus: readonly (readonly [string, string])[] = [
    ["foo", "1: error with field document = 'foo' (must be a mapping of fields)"],
    ["a: [\n", "2: line 2: Flow sequence in block collection must be sufficiently indented and end with a ]"],
    ["a: 1\na: 2\n", "2: line 2: Map keys must be unique"],
    ["a: *b\n", "1: line 1: Unresolved alias (the anchor must be set before the alias): b"],
    ["metadata: {}\n", `1: error with field kind (is required; allowed: ${allKinds})`],
    [
      "kind: IPPools\n",
      `1: error with field kind = 'IPPools' (unknown resource type, did you mean IPPool?; allowed: ${allKinds})`,
    ],
    [
      "kind: Node\napiVersion: v1\n",
      "2: error with field apiVersion = 'v1' (unknown API version; allowed: projectcalico.org/v3)",
    ],
    ["kind: Node\n", "1: error with field apiVersion (is required; allowed: projectcalico.org/v3)"],
    [pool("cidr: 10.0.0.0/16", "ipipmode: Never"), `6: ${unknown} ipipmode (did you mean ipipMode?)`],
    [`${pool("cidr: 10.0.0.0/16")}blockSize: 26\n`, `6: ${unknown} blockSize (it belongs at spec.blockSize)`],
    [pool("cidr: 10.0.0.0/16", "colour: red"), `6: ${unknown} colour`],
    [pool("blockSize: 26"), "5: error with field cidr (is required)"],
    [
      pool("cidr: 10.0.0.0/33"),
      "5: error with field cidr = '10.0.0.0/33' (is not an IP address or CIDR; allowed: an address, or address/length)",
    ],
    [
      pool("cidr: 10.0.0.1/16"),
      "5: error with field IPpool.CIDR = '10.0.0.1/16' (IPPool CIDR is not strictly masked; allowed: 10.0.0.0/16)",
    ],
    [
      pool("cidr: 10.0.0.0/27"),
      "5: error with field IPpool.CIDR = '10.0.0.0/27' (IP pool size is too small for use with Calico IPAM. It must be equal to or greater than the block size.; allowed: /26 or a shorter prefix)",
    ],
    [
      pool("cidr: 169.254.0.0/20"),
      "5: error with field IPpool.CIDR = '169.254.0.0/20' (IPPool CIDR overlaps with IPv4 Link Local range 169.254.0.0/16)",
    ],
    [
      pool("cidr: fe80::/64", "blockSize: 122"),
      "5: error with field IPpool.CIDR = 'fe80::/64' (IPPool CIDR overlaps with IPv6 Link Local range fe80::/10)",
    ],
    [
      pool("cidr: 10.0.0.0/16", "blockSize: 19"),
      "6: error with field IPpool.BlockSize = '19' (block size must be between 20 and 32)",
    ],
    [
      pool("cidr: 10.0.0.0/16", "ipipMode: Always", "vxlanMode: Always"),
      "6: error with field IPpool.IPIPMode = 'Always' (IPIPMode and VXLANMode cannot both be enabled on the same IP pool)",
    ],
    [
      pool("cidr: fd00::/64", "ipipMode: Always"),
      "6: error with field IPpool.IPIPMode = 'Always' (IPIPMode other than 'Never' is not supported on an IPv6 IP pool)",
    ],
    [
      pool("cidr: 10.0.0.0/16", "ipipMode: always"),
      "6: error with field ipipMode = 'always' (is not an allowed value, did you mean Always?; allowed: Never, Always, CrossSubnet)",
    ],
    [
      pool("cidr: 10.0.0.0/16", "disabled: maybe"),
      "6: error with field disabled = 'maybe' (must be true or false)",
    ],
    [
      pool("cidr: 10.0.0.0/16", "nodeSelector: a = 'b'"),
      `6: error with field nodeSelector = 'a = 'b'' (invalid selector: expected an operator after the label a: ==, !=, in, not in, contains, starts with, ends with at position 3, found "= 'b'"; allowed: a label selector such as all(), has(x) or a == 'b')`,
    ],
    [
      pool("cidr: 10.0.0.0/16", "ipip: {enabled: true, mode: sometimes}"),
      `6: error with field ipip = '{"enabled":true,"mode":"sometimes"}' (is not a legacy IPIP setting; allowed: {enabled: true|false, mode: always|cross-subnet})`,
    ],
    [
      one("Node", "Bad_Name", "{}"),
      "3: error with field Metadata.Name = 'Bad_Name' (name must consist of lower case alphanumeric characters, '-' or '.' (regex: [a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*))",
    ],
    [one("Node", '""', "{}"), "3: error with field Metadata.Name (resource name may not be empty)"],
    [
      one("Node", "a, namespace: x", "{}"),
      "3: error with field Metadata.Namespace = 'x' (namespace should not be specified for a non-namespaced resource. Node is not a namespaced resource)",
    ],
    [one("Node", "a", "{bgp: {}}"), "4: error with field BGP (Spec.BGP should not be empty)"],
    [
      one("Node", "a", "{bgp: {asNumber: 1.10}}"),
      `4: error with field asNumber = '1.1' (must be a whole number; the form high.low needs quotes: "1.10")`,
    ],
    [
      one("Node", "a", "{bgp: {asNumber: 4294967296}}"),
      "4: error with field asNumber = '4294967296' (is out of range; allowed: 0 to 4294967295)",
    ],
    [
      one("Node", "a", '{bgp: {asNumber: "1.65536"}}'),
      "4: error with field asNumber = '1.65536' (is malformed; allowed: 0 to 4294967295, or high.low with 16-bit halves)",
    ],
    [
      one("Node", "a, labels: {a b: c}", "{}"),
      "3: error with field Metadata.Labels = 'a b' (is not a label name; allowed: [dns-prefix/]name of up to 63 characters)",
    ],
    [
      one("BGPConfiguration", "other", "{}"),
      "3: error with field Metadata.Name = 'other' (is not a name of this kind; allowed: default, node.<nodename>)",
    ],
    [
      one("BGPConfiguration", "node.a", "{asNumber: 1}"),
      "4: error with field asNumber = '1' (cannot be set for a single node; allowed: listenPort, logSeverityScreen, prefixAdvertisements)",
    ],
    [
      one("BGPConfiguration", "default", "{listenPort: 0}"),
      "4: error with field listenPort = '0' (is out of range; allowed: 1 to 65535)",
    ],
    [
      one("BGPConfiguration", "default", "{nodeToNodeMeshEnabled: false, nodeMeshMaxRestartTime: 30s}"),
      "4: error with field nodeMeshMaxRestartTime = '30s' (needs the node-to-node mesh, which nodeToNodeMeshEnabled: false turns off)",
    ],
    [
      one("BGPPeer", "a", "{localWorkloadSelector: all()}"),
      "4: error with field ASNumber (ASNumber field must NOT be empty when LocalWorkloadSelector is specified)",
    ],
    [
      one("BGPPeer", "a", "{peerIP: '10.0.0.1:0', asNumber: 1}"),
      "4: error with field peerIP = '10.0.0.1:0' (is not a peer address; allowed: IP, IPv4:port or [IPv6]:port)",
    ],
    [
      one("BGPPeer", "a", "{peerSelector: all(), asNumber: 1}"),
      "4: error with field ASNumber = '1' (ASNumber field must be empty when PeerSelector is specified)",
    ],
    [
      one("BGPPeer", "a", "{peerIP: 10.0.0.1, asNumber: 1, reachableBy: 'fd00::1'}"),
      "4: error with field ReachableBy = 'fd00::1' (ReachableBy and PeerIP address family mismatched)",
    ],
    [
      one("BGPPeer", "a", "{peerIP: 10.0.0.1, asNumber: 1, keepaliveTime: soon}"),
      "4: error with field keepaliveTime = 'soon' (is not a duration; allowed: a Go duration such as 30s or 1m30s)",
    ],
    [
      one("BGPFilter", "a", "{exportV4: [{action: Accept, cidr: 10.0.0.0/8}]}"),
      "4: error with field CIDR = '10.0.0.0/8' (MatchOperator cannot be empty when CIDR is not)",
    ],
    [
      one("ClusterInformation", "other", "{}"),
      "3: error with field Metadata.Name = 'other' (is not a name of this kind; allowed: default)",
    ],
    [
      one("IPAMConfiguration", "default", "{ipCooldownSeconds: 1201}"),
      "4: error with field ipCooldownSeconds = '1201' (is out of range; allowed: 0 to 1200)",
    ],
    [
      one("IPAMConfiguration", "default", "{autoAllocateBlocks: false}"),
      "4: error with field autoAllocateBlocks = 'false' (cannot be false while strictAffinity is false)",
    ],
    [
      one("IPAMConfiguration", "default", "{maxBlocksPerHost: 2}"),
      "4: error with field maxBlocksPerHost = '2' (needs strictAffinity to be true)",
    ],
    [
      one("IPReservation", "a", "{reservedCIDRs: 10.0.0.0/8}"),
      "4: error with field reservedCIDRs = '10.0.0.0/8' (must be a list)",
    ],
    [
      one(
        "WorkloadEndpoint",
        "wrong",
        "{node: n, orchestrator: k8s, pod: p, endpoint: eth0, interfaceName: cali1}",
      ),
      "3: error with field Name = 'wrong' (the WorkloadEndpoint name does not match the primary identifiers assigned in the Spec; allowed: n-k8s-p-eth0)",
    ],
    [
      one(
        "WorkloadEndpoint",
        '""',
        "{node: n, orchestrator: k8s, pod: p, endpoint: eth0, interfaceName: cali1, ipNetworks: [10.0.0.0/31]}",
      ),
      "4: error with field IPNetworks = '10.0.0.0/31' (IP network contains multiple addresses)",
    ],
  ];
  for (const [text, expected] of corpus) assert.equal(errorOf(text), expected);
});

test("a peer that names nobody, or no AS, is legal as in Calico", () => {
  for (const spec of ["{}", "{peerIP: 10.0.0.1}", "{node: n}"]) {
    assert.deepEqual(parseManifest(one("BGPPeer", "a", spec)).errors, []);
  }
});

test("several wrong fields are listed in Calico's form", () => {
  assert.equal(
    errorOf(pool("cidr: 10.0.0.1/16", "ipipMode: Always", "vxlanMode: Always")),
    `5: error with the following fields:
-  IPpool.CIDR = '10.0.0.1/16' (IPPool CIDR is not strictly masked; allowed: 10.0.0.0/16)
-  IPpool.IPIPMode = 'Always' (IPIPMode and VXLANMode cannot both be enabled on the same IP pool)`,
  );
});

test("random damage to a file gives resources or messages, and never throws", () => {
  const base = `${pool("cidr: 10.0.0.0/16", "ipipMode: Always")}---\n${one("BGPPeer", "a", "{peerIP: 10.0.0.1, asNumber: 1}")}`;
  fc.assert(
    fc.property(
      fc.nat({ max: base.length }),
      fc.nat({ max: 5 }),
      fc.string({ maxLength: 5 }),
      (at, length, insert) => {
        const { errors } = parseManifest(base.slice(0, at) + insert + base.slice(at + length));
        for (const { message, line } of errors) assert.ok(message !== "" && line >= 1);
      },
    ),
    { numRuns: 500 },
  );
});
