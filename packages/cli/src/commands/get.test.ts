/**
 * Aim: `get` prints what calicoctl prints, on every format. Method: whole command lines over a store in memory that holds
 * the seeds' cluster; tables are the seeds' own, blanks included.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodes, pool, poolYaml, storeOf } from "../../test/resources-fixture.ts";
import { run } from "../../test/test-context.ts";

test("get nodes -o wide shows inherited AS numbers in brackets", async () => {
  const store = await storeOf(nodes);
  const expected = [
    "NAME               ASN       IPV4              IPV6   ",
    "master.whale.com   (64512)   192.168.0.80/24          ",
    "node1.whale.com    (64512)   192.168.0.81/24          ",
    "node2.whale.com    65001     192.168.0.82/24          ",
    "",
    "",
  ].join("\n");
  for (const line of ["get nodes -o wide", "get no -owide", "get Node --output=wide"]) {
    assert.deepEqual(await run(line, { store }), { exitCode: 0, stdout: expected, stderr: "" }, line);
  }
});

test("the AS in brackets is the cluster's", async () => {
  const store = await storeOf({
    ...nodes,
    "bgpconfigurations/default": { kind: "BGPConfiguration", spec: { asNumber: 61234 } },
  });
  assert.match((await run("get nodes -o wide", { store })).stdout, /^master\.whale\.com {3}\(61234\)/m);
  assert.equal(
    (await run("get bgpconfig", { store })).stdout,
    "NAME      LOGSEVERITY   MESHENABLED   ASNUMBER   \ndefault   -             -             61234      \n\n",
  );
});

test("get ippool, narrow and wide", async () => {
  const store = await storeOf({ "ippools/default-ipv4-ippool": pool });
  assert.equal(
    (await run("get ippool", { store })).stdout,
    "NAME                  CIDR            SELECTOR   \ndefault-ipv4-ippool   10.244.0.0/16   all()      \n\n",
  );
  assert.equal(
    (await run("get ippool -o wide", { store })).stdout,
    [
      "NAME                  CIDR            NAT    IPIPMODE   VXLANMODE   DISABLED   DISABLEBGPEXPORT   SELECTOR   ",
      "default-ipv4-ippool   10.244.0.0/16   true   Never      Never       false      false              all()      ",
      "",
      "",
    ].join("\n"),
  );
  assert.equal(
    (await run("get ippool -o custom-columns=name,Blank", { store })).stderr.startsWith(
      "Unknown column name 'BLANK' for IPPool; it has NAME, CIDR",
    ),
    true,
  );
  assert.equal(
    (await run("get pools -o custom-columns=name,ipipmode", { store })).stdout,
    "NAME                  IPIPMODE   \ndefault-ipv4-ippool   Never      \n\n",
  );
});

test("an empty list is a heading", async () => {
  const store = await storeOf({});
  assert.deepEqual(await run("get bgppeers", { store }), {
    exitCode: 0,
    stdout: "NAME   PEERIP   NODE   ASN   \n\n",
    stderr: "",
  });
});

test("every kind has its table", async () => {
  const store = await storeOf({
    "bgppeers/a": { kind: "BGPPeer", spec: { peerIP: "192.168.80.121", asNumber: 61234 } },
    "bgppeers/b": {
      kind: "BGPPeer",
      spec: { nodeSelector: "all()", peerSelector: "route-reflector == 'true'" },
    },
    "bgppeers/c": { kind: "BGPPeer", spec: { node: "n1", peerIP: "10.0.0.254", asNumber: 65001 } },
    "bgpfilters/f": { kind: "BGPFilter", spec: { exportV4: [{ action: "Accept" }] } },
    "clusterinformations/default": {
      kind: "ClusterInformation",
      spec: { clusterGUID: "abc", clusterType: "k8s,bgp", datastoreReady: true },
    },
    "ipamconfigurations/default": {
      kind: "IPAMConfiguration",
      spec: { strictAffinity: false, autoAllocateBlocks: true },
    },
    "ipreservations/r": { kind: "IPReservation", spec: { reservedCIDRs: ["10.1.0.0/24", "10.2.0.0/24"] } },
  });
  for (const [line, stdout] of [
    [
      "get bgppeer",
      "NAME   PEERIP           NODE       ASN     \na      192.168.80.121   (global)   61234   \nb                       all()      0       \nc      10.0.0.254       n1         65001   \n\n",
    ],
    [
      "get bgpfilter",
      "NAME   NUMEXPORTV4   NUMIMPORTV4   NUMEXPORTV6   NUMIMPORTV6   \nf      1             0             0             0             \n\n",
    ],
    [
      "get clusterinfo",
      "NAME      CLUSTERGUID   CLUSTERTYPE   CALICOVERSION   DATASTOREREADY   \ndefault   abc           k8s,bgp                       true             \n\n",
    ],
    [
      "get ipamconfig -o wide",
      "NAME      STRICTAFFINITY   AUTOALLOCATEBLOCKS   MAXBLOCKSPERHOST   \ndefault   false            true                 0                  \n\n",
    ],
    ["get reservations -o wide", "NAME   CIDRS                     \nr      10.1.0.0/24,10.2.0.0/24   \n\n"],
  ] as const) {
    assert.deepEqual(await run(line, { store }), { exitCode: 0, stdout, stderr: "" }, line);
  }
});

const workload = {
  kind: "WorkloadEndpoint",
  spec: {
    orchestrator: "k8s",
    node: "master",
    pod: "nginx-1",
    endpoint: "eth0",
    ipNetworks: ["10.244.120.68/32"],
    interfaceName: "cali1143a22bb0c",
    profiles: ["kns.default"],
  },
};

test("namespaced kinds: default namespace, one of them, all of them", async () => {
  const store = await storeOf({
    "workloadendpoints/default/master-k8s-nginx--1-eth0": workload,
    "workloadendpoints/other/master-k8s-nginx--1-eth0": workload,
  });
  const row = "nginx-1    master   10.244.120.68/32   cali1143a22bb0c   ";
  assert.equal(
    (await run("get wep", { store })).stdout,
    `WORKLOAD   NODE     NETWORKS           INTERFACE         \n${row}\n\n`,
  );
  assert.equal(
    (await run("get wep -A", { store })).stdout,
    `NAMESPACE   WORKLOAD   NODE     NETWORKS           INTERFACE         \ndefault     ${row}\nother       ${row}\n\n`,
  );
  assert.match((await run("get wep -n other", { store })).stdout, /^other {7}nginx-1/m);
  assert.match(
    (await run("get wep -o wide", { store })).stdout,
    /^NAME +WORKLOAD +NODE +NETWORKS +INTERFACE +PROFILES +NATS {3}\nmaster-k8s-nginx--1-eth0 /,
  );
});

test("yaml and json: one resource is itself, several are a list", async () => {
  const store = await storeOf({ "ippools/default-ipv4-ippool": pool });
  assert.equal(
    (await run("get ippool default-ipv4-ippool -o yaml", { store })).stdout,
    [
      "apiVersion: projectcalico.org/v3",
      "kind: IPPool",
      "metadata:",
      '  creationTimestamp: "2023-05-10T08:41:00Z"',
      "  name: default-ipv4-ippool",
      '  resourceVersion: "1"',
      "  uid: 4f1c7a52-0000-4000-8000-000000000001",
      "spec:",
      "  allowedUses:",
      "  - Workload",
      "  - Tunnel",
      "  assignmentMode: Automatic",
      "  blockSize: 26",
      "  cidr: 10.244.0.0/16",
      "  ipipMode: Never",
      "  natOutgoing: true",
      "  nodeSelector: all()",
      "  vxlanMode: Never",
      "",
    ].join("\n"),
  );
  const json = await run("get ippool default-ipv4-ippool -o json", { store });
  assert.match(
    json.stdout,
    /^\{\n {2}"kind": "IPPool",\n {2}"apiVersion": "projectcalico\.org\/v3",\n {2}"metadata": \{\n {4}"name": /,
  );
  const list: unknown = JSON.parse((await run("get ippool -o json", { store })).stdout);
  assert.partialDeepStrictEqual(list, {
    kind: "IPPoolList",
    apiVersion: "projectcalico.org/v3",
    metadata: { resourceVersion: "1" },
    items: [{ kind: "IPPool", metadata: { name: "default-ipv4-ippool" } }],
  });
});

test("--export leaves out what only this cluster knows", async () => {
  const store = await storeOf({ "ippools/p": pool });
  const { stdout } = await run("get ippool p -o yaml --export", { store });
  assert.match(stdout, /metadata:\n {2}name: p\nspec:/);
});

test("what does not exist is said, what does is shown", async () => {
  const store = await storeOf({ "ippools/p": pool });
  assert.deepEqual(await run("get ippool blah", { store }), {
    exitCode: 1,
    stdout: "",
    stderr: "resource does not exist: IPPool(blah) with error: <nil>\n",
  });
  const both = await run("get ippool p blah", { store });
  assert.match(both.stdout, /^p {6}10\.244/m);
  assert.equal(both.stderr, "resource does not exist: IPPool(blah) with error: <nil>\n");
  assert.equal(
    (await run("get wep x", { store })).stderr,
    "resource does not exist: WorkloadEndpoint(default/x) with error: <nil>\n",
  );
});

test("get -f finds the resources that a file names", async () => {
  const store = await storeOf({ ...nodes, "ippools/p": pool });
  const stdin = `${poolYaml("p", "10.244.0.0/16")}---\napiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: node1.whale.com}\nspec: {}\n`;
  assert.equal(
    (await run("get -f -", { store, stdin })).stdout,
    "NAME   CIDR            SELECTOR   \np      10.244.0.0/16   all()      \n\nNAME              \nnode1.whale.com   \n\n",
  );
  const parsed: unknown = JSON.parse((await run("get -f - -o json", { store, stdin })).stdout);
  assert.ok(Array.isArray(parsed) && parsed.length === 2);
});

test("a wrong question is one line", async () => {
  const store = await storeOf({});
  for (const [line, stderr] of [
    ["get xyz", "resource type 'xyz' is not supported"],
    ["get ippol", "resource type 'ippol' is not supported; did you mean IPPool?"],
    ["get", "get needs a kind, or --filename"],
    ["get nodes -A -n x", "cannot use both --namespace and --all-namespaces flags at the same time"],
    ["get nodes -n x", "Node is not namespaced"],
    ["get nodes -o table", "unrecognized output format 'table'"],
    ["get nodes -o go-template={{define}}", "error in go-template: {{define}} needs a name in quotes"],
    ["get nodes -o custom-columns=", "need to specify at least one column"],
    ["get nodes -f -", "give a kind or --filename, not both"],
    ["get nodes --ouput wide", "unknown flag: --ouput; did you mean --output?"],
    ["get nodes -c /nowhere", "Error reading config file: /nowhere"],
  ] as const) {
    assert.deepEqual(await run(line, { store }), { exitCode: 1, stdout: "", stderr: `${stderr}\n` }, line);
  }
});
