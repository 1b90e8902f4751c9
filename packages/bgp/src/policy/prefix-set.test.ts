// Aim: a set of prefix patterns answers as each pattern alone would. Method: a table, and random patterns against
// arithmetic on covering and length.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ipv4, Ipv6, Prefix } from "@caracal/net";
import fc from "fast-check";
import { PrefixSet, parsePrefixPattern } from "./prefix-set.ts";

function prefixOf(text: string): Prefix {
  const prefix = Prefix.parse(text);
  assert.ok(prefix !== undefined, text);
  return prefix;
}

function setOf(...texts: string[]): PrefixSet {
  return new PrefixSet(
    texts.map((text) => {
      const pattern = parsePrefixPattern(text);
      assert.ok(pattern !== undefined, text);
      return pattern;
    }),
  );
}

test("a bare prefix is itself only; `le`, `ge` and `+` reach inside it", () => {
  const rows: readonly (readonly [pattern: string, inside: string[], outside: string[]])[] = [
    ["10.0.0.0/8", ["10.0.0.0/8"], ["10.0.0.0/9", "10.0.0.0/7", "11.0.0.0/8", "a00::/8"]],
    ["10.0.0.0/8 le 24", ["10.0.0.0/8", "10.9.9.0/24"], ["10.9.9.0/25", "10.0.0.0/7"]],
    ["10.0.0.0/8 ge 24", ["10.9.9.0/24", "10.9.9.9/32"], ["10.0.0.0/8", "10.9.8.0/23"]],
    ["10.0.0.0/8 ge 16 le 16", ["10.9.0.0/16"], ["10.0.0.0/15", "10.0.0.0/17"]],
    ["10.0.0.0/8+", ["10.0.0.0/8", "10.1.2.3/32"], ["11.0.0.0/8"]],
    ["0.0.0.0/0", ["0.0.0.0/0"], ["0.0.0.0/1", "::/0"]],
    ["0.0.0.0/0+", ["0.0.0.0/0", "1.2.3.4/32"], ["::/0"]],
    ["fd00::/8 le 64", ["fd00::/8", "fd00:1:2:3::/64"], ["fd00:1:2:3::/65", "fc00::/7"]],
    ["::/0 ge 128", ["::1/128"], ["::/127"]],
  ];
  for (const [pattern, inside, outside] of rows) {
    const set = setOf(pattern);
    for (const text of inside) assert.equal(set.has(prefixOf(text)), true, `${text} in ${pattern}`);
    for (const text of outside) assert.equal(set.has(prefixOf(text)), false, `${text} in ${pattern}`);
  }
});

test("a longer pattern does not hide what a shorter one allows", () => {
  const set = setOf("10.0.0.0/8 le 32", "10.1.0.0/16", "10.1.0.0/16 ge 20 le 20");
  assert.equal(set.has(prefixOf("10.1.0.0/17")), true);
  const narrow = setOf("10.0.0.0/8 ge 24 le 24", "10.1.0.0/16");
  assert.equal(narrow.has(prefixOf("10.1.1.0/24")), true);
  assert.equal(narrow.has(prefixOf("10.1.0.0/17")), false);
});

test("what is no pattern is refused", () => {
  for (const text of [
    "",
    "10.0.0.1/8",
    "10.0.0.0/8 le 7",
    "10.0.0.0/8 ge 7",
    "10.0.0.0/8 le 33",
    "10.0.0.0/8 ge 24 le 16",
    "10.0.0.0/8 lt 9",
    "10.0.0.0/8+ le 9",
    "::/0 le 129",
    "ten",
  ]) {
    assert.equal(parsePrefixPattern(text), undefined, text);
  }
});

const anyPrefix = fc
  .oneof(
    fc.tuple(fc.integer({ min: 0x0a000000, max: 0x0a0000ff }).map(Ipv4.of), fc.integer({ min: 20, max: 32 })),
    fc.tuple(
      fc.bigInt({ min: 0n, max: 255n }).map((low) => Ipv6.of((0xfd00n << 112n) | low)),
      fc.integer({ min: 115, max: 128 }),
    ),
  )
  .map(([address, length]) => Prefix.of(address, length));
const anyPattern = fc
  .tuple(anyPrefix, fc.nat({ max: 13 }), fc.nat({ max: 13 }))
  .map(([prefix, low, high]) => {
    const longest = prefix.family === 4 ? 32 : 128;
    const min = Math.min(longest, prefix.length + low);
    return { prefix, min, max: Math.min(longest, min + high) };
  });

test("a set holds exactly what one of its patterns holds", () => {
  fc.assert(
    fc.property(
      fc.array(anyPattern, { maxLength: 20 }),
      fc.array(anyPrefix, { minLength: 1 }),
      (patterns, asked) => {
        const set = new PrefixSet(patterns);
        for (const prefix of asked) {
          const expected = patterns.some(
            (one) =>
              Prefix.covers(one.prefix, prefix) && prefix.length >= one.min && prefix.length <= one.max,
          );
          assert.equal(set.has(prefix), expected, Prefix.format(prefix));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("an address is in a set through the patterns that reach whole lengths", () => {
  const set = setOf("10.0.0.0/8+", "fd00::1/128");
  assert.equal(set.hasAddress(prefixOf("10.2.3.4/32").address), true);
  assert.equal(set.hasAddress(prefixOf("11.2.3.4/32").address), false);
  assert.equal(set.hasAddress(prefixOf("fd00::1/128").address), true);
});
