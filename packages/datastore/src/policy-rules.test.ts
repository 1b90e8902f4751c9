/**
 * Aim: policies, tiers and the built-in profile behave in a store as with Calico's client, also where an older one wrote.
 * Method: a client over the store in memory, with entries of older versions put in beside it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { apiVersion, type GlobalNetworkPolicy, type Tier } from "@caracal/resources";
import { keys } from "./keys.ts";
import { MemoryStore } from "./memory-store.ts";
import { ResourceClient, type ResourceOutcome } from "./resource-client.ts";

function open(): { store: MemoryStore; client: ResourceClient } {
  const store = new MemoryStore();
  let count = 0;
  const uuid = (): string => `00000000-0000-4000-8000-${String(count++).padStart(12, "0")}`;
  return { store, client: new ResourceClient(store, { now: () => "2026-01-02T03:04:05Z", uuid }) };
}

function policy(name: string, spec: GlobalNetworkPolicy["spec"] = {}): GlobalNetworkPolicy {
  return { kind: "GlobalNetworkPolicy", apiVersion, metadata: { name }, spec };
}

function tier(name: string, order: number): Tier {
  return { kind: "Tier", apiVersion, metadata: { name }, spec: { order } };
}

function message(outcome: ResourceOutcome): string {
  return outcome.kind === "ok" ? "ok" : outcome.message;
}

const keyOf = (name: string): string => keys.resource("globalnetworkpolicies", name);

test("a policy is stored under its own name, with the label of its tier and the name it was given", async () => {
  const { store, client } = open();
  assert.equal(message(await client.create(policy("foo"))), "ok");
  const stored: unknown = JSON.parse((await store.get(keyOf("foo")))?.value ?? "");
  assert.deepEqual(stored, {
    kind: "GlobalNetworkPolicy",
    apiVersion,
    metadata: {
      name: "foo",
      uid: "00000000-0000-4000-8000-000000000000",
      creationTimestamp: "2026-01-02T03:04:05Z",
      labels: { "projectcalico.org/tier": "default" },
      annotations: { "projectcalico.org/metadata": '{"name":"foo"}' },
    },
    spec: { tier: "default", types: ["Ingress"] },
  });
  const found = await client.get("GlobalNetworkPolicy", "foo");
  assert.ok(found.kind === "ok" && found.resource.metadata.annotations === undefined);
});

test("a policy that an older Calico stored under default. is found, kept there, and deleted", async () => {
  const { store, client } = open();
  await store.create(keyOf("default.foo"), JSON.stringify({ ...policy("default.foo"), spec: { order: 1 } }));
  const found = await client.get("GlobalNetworkPolicy", "foo");
  assert.ok(found.kind === "ok" && found.resource.metadata.name === "foo" && found.resource.spec.order === 1);
  assert.match(message(await client.create(policy("foo"))), /already exists: GlobalNetworkPolicy\(foo\)/);
  assert.equal(message(await client.apply(policy("foo", { order: 2 }))), "ok");
  assert.equal(await store.get(keyOf("foo")), undefined);
  const { items } = await client.list("GlobalNetworkPolicy");
  assert.deepEqual(
    items.map(({ metadata, spec }) => [metadata.name, spec.order]),
    [["foo", 2]],
  );
  assert.equal(message(await client.delete("GlobalNetworkPolicy", "foo")), "ok");
  assert.equal(await store.get(keyOf("default.foo")), undefined);
});

test("a policy's tier must be there, and no other tier's name may begin the policy's", async () => {
  const { client } = open();
  assert.match(
    message(await client.create(policy("t.a", { tier: "t" }))),
    /Spec.Tier = 't' \(the tier does not/,
  );
  assert.equal(message(await client.create(tier("t", 10))), "ok");
  assert.equal(message(await client.create(policy("t.a", { tier: "t" }))), "ok");
  assert.equal(message(await client.create(policy("a", { tier: "t" }))), "ok");
  assert.match(
    message(await client.create(policy("t.b"))),
    /begins with the name of the tier t, but is in tier default/,
  );
  assert.equal(message(await client.create(policy("other.b"))), "ok");
});

test("a tier with policies, and those of every cluster, cannot be deleted", async () => {
  const { client } = open();
  await client.create(tier("t", 10));
  await client.create(tier("default", 1_000_000));
  await client.create(policy("t.a", { tier: "t" }));
  assert.equal(
    message(await client.delete("Tier", "t")),
    "operation delete is not supported on Tier(t): Cannot delete a non-empty tier",
  );
  assert.match(message(await client.delete("Tier", "default")), /Cannot delete default tier/);
  await client.delete("GlobalNetworkPolicy", "t.a");
  assert.equal(message(await client.delete("Tier", "t")), "ok");
});

test("the profile that allows everything is always there and cannot be changed", async () => {
  const { client } = open();
  const found = await client.get("Profile", "projectcalico-default-allow");
  assert.ok(found.kind === "ok");
  assert.equal(found.resource.metadata.resourceVersion, "1");
  await client.create({ ...found.resource, metadata: { name: "kns.default" } });
  const { items } = await client.list("Profile");
  assert.deepEqual(
    items.map(({ metadata }) => metadata.name),
    ["kns.default", "projectcalico-default-allow"],
  );
  const { resourceVersion: _version, ...metadata } = found.resource.metadata;
  assert.match(message(await client.create({ ...found.resource, metadata })), /already exists/);
  assert.match(message(await client.update(found.resource)), /operation Update is not supported on Profile/);
  assert.match(message(await client.delete("Profile", metadata.name)), /operation Delete is not supported/);
});

test("with a node go its host endpoints and its configurations", async () => {
  const { client } = open();
  await client.create({ kind: "Node", apiVersion, metadata: { name: "n" }, spec: {} });
  await client.create({ kind: "FelixConfiguration", apiVersion, metadata: { name: "node.n" }, spec: {} });
  for (const node of ["n", "m"]) {
    const spec = { node, interfaceName: "*" };
    await client.create({ kind: "HostEndpoint", apiVersion, metadata: { name: `hep-${node}` }, spec });
  }
  assert.equal(message(await client.delete("Node", "n")), "ok");
  assert.deepEqual((await client.list("FelixConfiguration")).items, []);
  const { items } = await client.list("HostEndpoint");
  assert.deepEqual(
    items.map(({ metadata }) => metadata.name),
    ["hep-m"],
  );
});
