// Aim: pools are chosen, and refused, as Calico does. Method: a table of requests against three pools.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ipPoolKind } from "@caracal/resources";
import { type Pool, type PoolRequest, selectPools, toPool } from "./pool.ts";

function pool(name: string, cidr: string, spec: Record<string, unknown> = {}): Pool {
  const document = {
    kind: "IPPool",
    apiVersion: "projectcalico.org/v3",
    metadata: { name },
    spec: { cidr, ...spec },
  };
  const reading = ipPoolKind.parse(document, "store");
  assert.ok(reading.kind === "ok", JSON.stringify(reading));
  const found = toPool(reading.value);
  assert.ok(found !== undefined);
  return found;
}

const pools = [
  pool("all", "10.0.0.0/16"),
  pool("manual", "10.1.0.0/16", { assignmentMode: "Manual", blockSize: 28 }),
  pool("off", "10.2.0.0/16", { disabled: true }),
  pool("rack", "10.3.0.0/16", { nodeSelector: "rack == 'r1'" }),
  pool("six", "fd00:10::/64"),
  pool("team", "10.4.0.0/16", { namespaceSelector: "team == 'x'", allowedUses: ["Workload"] }),
  pool("tunnels", "10.5.0.0/16", { allowedUses: ["Tunnel"] }),
];

function choose(request: Partial<PoolRequest>): string {
  const selection = selectPools({ family: 4, node: "n", nodeLabels: {}, use: "Workload", ...request }, pools);
  return selection.kind === "ok" ? selection.pools.map(({ name }) => name).join(" ") : selection.message;
}

test("defaults are Calico's", () => {
  assert.equal(pools[0]?.blockSize, 26);
  assert.equal(pools[1]?.blockSize, 28);
  assert.equal(pools[4]?.blockSize, 122);
  assert.deepEqual(pools[0]?.uses, ["Workload", "Tunnel"]);
});

test("a pool that was stored with blocks it cannot have gives nothing, and says why", () => {
  const reasons = [
    pool("p", "10.0.0.64/27"),
    pool("p", "10.0.0.0/24", { blockSize: 33 }),
    pool("p", "10.0.0.0/8", { blockSize: 19 }),
    pool("p", "fd00::/64", { blockSize: 64 }),
    pool("p", "fd00::/126"),
    pool("p", "10.0.0.0/24", { blockSize: -1 }),
  ].map(({ isEnabled, blockSize, disabledBecause }) => `${isEnabled} /${blockSize} ${disabledBecause}`);
  assert.deepEqual(reasons, [
    "false /26 it is smaller than its blocks of /26",
    "false /26 its blocks of /33 are not between /20 and /32",
    "false /26 its blocks of /19 are not between /20 and /32",
    "false /122 its blocks of /64 are not between /116 and /128",
    "false /122 it is smaller than its blocks of /122",
    "false /26 its blocks of /-1 are not between /20 and /32",
  ]);
  assert.ok(pool("p", "10.0.0.64/32", { blockSize: 32 }).isEnabled);
  assert.ok(pool("p", "fd00::/128", { blockSize: 128 }).isEnabled);
});

test("without names, the selectors, the mode and the use decide, in the order of names", () => {
  assert.equal(choose({}), "all");
  assert.equal(choose({ nodeLabels: { rack: "r1" } }), "all rack");
  assert.equal(choose({ namespaceLabels: { team: "x" } }), "all team");
  assert.equal(choose({ namespaceLabels: { team: "y" } }), "all");
  assert.equal(choose({ use: "Tunnel" }), "all tunnels");
  assert.equal(choose({ family: 6 }), "six");
});

test("named pools are taken in the order named, whatever their selectors say", () => {
  assert.equal(choose({ pools: ["10.3.0.0/16", "manual"] }), "rack manual");
  assert.equal(choose({ pools: ["fd00:10::/64"], family: 6 }), "six");
});

test("a refusal says which pools there are and why each is not for the request", () => {
  assert.equal(
    choose({ pools: ["10.9.0.0/16"] }),
    "the given pool (10.9.0.0/16) does not exist, or is not enabled",
  );
  assert.equal(
    choose({ pools: ["off"] }),
    "the given pool (off) does not exist, or is not enabled (off: it is disabled)",
  );
  assert.equal(
    choose({ pools: ["tunnels"] }),
    "cannot find a qualified ippool, no pools match the required use (Workload) (tunnels: it is for Tunnel)",
  );
  const selection = selectPools(
    { family: 4, node: "n", nodeLabels: {}, use: "Workload" },
    pools.filter(({ name }) => ["manual", "off", "rack", "team"].includes(name)),
  );
  assert.ok(selection.kind === "refused");
  assert.equal(
    selection.message,
    "no configured Calico pools for node n (manual: its assignment mode is Manual; off: it is disabled; " +
      "rack: its nodeSelector is rack == 'r1'; team: its namespaceSelector is team == 'x')",
  );
});

test("a selector that cannot be read selects nothing", () => {
  const broken: Pool = { ...pool("p", "10.6.0.0/16"), nodeSelector: "((" };
  const request = { family: 4, node: "n", nodeLabels: {}, use: "Workload" } as const;
  assert.equal(selectPools(request, [broken]).kind, "refused");
});
