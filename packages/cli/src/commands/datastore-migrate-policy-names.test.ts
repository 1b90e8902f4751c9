/** Aim: policies of older versions get the keys of today's, once, and nothing else moves. Method: whole command lines over a store in memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys } from "@caracal/datastore";
import { storeOf } from "../../test/resources-fixture.ts";
import { run } from "../../test/test-context.ts";

const spec = { tier: "default", selector: "all()", types: ["Ingress"] };

test("names lose their tier", async () => {
  const store = await storeOf({
    "globalnetworkpolicies/default.a": { kind: "GlobalNetworkPolicy", spec },
    "globalnetworkpolicies/b": { kind: "GlobalNetworkPolicy", spec },
    "networkpolicies/blue/default.c": { kind: "NetworkPolicy", spec },
    "networkpolicies/blue/knp.default.d": { kind: "NetworkPolicy", spec },
  });
  const names = async () =>
    (await store.list(keys.root)).entries.map(({ key }) =>
      key.replace(keys.resources(""), "").replace(/.*projectcalico\.org\//, ""),
    );
  const before = (await run("get gnp a -o json", { store })).stdout;
  assert.equal(
    (await run("datastore migrate-policy-names", { store })).stdout,
    "Successfully migrated 2 policy name(s)\n",
  );
  assert.deepEqual(await names(), [
    "globalnetworkpolicies/a",
    "globalnetworkpolicies/b",
    "networkpolicies/blue/c",
    "networkpolicies/blue/knp.default.d",
  ]);
  const plain = (text: string): string => text.replaceAll(/"resourceVersion": "\d+"/g, "");
  assert.equal(plain((await run("get gnp a -o json", { store })).stdout), plain(before));
  assert.equal(
    (await run("datastore migrate-policy-names", { store })).stdout,
    "Successfully migrated 0 policy name(s)\n",
  );
});

test("a policy that is there twice is left to people", async () => {
  const store = await storeOf({
    "globalnetworkpolicies/a": { kind: "GlobalNetworkPolicy", spec: { ...spec, order: 1 } },
    "globalnetworkpolicies/default.a": { kind: "GlobalNetworkPolicy", spec },
  });
  assert.match(
    (await run("datastore migrate-policy-names", { store })).stderr,
    /^GlobalNetworkPolicy a is stored twice: delete \/calico\S+\/default\.a, or/,
  );
  assert.equal((await store.list(keys.root)).entries.length, 2);
});
