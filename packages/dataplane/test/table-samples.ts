import fc from "fast-check";
import type { NftChain, NftRule, NftTable } from "../src/index.ts";

/** What differs between the tests' tables; absent parts have no rule that names them. */
export interface TableParts {
  readonly pools?: readonly string[];
  readonly nats?: Readonly<Record<string, string>>;
  readonly more?: readonly NftRule[];
}

/** A table like ours: a set, a map, a chain that packets enter and one that it jumps to. */
export function table({ pools, nats, more = [] }: TableParts): NftTable {
  const sets = [
    ...(pools === undefined
      ? []
      : [
          {
            name: "pools",
            keyType: "ipv4_addr",
            isInterval: true,
            elements: new Map(pools.map((pool) => [pool, ""])),
          },
        ]),
    ...(nats === undefined
      ? []
      : [
          {
            name: "nats",
            keyType: "ipv4_addr",
            valueType: "ipv4_addr",
            elements: new Map(Object.entries(nats)),
          },
        ]),
  ];
  const rules = [
    ...(pools === undefined ? [] : [{ text: "ip saddr @pools masquerade", comment: "pools" }]),
    ...more,
  ];
  const post: NftChain = {
    name: "post",
    base: { type: "nat", hook: "postrouting", priority: 110 },
    rules: rules.length === 0 ? [] : [{ text: "jump out" }],
  };
  const out: readonly NftChain[] = rules.length === 0 ? [] : [{ name: "out", rules }];
  return { family: "ip", name: "t", sets, chains: [post, ...out] };
}

/** Any such table. */
export function anyTable(): fc.Arbitrary<NftTable> {
  const pool = fc.integer({ min: 0, max: 5 }).map((index) => `10.${index}.0.0/16`);
  const nat = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }));
  const rule = fc.record(
    { text: fc.constantFrom("drop", "accept", "notrack"), comment: fc.constantFrom("a", "b") },
    { requiredKeys: ["text"] },
  );
  return fc
    .record(
      {
        pools: fc.uniqueArray(pool),
        nats: fc
          .array(nat)
          .map((pairs) => Object.fromEntries(pairs.map(([a, b]) => [`192.0.2.${a}`, `10.0.0.${b}`]))),
        more: fc.array(rule, { maxLength: 3 }),
      },
      { requiredKeys: [] },
    )
    .map(table);
}
