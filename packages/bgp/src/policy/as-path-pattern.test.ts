// Aim: expressions over AS paths mean what routers take them to mean, in bounded time. Method: a table of idioms, and
// random expressions against JavaScript's regular expressions on the path's text.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AsPath, type AsSegment } from "../wire/as-path.ts";
import { AsPathPattern, maxPatternLength } from "./as-path-pattern.ts";

function pathOf(...asns: number[]): AsPath {
  return asns.length === 0 ? [] : [{ kind: "sequence", asns }];
}

function matches(text: string, path: AsPath): boolean {
  const pattern = AsPathPattern.parse(text);
  assert.ok(pattern !== undefined, text);
  return pattern.test(path);
}

test("the idioms of network engineers", () => {
  const rows: readonly (readonly [pattern: string, yes: number[][], no: number[][]])[] = [
    ["_65001_", [[65001], [1, 65001], [65001, 1], [1, 65001, 2]], [[], [65_0012], [165001], [1, 2]]],
    ["^65001_", [[65001], [65001, 2]], [[2, 65001], [650011]]],
    ["_65001$", [[65001], [2, 65001]], [[65001, 2], [165001]]],
    [
      "^65001 .*",
      [
        [65001, 1],
        [65001, 1, 2],
      ],
      [[65001], [1, 65001]],
    ],
    ["^65001 65002$", [[65001, 65002]], [[65001], [65001, 65002, 3]]],
    ["^$", [[]], [[1]]],
    [".*", [[], [1]], []],
    ["^[0-9]+$", [[7], [65001]], [[], [1, 2]]],
    ["^[0-9]+( [0-9]+)?$", [[7], [7, 8]], [[], [1, 2, 3]]],
    ["_(65001|65002)_", [[65001], [3, 65002]], [[65003]]],
    ["_6451[2-9]_", [[64512], [64519]], [[64511], [64520]]],
    ["^65001( 65001)*$", [[65001], [65001, 65001]], [[65001, 65002]]],
    ["[^1]", [[2]], [[1], [1111]]],
  ];
  for (const [pattern, yes, no] of rows) {
    for (const asns of yes)
      assert.equal(matches(pattern, pathOf(...asns)), true, `${pattern}: ${asns.join()}`);
    for (const asns of no)
      assert.equal(matches(pattern, pathOf(...asns)), false, `${pattern}: ${asns.join()}`);
  }
});

test("an AS set reads in braces, and `_` borders on them", () => {
  const path: AsPath = [
    { kind: "sequence", asns: [1] },
    { kind: "set", asns: [2, 3] },
  ];
  assert.equal(matches("_2_", path), true);
  assert.equal(matches("_3_$", path), true);
  assert.equal(matches("^1 {2 3}$", path), true);
});

test("what is no expression is refused", () => {
  for (const text of ["", "(", "(1", "1)", "*", "1||2", "[", "[]", "[9-1]", "[1-}]", "x", "()", "1\\d"]) {
    assert.equal(AsPathPattern.parse(text), undefined, text);
  }
  assert.equal(AsPathPattern.parse("1".repeat(maxPatternLength + 1)), undefined);
});

test("a pattern that makes others backtrack for ages ends on the longest path there is", () => {
  const path = pathOf(...Array.from({ length: 2048 }, () => 4_111_111_111));
  assert.equal(matches("^(((1*)*)*)*(4|1| )*(1 ?)*(( *4*1*)*)*2$", path), false);
});

const anyPath: fc.Arbitrary<AsPath> = fc.array(
  fc.record<AsSegment>({
    kind: fc.constantFrom("sequence", "set"),
    asns: fc.array(fc.integer({ min: 1, max: 23 }), { minLength: 1, maxLength: 4 }),
  }),
  { maxLength: 3 },
);
const { expression } = fc.letrec<{ expression: string; atom: string }>((tie) => ({
  atom: fc.oneof(
    {
      weight: 8,
      arbitrary: fc.constantFrom("1", "2", "3", "12", " ", ".", "_", "^", "$", "[12]", "[^1]", "{"),
    },
    { weight: 1, arbitrary: tie("expression").map((inner) => `(${inner})`) },
  ),
  expression: fc
    .array(
      fc.array(
        fc
          .tuple(tie("atom"), fc.constantFrom("", "", "", "*", "+", "?"))
          .map(([atom, sign]) => (sign === "" || atom.length === 1 ? `${atom}${sign}` : `(${atom})${sign}`)),
        { minLength: 1, maxLength: 4 },
      ),
      { minLength: 1, maxLength: 2 },
    )
    .map((options) => options.map((parts) => parts.join("")).join("|")),
}));

/** The same in JavaScript: assertions may not be repeated there, so they are put in groups. */
function inJavaScript(text: string): RegExp {
  const source = text
    .replaceAll(/\[\^1\]/g, "[023456789 {}]")
    .replaceAll("{", "\\{")
    .replaceAll("\\{}", "{}")
    .replaceAll("[023456789 {}]", "[023456789 \\{\\}]")
    .replaceAll("^", "(?:^)")
    .replaceAll("$", "(?:$)")
    .replaceAll("_", "(?:^|[ {}]|$)");
  return new RegExp(source);
}

test("an expression finds what JavaScript's finds", () => {
  fc.assert(
    fc.property(expression, anyPath, (text, path) => {
      assert.equal(matches(text, path), inJavaScript(text).test(AsPath.format(path)), AsPath.format(path));
    }),
    // A fixed seed: the backtracking RegExp that is compared with takes for ever on some expressions, ours never does.
    { numRuns: 1000, seed: Number(process.env["SEED"] ?? 1) },
  );
});
