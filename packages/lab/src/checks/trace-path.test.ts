/**
 * Aim: packets are followed through the kernels' tables to a pod or to where they end, and routes are found by patterns.
 * Method: two nodes behind a leaf, as plain data.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, Prefix } from "@caracal/net";
import type { Forwarding, KernelRoute } from "./forwarding.ts";
import { matchRoute } from "./match-routes.ts";
import { parseRoutePattern } from "./route-pattern.ts";
import { describeTrace, tracePath } from "./trace-path.ts";

const pools = { pool: prefixOf("10.244.0.0/16"), pool6: prefixOf("fd00:10:244::/56") };

function prefixOf(text: string): Prefix {
  const prefix = Prefix.parse(text);
  assert.ok(prefix !== undefined);
  return prefix;
}

function route(
  destination: string,
  device: string,
  gateway?: string,
  more: Partial<KernelRoute> = {},
): KernelRoute {
  const hop = { interface: device, ...(gateway === undefined ? {} : { gateway }) };
  return {
    destination: prefixOf(destination),
    kind: "unicast",
    metric: 0,
    protocol: "bird",
    hops: [hop],
    ...more,
  };
}

const blackhole = (destination: string): KernelRoute =>
  route(destination, "", undefined, { kind: "blackhole", hops: [] });

function forwarding(ofLeaf: readonly KernelRoute[]): Forwarding {
  return new Map([
    [
      "a",
      {
        addresses: ["10.0.0.1"],
        routes: [
          route("0.0.0.0/0", "eth0", "10.0.0.254", { protocol: "boot" }),
          route("10.0.0.0/24", "eth0"),
          blackhole("10.244.1.0/26"),
          blackhole("fd00:10:244:1::/122"),
          route("10.244.1.1/32", "cali1"),
        ],
      },
    ],
    ["b", { addresses: ["30.0.0.1"], routes: [blackhole("10.244.2.0/26"), route("10.244.2.1/32", "cali2")] }],
    ["leaf", { addresses: ["10.0.0.254", "30.0.0.254"], routes: ofLeaf }],
  ]);
}

function traced(tables: Forwarding, address: string): string {
  const parsed = IpAddress.parse(address);
  assert.ok(parsed !== undefined);
  const trace = tracePath(tables, "a", parsed);
  return `${trace.kind}: ${describeTrace(trace)}`;
}

test("packets are delivered, or lost with a reason, at the place where they are", () => {
  const routed = forwarding([route("10.244.2.0/26", "swp2", "30.0.0.1")]);
  assert.equal(traced(routed, "10.244.1.1"), "delivered: a");
  assert.equal(traced(routed, "10.244.2.1"), "delivered: a → leaf → b");
  assert.equal(traced(routed, "10.244.2.2"), "lost: a → leaf → b: blackhole");
  assert.equal(traced(routed, "10.0.0.9"), "lost: a: no pod on eth0");
  assert.equal(traced(forwarding([]), "10.244.2.1"), "lost: a → leaf: no route");
  const nowhere = forwarding([route("10.244.0.0/16", "swp2", "30.0.0.77")]);
  assert.equal(traced(nowhere, "10.244.2.1"), "lost: a → leaf: 30.0.0.77 is no node and no switch");
  const loop = forwarding([route("0.0.0.0/0", "swp1", "10.0.0.254")]);
  assert.match(traced(loop, "10.244.2.1"), /^lost: a → leaf → leaf → .*: a loop$/);
});

test("the longest prefix wins, of two alike the smaller metric", () => {
  const tables = forwarding([
    route("10.244.2.0/26", "swp1", "10.0.0.1", { metric: 20 }),
    route("10.244.2.0/26", "swp2", "30.0.0.1", { metric: 10 }),
    route("10.244.0.0/16", "swp1", "10.0.0.1"),
  ]);
  assert.equal(traced(tables, "10.244.2.1"), "delivered: a → leaf → b");
});

const tables = forwarding([route("10.244.2.0/26", "swp2", "30.0.0.1", { protocol: "bgp" })]);
const PATTERNS: readonly (readonly [on: string, pattern: string, ok: boolean])[] = [
  ["a", "default via 10.0.0.254 dev eth0", true],
  ["a", "default via 10.0.0.253", false],
  ["a", "blackhole <block a> proto bird", true],
  ["a", "<block a> proto kernel", false],
  ["a", "no <block b>", true],
  ["a", "blackhole <block6 a> proto bird", true],
  ["a", "blackhole fd00:10:244:1:0::/122 proto bird", true],
  ["a", "<block6 a> via fc00::1", false],
  ["a", "no fd00:10:244::/56", false],
  ["a", "no ::/0", true],
  ["a", "no <block a>", false],
  ["a", "no default", false],
  ["leaf", "<block b> via 30.0.0.1 dev swp2 proto bgp", true],
  ["leaf", "<block b> via 30.0.0.1 dev swp1", false],
  ["leaf", "<block b> dev swp2", true],
  ["leaf", "<block b> via 30.0.0.1 dev swp2 onlink", false],
  ["leaf", "blackhole <block b>", false],
  ["leaf", "<block a>", false],
  ["leaf", "<block leaf>", false],
  ["leaf", "no 10.244.0.0/16", false],
  ["leaf", "no 10.245.0.0/16", true],
  ["leaf", "no default", true],
];

for (const [on, text, ok] of PATTERNS) {
  test(`on ${on}, ${text}: ${ok ? "seen" : "not seen"}`, () => {
    const pattern = parseRoutePattern(text);
    assert.ok(pattern !== undefined);
    assert.equal(matchRoute(tables, pools, on, pattern).ok, ok);
  });
}

test("what was there is told", () => {
  const pattern = parseRoutePattern("no 10.244.0.0/16");
  assert.ok(pattern !== undefined);
  assert.deepEqual(matchRoute(tables, pools, "leaf", pattern), {
    on: "leaf",
    expected: "no 10.244.0.0/16",
    ok: false,
    found: ["10.244.2.0/26 via 30.0.0.1 dev swp2 proto bgp"],
  });
});

test("lines that are no routes are not taken", () => {
  for (const text of ["", "no", "via 10.0.0.1", "10.244.0.1/16", "10.0.0.0/24 over 10.0.0.1", "<block >"]) {
    assert.equal(parseRoutePattern(text), undefined, text);
  }
});
