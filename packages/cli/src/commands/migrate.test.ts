/**
 * Aim: a move is planned before it is made, also in a mesh that is too large to be run in memory. Method: nodes in a store in
 * memory, without daemons.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, MemoryStore } from "@caracal/datastore";
import { run } from "../../test/test-context.ts";

async function meshOf(count: number): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (let index = 0; index < count; index += 1) {
    const name = `n${index}`;
    const spec = { bgp: { ipv4Address: `10.0.${index >> 7}.${(index & 127) + 1}/16` } };
    const node = { kind: "Node", apiVersion: "projectcalico.org/v3", metadata: { name }, spec };
    await store.create(keys.resource("nodes", name), JSON.stringify(node));
  }
  return store;
}

test("the plan has the steps and their impact, and changes nothing", async () => {
  const store = await meshOf(4);
  const before = (await store.list("")).entries;
  const { stdout, exitCode } = await run("migrate route-reflector --reflectors n0", { store });
  assert.equal(exitCode, 0);
  assert.match(stdout, /^1\. label n0, and add BGPPeer\(route-reflectors\)\n2\. make n0 a route reflector/);
  assert.match(stdout, /Sessions: 0 would come, 6 would go[^]*run it again with --yes/);
  assert.deepEqual((await store.list("")).entries, before);
});

test("a mesh that is too large to foresee can be moved all the same; a change of it cannot be foreseen", async () => {
  const store = await meshOf(201);
  const { stdout, exitCode } = await run("migrate route-reflector --reflectors n0,n1", { store });
  assert.equal(exitCode, 0);
  assert.match(stdout, /20100 sessions; at most 20000 .*; every step is still compared with what the nodes/);
  const spec = { nodeToNodeMeshEnabled: false };
  const stdin = JSON.stringify({
    kind: "BGPConfiguration",
    apiVersion: "projectcalico.org/v3",
    metadata: { name: "default" },
    spec,
  });
  const impact = await run("apply -f - --dry-run=impact", { store, stdin });
  assert.equal(impact.exitCode, 1);
  assert.match(impact.stderr, /cannot foresee the impact: the cluster has 20100 sessions/);
});
