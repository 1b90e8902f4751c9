/**
 * Aim: networks stand in BIRD's own order, the best route of each first. Method: the orders of `show route` on two nodes
 * that users posted, put back from a shuffle; then properties over random tables.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, Ipv4, Ipv6, Prefix } from "@caracal/net";
import fc from "fast-check";
import type { BirdRoute } from "../bird-snapshot.ts";
import { orderTable, tableHash } from "./table-order.ts";

function route(prefix: string, protocol = "kernel1", preference = 10): BirdRoute {
  return {
    prefix: Prefix.parse(prefix) ?? assert.fail(prefix),
    via: { kind: "blackhole" },
    protocol,
    source: "kernel",
    sinceMs: 0,
    preference,
    isBest: false,
  };
}

const posted: readonly (readonly string[])[] = [
  [
    "0.0.0.0/0",
    "10.244.152.128/26",
    "192.168.0.0/24",
    "10.244.103.64/26",
    "172.17.0.0/16",
    "10.244.42.64/26",
    "10.244.42.65/32",
  ],
  [
    "0.0.0.0/0",
    "10.244.205.192/26",
    "192.168.49.0/24",
    "10.244.120.64/26",
    "10.244.120.65/32",
    "10.244.120.66/32",
    "10.244.120.68/32",
    "10.244.0.192/26",
    "172.17.0.0/16",
  ],
];

test("networks stand in the order that BIRD printed", () => {
  for (const networks of posted) {
    const table = orderTable(networks.toSorted().map((prefix) => route(prefix)));
    assert.deepEqual(
      table.map(({ prefix }) => Prefix.format(prefix)),
      networks,
    );
  }
});

test("of one network the highest preference is first and alone the best; equals keep their order", () => {
  const table = orderTable([
    route("10.0.0.0/24", "kernel1", 10),
    route("10.0.0.0/24", "Mesh_2", 100),
    route("10.0.0.0/24", "Mesh_1", 100),
    route("10.0.0.0/24", "static1", 200),
    route("10.0.0.0/16", "kernel1", 10),
  ]);
  assert.deepEqual(
    table.map(({ prefix, protocol, isBest }) => [prefix.length, protocol, isBest]),
    [
      [16, "kernel1", true],
      [24, "static1", true],
      [24, "Mesh_2", false],
      [24, "Mesh_1", false],
      [24, "kernel1", false],
    ],
  );
});

const prefixes: fc.Arbitrary<string> = fc.oneof(
  fc
    .tuple(fc.bigInt(0n, 0xffffffffn), fc.integer({ min: 0, max: 32 }))
    .map(([value, length]) => Prefix.format(Prefix.of(Ipv4.of(Number(value)), length))),
  fc
    .tuple(fc.bigInt(0n, (1n << 128n) - 1n), fc.integer({ min: 0, max: 128 }))
    .map(([value, length]) => Prefix.format(Prefix.of(Ipv6.of(value), length))),
);

test("any table keeps its routes, holds each network together and has one best route for each", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(prefixes, fc.constantFrom(10, 100, 200)), { maxLength: 60 }), (rows) => {
      const table = orderTable(rows.map(([prefix, preference]) => route(prefix, "p", preference)));
      const keys = table.map(({ prefix }) => Prefix.key(prefix));
      const runs = keys.filter((key, index) => key !== keys[index - 1]);
      assert.equal(table.length, rows.length);
      assert.equal(new Set(runs).size, runs.length);
      assert.equal(table.filter(({ isBest }) => isBest).length, runs.length);
      for (const { prefix } of table) {
        const hash = tableHash(prefix.address);
        assert.ok(hash >= 0 && hash <= 0xffff);
      }
    }),
  );
});

test("the hash takes in every word of an IPv6 address", () => {
  const hash = (text: string): number => tableHash(IpAddress.parse(text) ?? assert.fail(text));
  assert.equal(hash("::"), 0);
  assert.equal(hash("::1"), 1);
  // Equal words undo each other.
  assert.equal(hash("0:1:0:1::"), 0);
  // 20010db8 upon 00000001 is 20010db9: its lower half, its upper half and its middle.
  assert.equal(hash("2001:db8::1"), 0x0db9 ^ 0x2001 ^ 0x010d);
});
