/**
 * Aim: a dry run says what the change would do and changes nothing. Method: whole command lines over a store in memory, and
 * the store before and after; the same refusals as without.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, type Store } from "@caracal/datastore";
import { nodes, pool, poolYaml, storeOf } from "../../test/resources-fixture.ts";
import { type Outcome, run } from "../../test/test-context.ts";

async function dry(store: Store, line: string, stdin: string): Promise<Outcome> {
  const before = await store.list(keys.root);
  const outcome = await run(line, { store, stdin });
  assert.deepEqual((await store.list(keys.root)).entries, before.entries);
  return outcome;
}

test("server: what would change, come, and stay", async () => {
  const store = await storeOf({ ...nodes, "ippools/p": pool });
  const { stdout: same } = await run("get node node1.whale.com -o yaml --export", { store });
  const stdin = [
    poolYaml("p", "10.244.0.0/16", "  natOutgoing: false\n  blockSize: 26\n"),
    poolYaml("q", "10.9.0.0/16"),
    same,
  ].join("---\n");
  const { exitCode, stdout, stderr } = await dry(store, "apply -f - --dry-run=server", stdin);
  assert.deepEqual([exitCode, stderr], [0, ""]);
  assert.match(
    stdout,
    /^IPPool\(p\) would change:\n {2}…\n[^]*\n- {3}natOutgoing: true\n\+ {3}natOutgoing: false\n/,
  );
  assert.match(
    stdout,
    /^IPPool\(q\) would be created:\n\+ apiVersion: projectcalico\.org\/v3\n\+ kind: IPPool$/m,
  );
  assert.match(stdout, /^Node\(node1\.whale\.com\) stays as it is$/m);
  assert.match(stdout, /\nSuccessfully applied 3 resource\(s\) \(server dry run\)\n$/);
  assert.doesNotMatch(stdout, /dry-run|resourceVersion/);
});

test("server: refuses what the datastore would refuse", async () => {
  const store = await storeOf({ "ippools/p": pool });
  for (const [line, stdin, stderr] of [
    [
      "create -f -",
      poolYaml("q", "10.244.1.0/24"),
      /^failed to create 'IPPool' resource: \[.* CIDR overlaps with/,
    ],
    ["create -f -", poolYaml("p", "10.1.0.0/16"), /resource already exists: IPPool\(p\)/],
    ["replace -f -", poolYaml("q", "10.1.0.0/16"), /resource does not exist: IPPool\(q\)/],
    ["apply -f -", poolYaml("p", "10.1.0.0/16"), /IPPool CIDR cannot be modified/],
  ] as const) {
    const outcome = await dry(store, `${line} --dry-run=server`, stdin);
    assert.equal(outcome.exitCode, 1, line);
    assert.match(outcome.stderr, stderr);
    assert.equal((await run(line, { store, stdin })).stderr, outcome.stderr);
  }
});

test("server: the version that was read counts as it would", async () => {
  const store = await storeOf({ "x/y": { kind: "X", spec: {} }, ...nodes });
  const { stdout: read } = await run("get node node1.whale.com -o yaml", { store });
  const stdin = read.replace("    ipv4Address", "    routeReflectorClusterID: 1.0.0.1\n    ipv4Address");
  assert.equal((await dry(store, "replace -f - --dry-run=server", stdin)).stderr, "");
  const stale = stdin.replace(/resourceVersion: .*/, 'resourceVersion: "1"');
  assert.match(
    (await dry(store, "replace -f - --dry-run=server", stale)).stderr,
    /update conflict: Node\(node1/,
  );
});

test("client: what would be sent, with defaults, without a datastore", async () => {
  const stdin = poolYaml("q", "10.9.0.0/16");
  const { stdout } = await run("apply -f - --dry-run=client", { stdin });
  assert.match(stdout, /^apiVersion: projectcalico\.org\/v3\nkind: IPPool\n[^]*\n {2}blockSize: 26\n/);
  assert.match(stdout, /\nSuccessfully applied 1 'IPPool' resource\(s\) \(client dry run\)\n$/);
  const { stdout: json } = await run("create -f - --dry-run=client -o json", { stdin });
  assert.partialDeepStrictEqual(JSON.parse(json), { metadata: { name: "q" }, spec: { ipipMode: "Never" } });
});

test("modes and formats are words that exist", async () => {
  for (const [line, stderr] of [
    ["apply -f - --dry-run=sever", "unknown --dry-run: sever; did you mean server?\n"],
    ["apply -f - --dry-run=x", "unknown --dry-run: x; it is client, server, impact\n"],
    ["apply -f - -o yaml", "--output needs --dry-run\n"],
    [
      "apply -f - --dry-run=impact -o yaml",
      "unrecognized output format 'yaml'; with --dry-run=impact it is json\n",
    ],
  ] as const) {
    assert.deepEqual(await run(line), { exitCode: 1, stdout: "", stderr });
  }
});

test("deletions: what is named, and all that would go", async () => {
  const peer = { kind: "BGPPeer", spec: { node: "node1.whale.com", peerIP: "10.0.0.1", asNumber: 65001 } };
  const store = await storeOf({ ...nodes, "ippools/p": pool, "bgppeers/own": peer });
  assert.deepEqual(await run("delete node node1.whale.com --dry-run=client"), {
    exitCode: 0,
    stdout:
      "Node(node1.whale.com) would be deleted\nSuccessfully deleted 1 'Node' resource(s) (client dry run)\n",
    stderr: "",
  });
  assert.deepEqual(await dry(store, "delete node node1.whale.com --dry-run=server", ""), {
    exitCode: 0,
    stdout: [
      "BGPPeer(own) would be deleted",
      "Node(node1.whale.com) would be deleted",
      "Successfully deleted 1 'Node' resource(s) (server dry run)\n",
    ].join("\n"),
    stderr: "",
  });
  const missing = await dry(store, "delete pool p q --dry-run=server", "");
  assert.equal(
    missing.stdout,
    "IPPool(p) would be deleted\nSuccessfully deleted 1 'IPPool' resource(s) (server dry run)\n",
  );
  assert.match(missing.stderr, /^Failed to delete 'IPPool' resource: resource does not exist: IPPool\(q\)/);
  assert.equal(
    (await run("delete pool p --dry-run=sever")).stderr,
    "unknown --dry-run: sever; did you mean server?\n",
  );
});
