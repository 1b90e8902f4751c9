/** The decision process, one rule at a time: each pair of routes differs in what the rule looks at. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, Ipv4 } from "@caracal/net";
import { addressOf, prefixOf } from "../../test/simulation.ts";
import { prefixWords } from "../wire/nlri.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { AttributeTable } from "./attribute-table.ts";
import { Decision, type DecisionOptions, type PeerFacts } from "./decision.ts";
import { NextHops } from "./next-hops.ts";
import { Rib } from "./rib.ts";

interface Route extends Partial<PathAttributes> {
  readonly path?: readonly number[];
  readonly hop?: string;
}

/** Peers 1 and 2 are external, 3 and 4 internal; identifiers and addresses rise with the number. 0 is ourselves. */
const peers: readonly (PeerFacts | undefined)[] = [
  undefined,
  ...[1, 2, 3, 4].map((number) => ({
    name: `p${number}`,
    address: addressOf(`10.0.0.${number}`),
    external: number <= 2,
    routerId: Ipv4.of(number),
  })),
];

const metrics: Readonly<Record<string, number>> = { "10.9.0.1": 10, "10.9.0.2": 20 };

interface Choice {
  readonly best: number;
  readonly equal: readonly number[];
  /** By peer, the step that its route lost. */
  readonly lost: Readonly<Record<number, string>>;
  readonly ranked: readonly number[];
}

function choose(routes: Readonly<Record<number, Route>>, options: DecisionOptions = {}): Choice {
  const attributes = new AttributeTable();
  const nextHops = new NextHops({
    resolve: (nextHop) => {
      const metric = metrics[IpAddress.format(nextHop)];
      return metric === undefined ? { reachable: false } : { reachable: true, metric, connected: false };
    },
  });
  const decision = new Decision(attributes, nextHops, (index) => peers[index]);
  decision.take(options);
  const rib = new Rib(4, attributes);
  for (const [peer, { path = [1], hop = "10.9.0.1", ...rest }] of Object.entries(routes)) {
    const row = rib.take(prefixWords(prefixOf("10.0.0.0/8")), Number(peer), 0);
    const id = attributes.intern({
      origin: 0,
      asPath: path.length === 0 ? [] : [{ kind: "sequence", asns: path }],
      nextHop: addressOf(hop),
      ...rest,
    });
    rib.setReceived(row, id, 0);
    rib.setAccepted(row, id);
  }
  const best = decision.decide(rib, 1);
  return {
    best: best === 0 ? -1 : rib.rows.peer(best),
    equal: decision.equal.map((row) => rib.rows.peer(row)),
    lost: Object.fromEntries(
      [...decision.explain(rib, 1)].map(([row, reason]) => [rib.rows.peer(row), reason]),
    ),
    ranked: Array.from(decision.ranked(rib, 1), (row) => rib.rows.peer(row)),
  };
}

test("each rule decides when those before it are even", () => {
  assert.equal(choose({}).best, -1);
  assert.equal(choose({ 1: { hop: "10.9.0.9" } }).best, -1, "an unreachable next hop");
  assert.equal(choose({ 0: {}, 1: { localPref: 900 } }).best, 0, "our own first");
  const kept = { communities: [0xffff0006] };
  assert.equal(choose({ 1: { ...kept, localPref: 900 }, 3: { path: [1, 2, 3] } }).best, 3, "LLGR_STALE last");
  assert.equal(choose({ 1: { ...kept, path: [1, 2] }, 3: kept }).best, 3, "among stale ones as ever");
  assert.equal(choose({ 1: {}, 3: { localPref: 101, path: [1, 2, 3] } }).best, 3, "LOCAL_PREF");
  assert.equal(choose({ 1: { path: [1, 2] }, 3: { path: [1] } }).best, 3, "path length");
  assert.equal(choose({ 1: { origin: 2 }, 3: { origin: 1 } }).best, 3, "origin");
  assert.equal(choose({ 1: { med: 5 }, 3: { med: 4 } }).best, 3, "MED of one neighbouring AS");
  assert.equal(
    choose({ 1: { med: 5, path: [7] }, 3: { med: 4, path: [8] } }).best,
    1,
    "MED of two does not count",
  );
  assert.equal(choose({ 1: { med: 1 }, 3: {} }).best, 3, "no MED is the lowest");
  assert.equal(choose({ 2: {}, 3: {} }).best, 2, "external before internal");
  assert.equal(choose({ 3: { hop: "10.9.0.2" }, 4: {} }).best, 4, "interior cost");
  assert.equal(choose({ 1: {}, 2: {} }).best, 1, "identifier");
  assert.equal(choose({ 3: { originatorId: Ipv4.of(9) }, 4: {} }).best, 4, "ORIGINATOR_ID stands for it");
  assert.equal(
    choose({ 3: { originatorId: Ipv4.of(4), clusterList: [Ipv4.of(1)] }, 4: {} }).best,
    4,
    "shorter CLUSTER_LIST",
  );
  assert.equal(choose({ 3: { originatorId: Ipv4.of(4) }, 4: {} }).best, 3, "peer address");
});

test("MED removes a route before others are compared, so the order of arrival does not matter", () => {
  const [a, b, c] = [
    { med: 10, path: [1, 9] },
    { med: 20, path: [2, 9] },
    { med: 5, path: [1, 9], hop: "10.9.0.2" },
  ];
  assert.equal(choose({ 2: a, 3: b, 4: c }).best, choose({ 4: c, 3: b, 2: a }).best);
});

test("routes that are even up to the interior cost share the traffic", () => {
  assert.deepEqual(choose({ 1: { path: [1] }, 2: { path: [2] }, 3: { path: [3] } }).equal, [1, 2]);
  assert.deepEqual(choose({ 3: {}, 4: { med: 1 } }).equal, [3]);
});

test("a route that is not the best tells which step it lost", () => {
  for (const [routes, lost] of [
    [{ 0: {}, 1: {} }, { 1: "not our own" }],
    [{ 1: { communities: [0xffff0006] }, 3: { path: [1, 2] } }, { 1: "long-lived stale" }],
    [{ 1: {}, 2: { localPref: 99 } }, { 2: "local preference" }],
    [{ 1: { path: [1, 2] }, 2: {} }, { 1: "AS path length" }],
    [{ 1: { origin: 2 }, 2: {} }, { 1: "origin" }],
    [{ 1: { med: 1 }, 2: {} }, { 1: "MED" }],
    [{ 1: {}, 3: {} }, { 3: "internal" }],
    [{ 3: {}, 4: { hop: "10.9.0.2" } }, { 4: "interior cost" }],
    [{ 1: {}, 2: {} }, { 2: "router ID" }],
    [{ 3: { originatorId: Ipv4.of(4), clusterList: [Ipv4.of(1)] }, 4: {} }, { 3: "cluster list length" }],
    [{ 3: { originatorId: Ipv4.of(4) }, 4: {} }, { 4: "neighbor address" }],
    [{ 1: {}, 2: { hop: "10.9.0.9" } }, {}],
  ] as const) {
    assert.deepEqual(choose(routes).lost, lost);
  }
  const many = { 1: { path: [1, 2] }, 2: { med: 7 }, 3: { localPref: 1 }, 4: {} };
  assert.deepEqual(choose(many).lost, { 1: "AS path length", 2: "MED", 3: "local preference" });
  assert.deepEqual(choose(many).ranked, [4, 2, 1, 3]);
});

test("MED as the operator wants it", () => {
  const other = { 1: { med: 5, path: [7] }, 2: { med: 4, path: [8] } };
  assert.equal(choose(other).best, 1);
  assert.equal(choose(other, { alwaysCompareMed: true }).best, 2);
  const missing = { 1: {}, 2: { med: 4_294_967_295 } };
  assert.equal(choose(missing).best, 1);
  assert.equal(choose(missing, { missingMedWorst: true }).best, 2);
});

test("as many routes share the traffic as the operator wants, and always the same ones", () => {
  const external = { 2: { path: [2] }, 1: { path: [1] } };
  const internal = { 4: {}, 3: {} };
  assert.deepEqual(choose(external, { multipath: { external: 1 } }).equal, [1]);
  assert.deepEqual(choose(external, { multipath: { internal: 1 } }).equal, [1, 2]);
  assert.deepEqual(choose(internal, { multipath: { internal: 1, external: 8 } }).equal, [3]);
  assert.deepEqual(choose(external, { multipath: { sameAsPath: true } }).equal, [1]);
  assert.deepEqual(choose(internal, { multipath: { sameAsPath: true } }).equal, [3, 4]);
  const own = choose({ 0: {}, ...external }, { multipath: { external: 2 } });
  assert.deepEqual(own.equal, [0]);
});
