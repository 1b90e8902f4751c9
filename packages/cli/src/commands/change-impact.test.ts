/**
 * Aim: `--dry-run=impact` foresees what a change does to sessions, routes and pods, and changes nothing. Method: a cluster
 * in a store in memory.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, MemoryStore } from "@caracal/datastore";
import { Prefix } from "@caracal/net";
import { run } from "../../test/test-context.ts";

const apiVersion = "projectcalico.org/v3";
const meshOff = JSON.stringify({
  kind: "BGPConfiguration",
  apiVersion,
  metadata: { name: "default" },
  spec: { nodeToNodeMeshEnabled: false },
});

async function twoNodes(): Promise<MemoryStore> {
  const store = new MemoryStore();
  const resources = ["a", "b"].flatMap((name, index) => [
    {
      kind: "Node",
      apiVersion,
      metadata: { name },
      spec: { bgp: { ipv4Address: `10.0.0.${index + 1}/24` } },
    },
    {
      kind: "WorkloadEndpoint",
      apiVersion,
      metadata: { name: `${name}-k8s-web--${name}-eth0`, namespace: "default" },
      spec: {
        node: name,
        orchestrator: "k8s",
        pod: `web-${name}`,
        endpoint: "eth0",
        interfaceName: `cali${name}`,
        ipNetworks: [`10.244.${index}.5/32`],
      },
    },
  ]);
  const pool = { kind: "IPPool", apiVersion, metadata: { name: "pods" }, spec: { cidr: "10.244.0.0/16" } };
  for (const resource of [pool, ...resources]) {
    const plural = { IPPool: "ippools", Node: "nodes" }[resource.kind] ?? "workloadendpoints";
    const { name } = resource.metadata;
    const namespace = resource.kind === "WorkloadEndpoint" ? "default" : undefined;
    await store.create(keys.resource(plural, name, namespace), JSON.stringify(resource));
  }
  for (const [index, node] of ["a", "b"].entries()) {
    const block = Prefix.parse(`10.244.${index}.0/26`);
    assert.ok(block !== undefined);
    await store.create(
      keys.affinity({ kind: "host", name: node }, block),
      '{"state":"confirmed","deleted":false}',
    );
  }
  return store;
}

test("a change that loses routes says which, exits with 2 and changes nothing", async () => {
  const store = await twoNodes();
  const before = (await store.list("")).entries;
  const { stdout, stderr, exitCode } = await run("apply -f - --dry-run=impact", { store, stdin: meshOff });
  assert.deepEqual({ stderr, exitCode }, { stderr: "", exitCode: 2 });
  assert.match(stdout, /^Nothing was changed\. On 2 node\(s\):/);
  assert.match(stdout, /Sessions: 0 would come, 2 would go, 0 would restart/);
  assert.match(stdout, / {2}a: 10\.244\.1\.0\/26 via 10\.0\.0\.2 → no route\n/);
  assert.match(stdout, /Pod pairs: 2 of 2 would lose their route/);
  assert.match(stdout, / {2}- default\/web-a → default\/web-b\n/);
  assert.deepEqual((await store.list("")).entries, before);
});

test("a change without harm exits with 0; as JSON it is complete", async () => {
  const store = await twoNodes();
  const spec = { logSeverityScreen: "Debug" };
  const stdin = JSON.stringify({ kind: "BGPConfiguration", apiVersion, metadata: { name: "default" }, spec });
  const { stdout, exitCode } = await run("apply -f - --dry-run=impact -o json", { store, stdin });
  assert.equal(exitCode, 0);
  assert.deepEqual(JSON.parse(stdout), {
    sessions: { come: [], go: [], restart: [] },
    routes: [],
    pairs: { lost: [], gained: [], count: 2 },
    problems: [],
    assumed: [],
  });
});

test("a change that would be refused, and words that do not fit, are told", async () => {
  const store = await twoNodes();
  const create = await run("create -f - --dry-run=impact", { store, stdin: meshOff });
  assert.equal(create.exitCode, 2);
  await run("apply -f -", { store, stdin: meshOff });
  const again = await run("create -f - --dry-run=impact", { store, stdin: meshOff });
  assert.match(again.stderr, /^the change would fail: resource already exists: BGPConfiguration\(default\)/);
  assert.match(
    (await run("apply -f - --dry-run=all", { store, stdin: meshOff })).stderr,
    /unknown --dry-run: all/,
  );
  assert.match(
    (await run("apply -f - -o json", { store, stdin: meshOff })).stderr,
    /--output needs --dry-run/,
  );
});

test("the impact of a deletion counts what is deleted, and deletes nothing", async () => {
  const store = await twoNodes();
  const before = (await store.list("")).entries;
  const { stdout, stderr, exitCode } = await run("delete node b --dry-run=impact", { store });
  assert.deepEqual({ stderr, exitCode }, { stderr: "", exitCode: 2 });
  assert.match(stdout, /Sessions: 0 would come, 2 would go, 0 would restart/);
  assert.match(stdout, /Pod pairs: 2 of 2 would lose their route/);
  const missing = await run("delete bgppeer nobody --dry-run=impact", { store });
  assert.equal(missing.exitCode, 1);
  assert.match(missing.stderr, /the change would fail: .*nobody/);
  assert.equal(
    (await run("delete bgppeer nobody --skip-not-exists --dry-run=impact", { store })).exitCode,
    0,
  );
  assert.deepEqual((await store.list("")).entries, before);
});

test("a kind that nobody may change is refused in a dry run too", async () => {
  const store = await twoNodes();
  const spec = { cidr: "10.244.0.0/26", node: "a", state: "confirmed", deleted: "false" };
  const stdin = JSON.stringify({ kind: "BlockAffinity", apiVersion, metadata: { name: "x" }, spec });
  const real = await run("apply -f -", { store, stdin });
  const dry = await run("apply -f - --dry-run=impact", { store, stdin });
  assert.equal(real.exitCode, 1);
  assert.equal(dry.exitCode, 1, dry.stdout);
});
