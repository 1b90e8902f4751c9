/**
 * Compiled filters decide as their plain meaning does. Random filters on random routes, both taken from a small world so
 * that they often meet, are compared with an interpreter that shares no code with the compiler; the explanation too.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ipv4, Ipv6, Prefix } from "@caracal/net";
import fc from "fast-check";
import {
  type AsPath,
  type AsPathMatch,
  type Filter,
  type FilterRule,
  type FilterSession,
  type PathAttributes,
  type PolicyRoute,
  type RouteChange,
  type RouteMatch,
  type RouteSource,
  checkFilter,
  compileFilters,
  explainFilter,
} from "../src/index.ts";
import { communityAttributes, interpret } from "./policy-model.ts";
import { seedOf } from "./seeded.ts";
import { addressOf } from "./simulation.ts";

const asn = fc.constantFrom(1, 2, 3, 12, 70_000);
const standard = fc.constantFrom("1:1", "1:2", "2:1");
const large = fc.constantFrom("1:1:1", "1:1:2", "1:2:1", "2:1:1");
const extended = fc.constantFrom("rt:1:1", "rt:1:2", "rt:2:1");
const community = fc.oneof(standard, large, extended);
const communityPattern = fc.oneof(community, fc.constantFrom("1:*", "2:*", "1:*:*", "1:1:*", "rt:1:*"));
const small = fc.nat({ max: 4 });

const path: fc.Arbitrary<AsPath> = fc.array(
  fc.record({
    kind: fc.constantFrom("sequence" as const, "set" as const),
    asns: fc.array(asn, { minLength: 1, maxLength: 3 }),
  }),
  { maxLength: 2 },
);
const prefix = fc.oneof(
  fc
    .tuple(fc.integer({ min: 0x0a000000, max: 0x0a00000f }).map(Ipv4.of), fc.integer({ min: 26, max: 32 }))
    .map(([address, length]) => Prefix.of(address, length)),
  fc
    .tuple(fc.bigInt({ min: 0n, max: 15n }), fc.integer({ min: 122, max: 128 }))
    .map(([low, length]) => Prefix.of(Ipv6.of((0xfd00n << 112n) | low), length)),
);
const prefixPattern = fc
  .tuple(prefix, small, small, fc.constantFrom("", "+", "ge", "le", "both"))
  .map(([outer, low, high, form]) => {
    const longest = outer.family === 4 ? 32 : 128;
    const ge = Math.min(longest, outer.length + low);
    const le = Math.min(longest, ge + high);
    const text = Prefix.format(outer);
    switch (form) {
      case "ge":
        return `${text} ge ${ge}`;
      case "le":
        return `${text} le ${le}`;
      case "both":
        return `${text} ge ${ge} le ${le}`;
      default:
        return `${text}${form}`;
    }
  });
const address = fc.constantFrom("10.0.0.1", "10.0.0.2", "fd00::1");
const range = fc.tuple(fc.option(small, { nil: undefined }), small).map(([min, more]) => ({
  ...(min === undefined ? {} : { min }),
  max: (min ?? 0) + more,
}));
const list = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(one, { minLength: 1, maxLength: 3 });

/** Up to two of some parts: a match of many conditions would never hold. */
function fewOf<T extends object>(...parts: readonly fc.Arbitrary<T>[]): fc.Arbitrary<T> {
  return fc.array(fc.oneof(...parts), { minLength: 1, maxLength: 2 }).map(merged);
}

function merged<T extends object>(parts: readonly T[]): T {
  return Object.assign({}, ...parts);
}

const asPathMatch = fewOf<AsPathMatch>(
  fc.record({ beginsWith: list(asn) }),
  fc.record({ contains: list(asn) }),
  fc.record({ exactly: fc.array(asn, { maxLength: 3 }) }),
  fc.record({ origins: list(asn) }),
  fc.record({ length: range }),
  fc.record({
    pattern: fc.constantFrom("_1_", "^1_", "_2$", "^1 .*", "^$", "_(1|2)_3_", "[12]", "^[0-9]+ [0-9]+$"),
  }),
);
const match = fewOf<RouteMatch>(
  fc.constantFrom<RouteMatch>(
    {},
    { family: 4 },
    { family: 6 },
    { peerType: "iBGP" },
    { peerType: "eBGP" },
    { source: "local" },
    { source: "peers" },
    { sourceType: "iBGP" },
    { sourceType: "eBGP" },
    { sourcePeers: ["a"] },
    { localPref: { min: 100 } },
    { localPref: { max: 99 } },
  ),
  fc.record({ prefixes: list(prefixPattern) }),
  fc.record({ notPrefixes: list(prefixPattern) }),
  fc.record({ asPath: asPathMatch }),
  fc.record({ communities: fc.record({ any: list(communityPattern) }) }),
  fc.record({ communities: fc.record({ all: list(communityPattern), none: list(communityPattern) }) }),
  fc.record({ med: range }),
  fc.record({ nextHops: list(fc.oneof(address, fc.constantFrom("10.0.0.0/31", "fd00::/64"))) }),
);
const set = fewOf<RouteChange>(
  fc.record({ localPref: fc.constantFrom(50, 100, 200) }),
  fc.record({ med: fc.oneof(small, fc.constant("none" as const)) }),
  fc.record({ communities: fc.record({ set: fc.array(community, { maxLength: 2 }) }) }),
  fc.record({ communities: fc.record({ remove: list(communityPattern), add: list(community) }) }),
  fc.record({ prependAsPath: list(asn) }),
  fc.record({ nextHop: address }),
);
const rule: fc.Arbitrary<FilterRule> = fc.oneof(
  fc.record({ match, action: fc.constant("reject" as const) }),
  fc.record({ match, set, action: fc.constantFrom("accept" as const, "continue" as const) }),
);
const filter: fc.Arbitrary<Filter> = fc.record({
  rules: fc.array(rule, { maxLength: 6 }),
  otherwise: fc.constantFrom("accept", "reject", "continue"),
});
const attributes: fc.Arbitrary<PathAttributes> = fc
  .tuple(
    path,
    fc.record({ med: small, localPref: fc.constantFrom(50, 100, 200) }, { requiredKeys: [] }),
    fc.option(address, { nil: undefined }),
    fc.uniqueArray(community, { maxLength: 3 }),
  )
  .map(([asPath, numbers, nextHop, communities]) => ({
    origin: 0,
    asPath,
    ...numbers,
    ...(nextHop === undefined ? {} : { nextHop: addressOf(nextHop) }),
    ...communityAttributes(communities),
  }));
const source: fc.Arbitrary<RouteSource> = fc.oneof(
  fc.constant({ kind: "local" } as const),
  fc.record({
    kind: fc.constant("peer" as const),
    name: fc.constantFrom("a", "b"),
    external: fc.boolean(),
  }),
);
const route: fc.Arbitrary<PolicyRoute> = fc.record({ prefix, attributes, source });
const session: fc.Arbitrary<FilterSession> = fc.record({
  direction: fc.constantFrom("import", "export"),
  peerType: fc.constantFrom("iBGP", "eBGP"),
});
const seed = seedOf(7);

test("a compiled filter decides as its plain meaning does", () => {
  const seen = { accepted: 0, rejected: 0, changed: 0 };
  fc.assert(
    fc.property(
      fc.array(filter, { minLength: 1, maxLength: 3 }),
      session,
      fc.array(route, { minLength: 1, maxLength: 5 }),
      (filters, where, routes) => {
        const policy = compileFilters(filters, where);
        for (const one of routes) {
          const expected = interpret(filters, where, one);
          const found = policy(one);
          assert.deepEqual(found, expected);
          assert.equal(policy(one), found, "the same object again");
          if (found === undefined) seen.rejected += 1;
          else if (found === one.attributes) seen.accepted += 1;
          else seen.changed += 1;
        }
      },
    ),
    { numRuns: 2000, seed },
  );
  assert.ok(
    Math.min(...Object.values(seen)) > 500,
    `the routes met all kinds of rules: ${JSON.stringify(seen)}`,
  );
});

test("an explanation decides as the policy does", () => {
  fc.assert(
    fc.property(filter, session, route, (one, where, asked) => {
      assert.deepEqual(checkFilter(one), []);
      const told = explainFilter(one, asked, where);
      const verdict = told.verdict === "reject" ? undefined : told.attributes;
      assert.deepEqual(verdict, compileFilters([one], where)(asked));
      assert.equal(
        told.trace.at(-1)?.rule,
        told.rule ?? (one.rules.length === 0 ? undefined : one.rules.length - 1),
      );
    }),
    { numRuns: 500, seed },
  );
});
