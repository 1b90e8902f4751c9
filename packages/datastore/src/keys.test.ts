/**
 * Calico's etcd keys, both ways. Method: the published layout as pairs, and round trips of generated keys.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ipv4, Ipv6, Prefix } from "@caracal/net";
import fc from "fast-check";
import { compareKeys, keys } from "./index.ts";

function cidr(text: string): Prefix {
  const prefix = Prefix.parse(text);
  assert.ok(prefix !== undefined, text);
  return prefix;
}

const host = { kind: "host", name: "kw01" } as const;

test("keys are Calico's", () => {
  const pairs: readonly (readonly [string, string])[] = [
    [keys.resource("ippools", "p"), "/calico/resources/v3/projectcalico.org/ippools/p"],
    [
      keys.resource("workloadendpoints", "kw01-k8s-nginx-eth0", "default"),
      "/calico/resources/v3/projectcalico.org/workloadendpoints/default/kw01-k8s-nginx-eth0",
    ],
    [keys.block(cidr("10.244.120.64/26")), "/calico/ipam/v2/assignment/ipv4/block/10.244.120.64-26"],
    [keys.block(cidr("fd00:1:2::40/122")), "/calico/ipam/v2/assignment/ipv6/block/fd00:1:2::40-122"],
    [keys.affinity(host, cidr("10.244.1.0/26")), "/calico/ipam/v2/host/kw01/ipv4/block/10.244.1.0-26"],
    [
      keys.affinity({ kind: "virtual", name: "load-balancer" }, cidr("10.9.0.0/26")),
      "/calico/ipam/v2/virtual/load-balancer/ipv4/block/10.9.0.0-26",
    ],
    [keys.handle("k8s-pod-network.abc"), "/calico/ipam/v2/handle/k8s-pod-network.abc"],
    [keys.ipamConfig, "/calico/ipam/v2/config"],
  ];
  for (const [built, expected] of pairs) assert.equal(built, expected);
});

test("prefixes end in a slash, so that one node's never find another's", () => {
  assert.equal(keys.resources("nodes"), "/calico/resources/v3/projectcalico.org/nodes/");
  assert.equal(keys.resources("networksets", "ns"), "/calico/resources/v3/projectcalico.org/networksets/ns/");
  assert.equal(keys.blocks(), "/calico/ipam/v2/assignment/");
  assert.equal(keys.blocks(6), "/calico/ipam/v2/assignment/ipv6/block/");
  assert.equal(keys.affinities(), "/calico/ipam/v2/host/");
  assert.equal(keys.affinities("virtual"), "/calico/ipam/v2/virtual/");
  assert.equal(keys.affinities(host), "/calico/ipam/v2/host/kw01/");
  assert.equal(keys.affinities(host, 4), "/calico/ipam/v2/host/kw01/ipv4/block/");
  assert.equal(keys.handles, "/calico/ipam/v2/handle/");
});

test("every key parses back to what it was built from", () => {
  const name = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,20}$/);
  const block = fc.oneof(
    fc.tuple(fc.nat(0xffffffff), fc.nat(32)).map(([bits, length]) => Prefix.of(Ipv4.of(bits), length)),
    fc.tuple(fc.bigInt(0n, 2n ** 128n - 1n), fc.nat(128)).map(([b, length]) => Prefix.of(Ipv6.of(b), length)),
  );
  fc.assert(
    fc.property(name, name, name, block, (a, b, c, prefix) => {
      assert.deepEqual(keys.parse(keys.resource(a, b)), {
        kind: "resource",
        plural: a,
        namespace: undefined,
        name: b,
      });
      assert.deepEqual(keys.parse(keys.resource(a, b, c)), {
        kind: "resource",
        plural: a,
        namespace: c,
        name: b,
      });
      assert.deepEqual(keys.parse(keys.block(prefix)), { kind: "block", cidr: prefix });
      const owner = { kind: "host", name: a } as const;
      assert.deepEqual(keys.parse(keys.affinity(owner, prefix)), { kind: "affinity", owner, cidr: prefix });
      assert.deepEqual(keys.parse(keys.handle(a)), { kind: "handle", id: a });
    }),
  );
});

test("escapes of old writers are undone", () => {
  assert.deepEqual(keys.parse("/calico/resources/v3/projectcalico.org/profiles/a%2fb%25c"), {
    kind: "resource",
    plural: "profiles",
    namespace: undefined,
    name: "a/b%c",
  });
});

test("other keys name nothing", () => {
  const strangers = [
    "",
    "/calico/",
    "/calico/v1/Ready",
    "/calico/resources/v3/projectcalico.org/ippools",
    "/calico/resources/v3/projectcalico.org/ippools/",
    "/calico/resources/v3/projectcalico.org/a/b/c/d",
    "/calico/ipam/v2/handle/",
    "/calico/ipam/v2/host/kw01",
    "/calico/ipam/v2/host/kw01/ipv6/block/10.0.0.0-26",
    "/calico/ipam/v2/host/kw01/ipv4/block/10.0.0.1-26",
    "/calico/ipam/v2/assignment/ipv4/block/10.0.0.0",
    "/calico/ipam/v2/assignment/ipv4/blocks/10.0.0.0-26",
  ];
  for (const key of strangers) assert.equal(keys.parse(key), undefined, key);
});

test("keys order as their UTF-8 bytes do", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
      assert.equal(Math.sign(compareKeys(a, b)), Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
    }),
  );
});
