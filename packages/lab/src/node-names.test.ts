/**
 * Aim: nodes can be called by short names, and never the wrong one.
 * Method: the scenarios' names and the awkward ones.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { findByShortName, shortNames } from "./node-names.ts";

const KIND = [
  "calico-bgp-fullmesh-control-plane",
  "calico-bgp-fullmesh-worker",
  "calico-bgp-fullmesh-worker2",
];

test("a common beginning is left out up to its last dash", () => {
  assert.deepEqual([...shortNames(KIND).values()], ["control-plane", "worker", "worker2"]);
  assert.deepEqual([...shortNames(["km01", "kw01"]).values()], ["km01", "kw01"]);
  assert.deepEqual([...shortNames(["a-b-c"]).values()], ["a-b-c"]);
  assert.deepEqual([...shortNames(["a-b", "a-b-c"]).values()], ["b", "b-c"]);
  assert.deepEqual([...shortNames([]).values()], []);
});

test("a short name finds its node, an ambiguous one names the choices", () => {
  assert.equal(findByShortName("worker", KIND), "calico-bgp-fullmesh-worker");
  assert.equal(findByShortName("control-plane", KIND), "calico-bgp-fullmesh-control-plane");
  assert.equal(findByShortName("calico-bgp-fullmesh-worker2", KIND), "calico-bgp-fullmesh-worker2");
  assert.equal(findByShortName("worker1", ["master1.k8s.com", "worker1.k8s.com"]), "worker1.k8s.com");
  assert.equal(findByShortName("orker", KIND), undefined);
  assert.throws(() => findByShortName("x", ["a-x", "b-x"]), /x may be a-x or b-x: write it out/);
});
