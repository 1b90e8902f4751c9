/** Pods between CNI and the datastore's watch. Method: plain values. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodRoute } from "@caracal/intent";
import { Prefix } from "@caracal/net";
import { address, prefix } from "../../test/node-fixtures.ts";
import { PendingEndpoints } from "./pending-endpoints.ts";

const mac = "02:00:00:00:00:01";

function route(destination: string, interfaceName: string): PodRoute {
  return { prefix: prefix(destination), interfaceName, endpoint: "default/pod" };
}

function texts(routes: readonly PodRoute[]): readonly string[] {
  return routes.map((one) => `${Prefix.format(one.prefix)} ${one.interfaceName}`);
}

test("a pod is wanted until the datastore shows it, and by the datastore alone from then on", () => {
  const pending = new PendingEndpoints();
  pending.add("cali1", [address("10.244.0.1"), address("fd00::1")], mac);
  const both = ["10.244.0.1/32 cali1", "fd00::1/128 cali1"];
  assert.deepEqual(texts(pending.merge([], () => undefined)), both);
  const known = [route("10.244.0.1/32", "cali1"), route("fd00::1/128", "cali1")];
  assert.deepEqual(texts(pending.merge(known, () => mac)), both);
  assert.deepEqual(
    pending.merge([], () => undefined),
    [],
  );
});

test("half a pod is not the pod", () => {
  const pending = new PendingEndpoints();
  pending.add("cali1", [address("10.244.0.1"), address("fd00::1")], mac);
  pending.merge([route("10.244.0.1/32", "cali1")], () => mac);
  assert.equal(pending.merge([], () => undefined).length, 2);
});

test("a former container's endpoint with the same address does not stand for the new pod", () => {
  const pending = new PendingEndpoints();
  pending.add("cali1", [address("10.244.0.1")], mac);
  const known = [route("10.244.0.1/32", "cali1")];
  assert.deepEqual(texts(pending.merge(known, () => "02:00:00:00:00:99")), ["10.244.0.1/32 cali1"]);
  // The former's end arrives late, after the new pod has its routes.
  assert.deepEqual(texts(pending.merge([], () => undefined)), ["10.244.0.1/32 cali1"]);
  pending.merge(known, () => mac);
  assert.deepEqual(
    pending.merge([], () => undefined),
    [],
  );
});

test("a pending pod has its address before an endpoint that is about to go", () => {
  const pending = new PendingEndpoints();
  pending.add("cali2", [address("10.244.0.1")], mac);
  const known = [route("10.244.0.1/32", "cali1"), route("10.244.0.2/32", "cali1")];
  assert.deepEqual(texts(pending.merge(known, () => undefined)), [
    "10.244.0.2/32 cali1",
    "10.244.0.1/32 cali2",
  ]);
});

test("a removed pod is forgotten", () => {
  const pending = new PendingEndpoints();
  pending.add("cali1", [address("10.244.0.1")], mac);
  assert.equal(pending.remove("cali1"), true);
  assert.equal(pending.remove("cali1"), false);
  assert.deepEqual(
    pending.merge([], () => undefined),
    [],
  );
});
