/**
 * Aim: create, apply, replace, delete, patch and label change what they say, and say so in calicoctl's words; bad input
 * changes nothing. Method: whole command lines over a store in memory, and what is in it afterwards.
 */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { keys, MemoryStore, type Store } from "@caracal/datastore";
import { isRecord } from "@caracal/resources";
import { nodes, pool, poolYaml, storeOf } from "../../test/resources-fixture.ts";
import { run } from "../../test/test-context.ts";

/** A field of a stored resource. */
async function field(store: Store, key: string, path: string): Promise<unknown> {
  const entry = await store.get(key);
  let value: unknown = entry === undefined ? undefined : JSON.parse(entry.value);
  for (const name of path.split(".")) value = isRecord(value) ? value[name] : undefined;
  return value;
}

/** Without ClusterInformation and the fixed tiers, which come by themselves. */
async function keysIn(store: Store): Promise<readonly string[]> {
  const all = (await store.list(keys.root)).entries.map(({ key }) => key);
  const ownClusterKeys = [keys.resource("clusterinformations", "default"), keys.resources("tiers")];
  return all.filter((key) => !ownClusterKeys.some((own) => key.startsWith(own)));
}

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "caracal-manifests-"));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

const poolKey = keys.resource("ippools", "p");
const yaml = poolYaml("p", "10.0.0.0/16");

test("create makes a resource once", async () => {
  const store = new MemoryStore();
  assert.deepEqual(await run("create -f -", { store, stdin: yaml }), {
    exitCode: 0,
    stdout: "Successfully created 1 'IPPool' resource(s)\n",
    stderr: "",
  });
  assert.equal(await field(store, poolKey, "spec.blockSize"), 26);
  assert.equal(await field(store, poolKey, "metadata.creationTimestamp"), "2024-01-08T03:12:11Z");
  assert.equal(await field(store, poolKey, "metadata.resourceVersion"), undefined);
  const again = await run("create -f -", { store, stdin: yaml });
  assert.equal(again.exitCode, 1);
  assert.match(
    again.stderr,
    /^failed to create 'IPPool' resource: \[resource already exists: IPPool\(p\) with error: .*\]\n$/,
  );
  assert.equal(
    (await run("create -f - --skip-exists", { store, stdin: yaml })).stdout,
    "Successfully created 1 'IPPool' resource(s)\n",
  );
});

test("apply creates, then updates and keeps what the cluster gave", async () => {
  const store = new MemoryStore();
  assert.equal(
    (await run("apply -f -", { store, stdin: yaml })).stdout,
    "Successfully applied 1 'IPPool' resource(s)\n",
  );
  const uid = await field(store, poolKey, "metadata.uid");
  assert.match(String(uid), /^[0-9a-f-]{36}$/);
  const changed = await run("apply -f -", { store, stdin: `${yaml}  natOutgoing: true\n` });
  assert.deepEqual(changed, {
    exitCode: 0,
    stdout: "Successfully applied 1 'IPPool' resource(s)\n",
    stderr: "",
  });
  assert.equal(await field(store, poolKey, "spec.natOutgoing"), true);
  assert.equal(await field(store, poolKey, "metadata.uid"), uid);
});

test("what get prints can be edited and replaced; an old version cannot", async () => {
  const store = await storeOf(nodes);
  const key = keys.resource("nodes", "node1.whale.com");
  const { stdout } = await run("get node node1.whale.com -o yaml", { store });
  const stdin = stdout.replace("    ipv4Address", "    routeReflectorClusterID: 1.0.0.1\n    ipv4Address");
  assert.equal(
    (await run("replace -f -", { store, stdin })).stdout,
    "Successfully replaced 1 'Node' resource(s)\n",
  );
  assert.equal(await field(store, key, "spec.bgp.routeReflectorClusterID"), "1.0.0.1");
  assert.deepEqual(await run("replace -f -", { store, stdin }), {
    exitCode: 1,
    stdout: "",
    stderr: "failed to replace 'Node' resource: [update conflict: Node(node1.whale.com)]\n",
  });
  assert.equal((await run("apply -f -", { store, stdin })).exitCode, 1);
});

test("replace needs the resource to be there, and keeps its immutable fields", async () => {
  const store = await storeOf({ "ippools/p": pool });
  assert.match(
    (await run("replace -f -", { store, stdin: poolYaml("q", "10.9.0.0/16") })).stderr,
    /^failed to replace 'IPPool' resource: \[resource does not exist: IPPool\(q\) with error: .*\]\n$/,
  );
  const moved = await run("replace -f -", { store, stdin: poolYaml("p", "10.9.0.0/16") });
  assert.match(moved.stderr, /IPPool CIDR cannot be modified/);
  assert.equal(await field(store, poolKey, "spec.cidr"), "10.244.0.0/16");
});

test("many resources: of one kind, of several, and when some fail", async () => {
  const store = await storeOf({ "ippools/p": pool });
  const three = [poolYaml("a", "10.1.0.0/16"), poolYaml("p", "10.2.0.0/16"), poolYaml("c", "10.3.0.0/16")];
  const partly = await run("create -f -", { store, stdin: three.join("---\n") });
  assert.equal(partly.stdout, "Partial success: created the first 2 out of 3 'IPPool' resources:\n");
  assert.match(partly.stderr, /^hit error: resource already exists: IPPool\(p\)/);
  const node = "apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: n}\nspec: {}\n";
  assert.equal(
    (await run("apply -f -", { store, stdin: `${node}---\n${poolYaml("d", "10.4.0.0/16")}` })).stdout,
    "Successfully applied 2 resource(s)\n",
  );
  const none = await run("create -f -", { store, stdin: `${node}---\n${poolYaml("d", "10.4.0.0/16")}` });
  assert.match(none.stderr, /^failed to create any resources: \[resource already exists: Node\(n\)/);
  const same = await run("create -f -", { store, stdin: [three[0], three[2]].join("---\n") });
  assert.match(same.stderr, /^failed to create any 'IPPool' resources: \[/);
});

test("a list, a file, a directory and the directories inside it are applied in order", async (t) => {
  const path = await directory(t);
  await mkdir(join(path, "more"));
  await writeFile(join(path, "1.yaml"), poolYaml("a", "10.1.0.0/16"));
  await writeFile(join(path, "2.txt"), "not a manifest");
  await writeFile(join(path, "more", "3.yml"), poolYaml("b", "10.2.0.0/16"));
  const list = {
    apiVersion: "v1",
    kind: "List",
    items: [
      JSON.parse(
        '{"apiVersion":"projectcalico.org/v3","kind":"IPPool","metadata":{"name":"c"},"spec":{"cidr":"10.3.0.0/16"}}',
      ),
    ],
  };
  await writeFile(join(path, "more", "4.json"), JSON.stringify(list));
  const store = new MemoryStore();
  assert.equal(
    (await run(["apply", "-f", path], { store })).stdout,
    "Successfully applied 1 'IPPool' resource(s)\n",
  );
  assert.equal(
    (await run(["apply", "-f", path, "-R"], { store })).stdout,
    "Successfully applied 3 'IPPool' resource(s)\n",
  );
  assert.equal((await keysIn(store)).length, 3);
});

test("bad input is one line, exit code 1, and nothing changed", async (t) => {
  const store = await storeOf({ "ippools/p": pool });
  const before = await keysIn(store);
  const mixed = await directory(t);
  const empty = join(mixed, "empty.yaml");
  await writeFile(empty, "# nothing\n");
  await writeFile(join(mixed, "full.yaml"), poolYaml("q", "10.1.0.0/16"));
  const bare = join(mixed, "bare");
  await mkdir(bare);
  for (const [line, stdin, stderr] of [
    [
      "apply -f -",
      poolYaml("q", "10.244.9.0/24"),
      /IPPool\(q\) CIDR overlaps with IPPool\(p\) CIDR 10\.244\.0\.0\/16/,
    ],
    ["apply -f -", poolYaml("q", "10.1.0.0"), /spec\.cidr, line 6 of standard input\]$/],
    [
      "apply -f -",
      poolYaml("q", "10.1.0.0/16", "  ipipMod: Never\n"),
      /field in document is not recognized or is in the wrong location: ipipMod/,
    ],
    [
      "apply -f -",
      "kind: IPPol\napiVersion: projectcalico.org/v3\n",
      /unknown resource type.*did you mean IPPool\?/,
    ],
    ["apply -f -", "kind: [", /line 1/],
    ["apply -f -", poolYaml("", "10.1.0.0/16"), /resource name may not be empty/],
    ["apply -f -", `${poolYaml("q", "10.1.0.0/16")}---\nkind: Node\n`, /apiVersion/],
    ["apply -f -", "", /^no resources specified in file -$/],
    [`apply -f ${empty}`, "", /^no resources specified in file \S+empty\.yaml$/],
    [`apply -f ${mixed}`, "", /^no resources specified in file \S+empty\.yaml$/],
    [`apply -f ${bare}`, "", /^no resources specified in directory \S+bare$/],
    ["apply -f /nowhere/x.yaml", "", /^open \/nowhere\/x\.yaml: no such file or directory$/],
    ["apply", "", /^apply needs --filename$/],
    ["apply pool -f -", yaml, /^apply takes no operands/],
    [
      "apply -f - -n x",
      yaml,
      /^namespace should not be specified for a non-namespaced resource\. IPPool is not a namespaced resource$/,
    ],
    [
      "create -f -",
      "kind: ClusterInformation\napiVersion: projectcalico.org/v3\nmetadata: {name: default}\nspec: {}\n",
      /operation Create is not supported on ClusterInformation\(default\)/,
    ],
  ] as const) {
    const outcome = await run(line, { store, stdin });
    assert.equal(outcome.exitCode, 1, line);
    assert.equal(outcome.stdout, "", line);
    assert.match(outcome.stderr.trimEnd(), stderr, line);
    assert.equal(outcome.stderr.split("\n").length, 2, outcome.stderr);
  }
  assert.deepEqual(await keysIn(store), before);
});

test("a manifest's namespace may not differ from the command line's", async () => {
  const store = new MemoryStore();
  const stdin =
    "apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata: {namespace: a}\nspec: {node: n, orchestrator: k8s, pod: p, endpoint: eth0, interfaceName: cali1}\n";
  const named = stdin.replace("{namespace: a}", "{name: n-k8s-p-eth0, namespace: a}");
  assert.deepEqual(await run("apply -n b -f -", { store, stdin: named }), {
    exitCode: 1,
    stdout: "",
    stderr: "resource namespace does not match client namespace. a != b\n",
  });
  assert.equal((await run("apply -f -", { store, stdin: named })).stderr, "");
  assert.deepEqual(await keysIn(store), [keys.resource("workloadendpoints", "n-k8s-p-eth0", "a")]);
});

test("--skip-empty makes an empty file a success", async () => {
  for (const command of ["create", "apply", "replace", "delete"]) {
    assert.deepEqual(await run(`${command} -f - --skip-empty`, { store: new MemoryStore() }), {
      exitCode: 0,
      stdout: "No resources specified\n",
      stderr: "",
    });
  }
});

test("delete by name and by file", async () => {
  const store = await storeOf({
    "bgppeers/a": { kind: "BGPPeer", spec: {} },
    "bgppeers/b": { kind: "BGPPeer", spec: {} },
  });
  assert.deepEqual(await run("delete bgppeer a", { store }), {
    exitCode: 0,
    stdout: "Successfully deleted 1 'BGPPeer' resource(s)\n",
    stderr: "",
  });
  const half = await run("delete bgppeer a b", { store });
  assert.equal(half.stdout, "Successfully deleted 1 'BGPPeer' resource(s)\n");
  assert.match(
    half.stderr,
    /^Failed to delete 'BGPPeer' resource: resource does not exist: BGPPeer\(a\) with error: .*\n$/,
  );
  assert.deepEqual(await run("delete bgppeer a -s", { store }), {
    exitCode: 0,
    stdout: "Successfully deleted 1 'BGPPeer' resource(s)\n",
    stderr: "",
  });
  assert.equal((await run("delete bgppeer", { store })).stderr, "resource name may not be empty\n");
  for (const line of [
    ["delete", "bgppeer", ""],
    ["get", "bgppeer", ""],
    ["label", "bgppeer", "", "a=b"],
  ]) {
    assert.equal((await run(line, { store })).stderr, "resource name may not be empty\n");
  }
  assert.equal((await run("delete", { store })).stderr, "delete needs a kind and a name, or --filename\n");
});

test("patch, in its three types", async () => {
  const store = await storeOf(nodes);
  const key = keys.resource("nodes", "node1.whale.com");
  const done = { exitCode: 0, stdout: "Successfully patched 1 'Node' resource\n", stderr: "" };
  for (const [words, value] of [
    [["--patch", '{"spec":{"bgp":{"routeReflectorClusterID":"1.0.0.1"}}}'], "1.0.0.1"],
    [["-p", "spec: {bgp: {routeReflectorClusterID: 1.0.0.2}}", "-t", "merge"], "1.0.0.2"],
    [["-t", "json", "-p", '[{"op":"remove","path":"/spec/bgp/routeReflectorClusterID"}]'], undefined],
  ] as const) {
    assert.deepEqual(await run(["patch", "node", "node1.whale.com", ...words], { store }), done);
    assert.equal(await field(store, key, "spec.bgp.routeReflectorClusterID"), value);
    assert.equal(await field(store, key, "spec.bgp.ipv4Address"), "192.168.0.81/24");
  }
});

test("a patch that makes no sense changes nothing", async () => {
  const store = await storeOf(nodes);
  for (const [words, stderr] of [
    [
      ["node", "x", "-p", "{}"],
      /^failed to patch 'Node' resource: \[resource does not exist: Node\(x\) with error: <nil>\]/,
    ],
    [
      ["node", "node1.whale.com", "-p", '{"spec":{"bgb":{}}}'],
      /not recognized or is in the wrong location: bgb/,
    ],
    [["node", "node1.whale.com", "-p", '{"metadata":{"name":"y"}}'], /cannot change the name/],
    [["node", "node1.whale.com", "-p", "{"], /^the patch is neither JSON nor YAML: .*column 2\n$/],
    [["node", "node1.whale.com"], /^patch needs --patch/],
    [["node"], /^patch needs a kind and one name/],
    [["node", "", "-p", "{}"], /^resource name may not be empty\n$/],
    [["node", "node1.whale.com", "-p", ""], /^a strategic patch is a mapping of fields/],
    [["node", "node1.whale.com", "-p", "[]", "-t", "merge"], /^a merge patch is a mapping of fields/],
    [["node", "node1.whale.com", "-p", "{}", "-t", "magic"], /^unknown patch type 'magic'/],
  ] as const) {
    const outcome = await run(["patch", ...words], { store });
    assert.equal(outcome.exitCode, 1);
    assert.match(outcome.stderr, stderr);
    assert.equal(outcome.stderr.split("\n").length, 2, outcome.stderr);
  }
});

test("several files are applied in their order", async (t) => {
  const store = new MemoryStore();
  const path = await directory(t);
  await writeFile(join(path, "a.yaml"), yaml);
  await writeFile(join(path, "b.yaml"), poolYaml("q", "10.1.0.0/16"));
  const words = `-f ${path}/b.yaml --filename=${path}/a.yaml`;
  assert.equal(
    (await run(`apply ${words}`, { store })).stdout,
    "Successfully applied 2 'IPPool' resource(s)\n",
  );
  const { stdout } = await run(`get ${words} -o custom-columns=NAME`, { store });
  assert.deepEqual(
    stdout
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean),
    ["NAME", "q", "p"],
  );
  assert.equal(
    (await run(`delete ${words}`, { store })).stdout,
    "Successfully deleted 2 'IPPool' resource(s)\n",
  );
});

test("the first change of a datastore brings ClusterInformation, a refused one does not", async () => {
  const store = new MemoryStore();
  const key = keys.resource("clusterinformations", "default");
  assert.equal((await run("replace -f -", { store, stdin: yaml })).exitCode, 1);
  assert.equal(await store.get(key), undefined);
  await run("create -f -", { store, stdin: yaml });
  const guid = await field(store, key, "spec.clusterGUID");
  assert.match(String(guid), /^[0-9a-f]{32}$/);
  assert.equal(await field(store, key, "spec.datastoreReady"), true);
  await run("apply -f -", { store, stdin: yaml });
  assert.equal(await field(store, key, "spec.clusterGUID"), guid);
});

test("label sets, updates and removes", async () => {
  const store = await storeOf(nodes);
  const label = (words: string) => run(`label node node1.whale.com ${words}`, { store });
  for (const [words, expected] of [
    ["route-reflector=true", "Successfully set label route-reflector on Node node1.whale.com\n"],
    [
      "route-reflector=no",
      "failed to update label of Node node1.whale.com, key route-reflector is already present. please use '--overwrite' to set a new value\n",
    ],
    [
      "route-reflector=no --overwrite",
      "Successfully updated label route-reflector on Node node1.whale.com\n",
    ],
    ["route-reflector --remove", "Successfully removed label route-reflector from Node node1.whale.com\n"],
    [
      "route-reflector --remove",
      "cannot remove label of Node node1.whale.com, key route-reflector does not exist\n",
    ],
    ["route-reflector", "invalid label route-reflector\n"],
    [
      "route_reflector/=true",
      "error with field Metadata.Labels = 'route_reflector/' (is not a label name; allowed: [dns-prefix/]name of up to 63 characters)\n",
    ],
    [
      "rack=a:b",
      "error with field Metadata.Labels = 'a:b' (is not a label value; allowed: up to 63 of a–z A–Z 0–9 - _ . that begin and end with a letter or digit)\n",
    ],
  ] as const) {
    const { stdout, stderr } = await label(words);
    assert.equal(stdout + stderr, expected);
  }
});
