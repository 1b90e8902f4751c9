// Aim: every match, every change and every action of a filter does what its description says, and what is wrong is found
// where it stands. Method: one rule at a time on made-up routes, as a policy and explained.
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress, Prefix } from "@caracal/net";
import { type PolicyRoute, type RouteSource } from "../export/policy.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { hasChosenNextHop } from "./chosen-next-hop.ts";
import { compileFilters } from "./compile-filters.ts";
import { explainFilter } from "./explain-filter.ts";
import { checkFilter, maxFilterRules } from "./filter-rules.ts";
import { type FilterSession } from "./filter-session.ts";
import { type Filter, FilterError, type FilterRule, type RouteChange, type RouteMatch } from "./filter.ts";

const onExport: FilterSession = { direction: "export", peerType: "eBGP" };
const onImport: FilterSession = { direction: "import", peerType: "iBGP" };
const fromPeer: RouteSource = { kind: "peer", name: "spine", external: true };

function addressOf(text: string): IpAddress {
  const address = IpAddress.parse(text);
  assert.ok(address !== undefined, text);
  return address;
}

function route(
  attributes: Partial<PathAttributes> = {},
  prefixText = "10.1.2.0/24",
  source = fromPeer,
): PolicyRoute {
  const prefix = Prefix.parse(prefixText);
  assert.ok(prefix !== undefined, prefixText);
  return { prefix, attributes: { origin: 0, asPath: [], ...attributes }, source };
}

function path(...asns: number[]): Partial<PathAttributes> {
  return { asPath: [{ kind: "sequence", asns }] };
}

function only(rule: Omit<FilterRule, "action">, action: FilterRule["action"] = "accept"): Filter {
  return { rules: [{ ...rule, action }], otherwise: "reject" };
}

function isAccepted(match: RouteMatch, one: PolicyRoute, session: FilterSession = onExport): boolean {
  assert.deepEqual(checkFilter(only({ match })), []);
  return compileFilters([only({ match })], session)(one) !== undefined;
}

function changed(set: RouteChange, attributes: Partial<PathAttributes>, session = onExport): PathAttributes {
  const filter = only({ set });
  assert.deepEqual(checkFilter(filter), []);
  const one = route(attributes);
  const before = structuredClone(one.attributes);
  const policy = compileFilters([filter], session);
  const after = policy(one);
  assert.ok(after !== undefined);
  assert.equal(policy(one), after, "one object for equal inputs");
  assert.deepEqual(one.attributes, before, "the input is not touched");
  return after;
}

const sets: PathAttributes["asPath"] = [
  { kind: "sequence", asns: [1, 2] },
  { kind: "set", asns: [3, 4] },
];

test("each match tells the routes it means from others", () => {
  const local = route({}, "10.1.2.0/24", { kind: "local" });
  const inner = route({}, "10.1.2.0/24", { kind: "peer", name: "leaf", external: false });
  const rows: readonly (readonly [match: RouteMatch, yes: PolicyRoute, no: PolicyRoute])[] = [
    [{ family: 4 }, route(), route({}, "fd00::/64")],
    [{ family: 6 }, route({}, "fd00::/64"), route()],
    [{ prefixes: ["10.0.0.0/8 le 24"] }, route(), route({}, "10.1.2.0/25")],
    [{ prefixes: ["9.0.0.0/8", "10.1.2.0/24"] }, route(), route({}, "10.1.0.0/16")],
    [{ notPrefixes: ["10.0.0.0/8+"] }, route({}, "11.0.0.0/8"), route()],
    [{ asPath: { beginsWith: [1, 2] } }, route({ asPath: sets }), route(path(2, 1))],
    [{ asPath: { beginsWith: [1, 2, 4] } }, route({ asPath: sets }), route(path(1, 2))],
    [{ asPath: { contains: [2, 3] } }, route({ asPath: sets }), route(path(2, 1, 3))],
    [{ asPath: { exactly: [1, 2, 3] } }, route({ asPath: sets }), route(path(1, 2, 3, 4))],
    [{ asPath: { exactly: [] } }, route(), route(path(1))],
    [{ asPath: { origins: [7, 8] } }, route(path(1, 8)), route(path(8, 1))],
    [{ asPath: { origins: [4] } }, route(path(4)), route({ asPath: sets })],
    [{ asPath: { length: { min: 3, max: 3 } } }, route({ asPath: sets }), route(path(1, 2, 3, 4))],
    [{ asPath: { pattern: "_65001_" } }, route(path(1, 65001)), route(path(650011))],
    [{ communities: { any: ["1:1", "1:2"] } }, route({ communities: [0x10002] }), route()],
    [
      { communities: { all: ["1:1", "1:2:3"] } },
      route({ communities: [0x10001], largeCommunities: [[1, 2, 3]] }),
      route({ communities: [0x10001] }),
    ],
    [
      { communities: { none: ["1:*"] } },
      route({ communities: [0x20001] }),
      route({ communities: [0x10001] }),
    ],
    [
      { communities: { any: ["rt:1:2"] } },
      route({ extendedCommunities: [0x0002000100000002n] }),
      route({ communities: [0x10002] }),
    ],
    [{ localPref: { min: 200 } }, route({ localPref: 200 }), route({ localPref: 199 })],
    [{ localPref: { min: 100, max: 100 } }, route(), route({ localPref: 101 })],
    [{ med: { max: 0 } }, route(), route({ med: 1 })],
    [
      { nextHops: ["192.0.2.0/24", "fd00::1"] },
      route({ nextHop: addressOf("192.0.2.9") }),
      route({ nextHop: addressOf("192.0.3.9") }),
    ],
    [{ nextHops: ["fd00::1"] }, route({ nextHop: addressOf("fd00::1") }), route()],
    [{ source: "local" }, local, route()],
    [{ source: "peers" }, route(), local],
    [{ sourcePeers: ["spine"] }, route(), inner],
    [{ sourceType: "eBGP" }, route(), inner],
    [{ sourceType: "iBGP" }, inner, local],
    [{ source: "peers", prefixes: ["10.1.2.0/24"], asPath: { contains: [5] } }, route(path(5)), route()],
  ];
  for (const [match, yes, no] of rows) {
    assert.equal(isAccepted(match, yes), true, JSON.stringify(match));
    assert.equal(isAccepted(match, no), false, JSON.stringify(match));
  }
});

test("the peer type is that of the session, whoever the route came from", () => {
  assert.equal(isAccepted({ peerType: "eBGP" }, route(), onExport), true);
  assert.equal(isAccepted({ peerType: "eBGP" }, route(), onImport), false);
  assert.equal(isAccepted({ peerType: "iBGP" }, route(), onImport), true);
});

test("an interface is the link of the next hop, with wildcards; without one nothing matches", () => {
  const linked = (link: string | undefined): FilterSession => ({ ...onExport, linkOf: () => link });
  assert.equal(isAccepted({ interfaces: ["eth0", "bond*"] }, route(), linked("bond1")), true);
  assert.equal(isAccepted({ interfaces: ["eth?"] }, route(), linked("eth0")), true);
  assert.equal(isAccepted({ interfaces: ["eth?"] }, route(), linked("eth10")), false);
  assert.equal(isAccepted({ interfaces: ["eth.1"] }, route(), linked("eth01")), false);
  assert.equal(isAccepted({ interfaces: ["*"] }, route(), linked(undefined)), false);
  assert.equal(isAccepted({ interfaces: ["*"] }, route(), onExport), false);
});

test("each change makes new attributes and leaves the old", () => {
  const rows: readonly (readonly [RouteChange, Partial<PathAttributes>, Partial<PathAttributes>])[] = [
    [{ localPref: 200 }, {}, { localPref: 200 }],
    [{ med: 5 }, { med: 4 }, { med: 5 }],
    [{ med: "none" }, { med: 4 }, {}],
    [{ prependAsPath: [7, 8] }, path(9), path(7, 8, 9)],
    [{ prependAsPath: [7] }, {}, path(7)],
    [
      { communities: { add: ["1:2", "1:1"] } },
      { communities: [0x10001] },
      { communities: [0x10001, 0x10002] },
    ],
    [
      { communities: { add: ["rt:1:2", "1:2:3"] } },
      {},
      { extendedCommunities: [0x0002000100000002n], largeCommunities: [[1, 2, 3]] },
    ],
    [
      { communities: { remove: ["1:*", "rt:1:2", "1:2:*"] } },
      {
        communities: [0x10001, 0x20001],
        extendedCommunities: [0x0002000100000002n],
        largeCommunities: [[1, 2, 3]],
      },
      { communities: [0x20001] },
    ],
    [
      { communities: { set: ["1:1"] } },
      { communities: [0x20001], largeCommunities: [[1, 2, 3]] },
      { communities: [0x10001] },
    ],
    [{ communities: { set: [] } }, { communities: [0x20001] }, {}],
    [
      { communities: { remove: ["1:*"], add: ["1:9"] } },
      { communities: [0x10001, 0x10009] },
      { communities: [0x10009] },
    ],
    [{ nextHop: "self" }, { nextHop: addressOf("192.0.2.1"), linkLocalNextHop: addressOf6("fe80::1") }, {}],
    [{ nextHop: "192.0.2.2" }, { nextHop: addressOf("192.0.2.1") }, { nextHop: addressOf("192.0.2.2") }],
    [{ nextHop: "keep" }, { nextHop: addressOf("192.0.2.1") }, { nextHop: addressOf("192.0.2.1") }],
  ];
  for (const [set, before, after] of rows) {
    assert.deepEqual(changed(set, before), { origin: 0, asPath: [], ...after }, JSON.stringify(set));
  }
});

function addressOf6(text: string): IpAddress & bigint {
  const address = addressOf(text);
  assert.ok(IpAddress.isIpv6(address));
  return address;
}

test("a change that changes nothing gives the same object", () => {
  const one = route({ localPref: 200, communities: [0x10001] });
  const set: RouteChange = { localPref: 200, med: "none", communities: { remove: ["2:*"], add: ["1:1"] } };
  assert.equal(compileFilters([only({ set })], onExport)(one), one.attributes);
});

test("a next hop that a filter chose for a peer is marked, also when a later rule changes more", () => {
  assert.equal(hasChosenNextHop(changed({ nextHop: "keep" }, {})), true);
  assert.equal(hasChosenNextHop(changed({ nextHop: "192.0.2.2" }, {})), true);
  assert.equal(hasChosenNextHop(changed({ nextHop: "self" }, {})), false);
  assert.equal(hasChosenNextHop(changed({ nextHop: "192.0.2.2" }, {}, onImport)), false);
  const filter: Filter = {
    rules: [
      { set: { nextHop: "192.0.2.2" }, action: "continue" },
      { set: { med: 1 }, action: "accept" },
    ],
    otherwise: "reject",
  };
  const after = compileFilters([filter], onExport)(route());
  assert.ok(after !== undefined);
  assert.equal(hasChosenNextHop(after), true);
});

test("on import, self and keep say nothing", () => {
  const one = route({ nextHop: addressOf("192.0.2.1") });
  for (const nextHop of ["self", "keep"]) {
    assert.equal(compileFilters([only({ set: { nextHop } })], onImport)(one), one.attributes);
  }
});

test("the first rule that accepts or rejects decides; continue changes and goes on", () => {
  const filter: Filter = {
    rules: [
      { match: { localPref: { max: 100 } }, set: { localPref: 300 }, action: "continue" },
      { match: { localPref: { min: 300 } }, set: { med: 1 }, action: "accept" },
      { action: "reject" },
    ],
    otherwise: "accept",
  };
  const policy = compileFilters([filter], onExport);
  assert.deepEqual(policy(route()), { origin: 0, asPath: [], localPref: 300, med: 1 });
  assert.equal(policy(route({ localPref: 200 })), undefined);
});

test("filters stand in a row: what one leaves open goes to the next, then to the last policy", () => {
  const mark = (community: string, otherwise: Filter["otherwise"]): Filter => ({
    rules: [{ set: { communities: { add: [community] } }, action: "continue" }],
    otherwise,
  });
  const seen = compileFilters([mark("1:1", "continue"), mark("1:2", "continue")], onExport, (one) => ({
    ...one.attributes,
    med: 9,
  }))(route());
  assert.deepEqual(seen, { origin: 0, asPath: [], communities: [0x10001, 0x10002], med: 9 });
  assert.equal(compileFilters([mark("1:1", "reject"), mark("1:2", "accept")], onExport)(route()), undefined);
  assert.deepEqual(compileFilters([mark("1:1", "accept"), mark("1:2", "reject")], onExport)(route()), {
    origin: 0,
    asPath: [],
    communities: [0x10001],
  });
  const last = (): undefined => undefined;
  assert.equal(compileFilters([], onExport, last), last);
});

test("an explanation names the rule that decided and the condition that stopped the others", () => {
  const filter: Filter = {
    rules: [
      { name: "customers", match: { prefixes: ["10.0.0.0/8"], med: { max: 3 } }, action: "reject" },
      { match: { asPath: { pattern: "_7_" }, med: { min: 1 } }, set: { localPref: 5 }, action: "accept" },
    ],
    otherwise: "continue",
  };
  const told = explainFilter(filter, route({ ...path(7), med: 2 }), onExport);
  assert.equal(told.verdict, "accept");
  assert.equal(told.rule, 1);
  assert.equal(told.attributes.localPref, 5);
  assert.deepEqual(told.trace, [
    {
      rule: 0,
      name: "customers",
      conditions: [{ field: "prefixes", wanted: "10.0.0.0/8", found: "10.1.2.0/24", holds: false }],
      outcome: "pass",
    },
    {
      rule: 1,
      conditions: [
        { field: "med", wanted: "1 to 4294967295", found: "2", holds: true },
        { field: "asPath.pattern", wanted: "_7_", found: "7", holds: true },
      ],
      outcome: "accept",
    },
  ]);
  const open = explainFilter(filter, route(), onExport);
  assert.equal(open.verdict, "continue");
  assert.equal(open.rule, undefined);
});

test("what is wrong with a filter is named with its path, and the filter does not compile", () => {
  const filter: Filter = {
    rules: [
      {
        match: {
          prefixes: ["10.0.0.0/8", "10.0.0.1/8"],
          notPrefixes: [],
          asPath: { beginsWith: [0], contains: [], pattern: "(", length: { min: 2, max: 1 } },
          communities: { any: ["1:2:3:4"] },
          localPref: { min: -1 },
          nextHops: ["x"],
          interfaces: ["eth0/1"],
          sourcePeers: [],
        },
        action: "accept",
      },
      {
        set: { med: 1.5, communities: { add: ["1:*"] }, nextHop: "me", prependAsPath: [] },
        action: "accept",
      },
      { set: { med: 1 }, action: "reject" },
    ],
    otherwise: "accept",
  };
  assert.deepEqual(
    checkFilter(filter).map(({ path: at, found }) => `${at} ${found}`),
    [
      "rules[0].match.sourcePeers an empty list",
      'rules[0].match.prefixes[1] "10.0.0.1/8"',
      "rules[0].match.notPrefixes an empty list",
      "rules[0].match.localPref.min -1",
      'rules[0].match.communities.any[0] "1:2:3:4"',
      "rules[0].match.asPath.length 2 to 1",
      "rules[0].match.asPath.beginsWith[0] 0",
      "rules[0].match.asPath.contains an empty list",
      'rules[0].match.asPath.pattern "("',
      'rules[0].match.nextHops[0] "x"',
      'rules[0].match.interfaces[0] "eth0/1"',
      "rules[1].set.med 1.5",
      'rules[1].set.communities.add[0] "1:*"',
      "rules[1].set.prependAsPath an empty list",
      'rules[1].set.nextHop "me"',
      "rules[2].set a change of a route that is rejected",
    ],
  );
  assert.throws(() => compileFilters([filter], onExport), FilterError);
  const long: Filter = {
    rules: Array.from({ length: maxFilterRules + 1 }, () => ({ action: "accept" as const })),
    otherwise: "accept",
  };
  assert.deepEqual(
    checkFilter(long).map(({ path: at }) => at),
    ["rules"],
  );
});

test("a filter is the same after a journey as JSON", () => {
  const filter: Filter = {
    rules: [{ match: { prefixes: ["fd00::/8+"] }, set: { nextHop: "fd00::1" }, action: "accept" }],
    otherwise: "reject",
  };
  assert.deepEqual(JSON.parse(JSON.stringify(filter)), filter);
});
