// Aim: BGPFilters say in the speaker's terms what Calico's BIRD functions say. Method: a table of rules, one field at a
// time, and a node whose peers name filters.
import assert from "node:assert/strict";
import { test } from "node:test";
import { apiVersion, type BgpFilter, type BgpFilterRule } from "@caracal/resources";
import { affinity, cluster, input, node, peer, pod, pool } from "../test/scenario.ts";
import { type FilterRuleIntent, peerFilterOf } from "./peer-filters.ts";
import { nodeIntent } from "./node-intent.ts";

function filter(name: string, spec: BgpFilter["spec"]): BgpFilter {
  return { kind: "BGPFilter", apiVersion, metadata: { name }, spec };
}

function converted(rule: Omit<BgpFilterRule, "action">): readonly FilterRuleIntent[] {
  return peerFilterOf(filter("f", { importV4: [{ ...rule, action: "Accept" }] })).import[4].rules;
}

test("each condition of a rule becomes a match", () => {
  const cidr = "10.0.0.0/8";
  const rows: readonly (readonly [Omit<BgpFilterRule, "action">, FilterRuleIntent["match"] | undefined])[] = [
    [{}, {}],
    [{ cidr, matchOperator: "Equal" }, { prefixes: [cidr] }],
    [{ cidr, matchOperator: "NotEqual" }, { notPrefixes: [cidr] }],
    [{ cidr, matchOperator: "In" }, { prefixes: [`${cidr} ge 8 le 32`] }],
    [{ cidr, matchOperator: "NotIn" }, { notPrefixes: [`${cidr} ge 8 le 32`] }],
    [
      { cidr, matchOperator: "In", prefixLength: { min: 16, max: 24 } },
      { prefixes: [`${cidr} ge 16 le 24`] },
    ],
    [{ cidr, matchOperator: "In", prefixLength: { min: 4 } }, { prefixes: [`${cidr} ge 8 le 32`] }],
    [{ cidr, matchOperator: "NotIn", prefixLength: { max: 9 } }, { notPrefixes: [`${cidr} ge 8 le 9`] }],
    [{ cidr, matchOperator: "In", prefixLength: { max: 4 } }, undefined],
    [{ cidr, matchOperator: "NotIn", prefixLength: { max: 4 } }, {}],
    [{ cidr, matchOperator: "Equal", prefixLength: { min: 8 } }, undefined],
    [{ cidr, matchOperator: "NotEqual", prefixLength: { min: 8 } }, {}],
    [{ source: "RemotePeers" }, { source: "peers" }],
    [{ interface: "eth*" }, { interfaces: ["eth*"] }],
    [{ peerType: "eBGP" }, { peerType: "eBGP" }],
    [{ communities: { values: ["65001:0100"] } }, { communities: { any: ["65001:100"] } }],
    [{ communities: { values: ["1:2:3"] } }, { communities: { any: ["1:2:3"] } }],
    [{ asPathPrefix: [65001, 65002] }, { asPath: { beginsWith: [65001, 65002] } }],
    [{ asPathPrefix: [] }, {}],
    [{ asPathPrefix: [0] }, undefined],
    [{ priority: 1 }, { localPref: { min: 2147483646, max: 2147483646 } }],
    [
      { cidr, matchOperator: "Equal", source: "RemotePeers", peerType: "iBGP" },
      { prefixes: [cidr], source: "peers", peerType: "iBGP" },
    ],
  ];
  for (const [rule, match] of rows) {
    const expected = match === undefined ? [] : [{ match, action: "accept" }];
    assert.deepEqual(converted(rule), expected, JSON.stringify(rule));
  }
});

test("operations become one change, with the path as if they were done one by one", () => {
  const operations = [
    { addCommunity: { value: "65001:1" } },
    { prependASPath: { prefix: [1, 2] } },
    { setPriority: { value: 512 } },
    { prependASPath: { prefix: [3] } },
    { addCommunity: { value: "65001:1:2" } },
    { setPriority: { value: 100 } },
  ];
  assert.deepEqual(converted({ operations }), [
    {
      match: {},
      set: {
        communities: { add: ["65001:1", "65001:1:2"] },
        prependAsPath: [3, 1, 2],
        localPref: 2147483547,
      },
      action: "accept",
    },
  ]);
});

test("families and directions have rules of their own, and what none decides goes on", () => {
  const found = peerFilterOf(
    filter("f", {
      exportV4: [{ action: "Reject" }],
      importV6: [{ cidr: "fd00::/8", matchOperator: "In", action: "Accept" }],
    }),
  );
  assert.deepEqual(found.export, {
    4: { rules: [{ match: {}, action: "reject" }], otherwise: "continue" },
    6: { rules: [], otherwise: "continue" },
  });
  assert.deepEqual(found.import, {
    4: { rules: [], otherwise: "continue" },
    6: {
      rules: [{ match: { prefixes: ["fd00::/8 ge 8 le 128"] }, action: "accept" }],
      otherwise: "continue",
    },
  });
});

test("the normal priority is that of a node's own routes, which are told without one", () => {
  const { export: rules } = peerFilterOf(filter("f", { exportV4: [{ priority: 1024, action: "Reject" }] }));
  const localPref = 2147483647 - 1024;
  assert.deepEqual(rules[4].rules, [
    { match: { localPref: { min: localPref, max: localPref } }, action: "reject" },
    { match: { source: "local" }, action: "reject" },
  ]);
});

const nodes = [node("a", { ipv4Address: "10.0.0.1/24" }), node("b", { ipv4Address: "10.0.0.2/24" })];
const parts = {
  nodes,
  pools: [pool("p", "10.244.0.0/16")],
  bgpPeers: [peer("tor", { peerIP: "10.0.0.254", asNumber: 65001, filters: ["second", "first", "gone"] })],
};
const local = {
  affinities: [affinity("a", "10.244.1.0/26")],
  endpoints: [pod("a", "p", "10.244.1.5/32")],
};

test("a node has the filters that its peers name, and says which are missing", () => {
  const first = filter("first", { importV4: [{ action: "Accept" }] });
  const second = filter("second", {
    exportV4: [{ cidr: "10.0.0.0/8", matchOperator: "Equal", prefixLength: { min: 9 }, action: "Reject" }],
  });
  const unused = filter("unused", {});
  const resources = cluster({ ...parts, bgpFilters: [second, unused, first] });
  const intent = nodeIntent(input("a", resources, local));
  assert.deepEqual(
    intent.bgp?.filters.map(({ name }) => name),
    ["first", "second"],
  );
  assert.equal(intent.bgp?.filters[0], peerFilterOf(first), "worked out once");
  assert.deepEqual(intent.problems, [
    {
      about: "BGPFilter(second)",
      message: "exportV4[0] has prefixLength with Equal, which matches no route: use In or NotIn",
    },
    { about: "BGPPeer(tor)", message: "names the BGPFilter gone, which does not exist" },
  ]);
  assert.deepEqual(
    intent.bgp?.origins.map(({ kind }) => kind),
    ["block"],
  );
});

test("where a filter may let pods out, they are there to be let out", () => {
  const open = filter("first", { exportV4: [{ action: "Accept" }] });
  const intent = nodeIntent(input("a", cluster({ ...parts, bgpFilters: [open] }), local));
  assert.deepEqual(
    intent.bgp?.origins.map(({ kind, interfaceName }) => [kind, interfaceName]),
    [
      ["block", undefined],
      ["pod", "calip"],
    ],
  );
});
