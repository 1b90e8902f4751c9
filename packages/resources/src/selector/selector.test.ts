/**
 * Aim: selectors parse, print and match as Calico's do, and a wrong one says where and why.
 * Method: the grammar's cases one by one, then random selectors printed and read back, and random text that must not throw.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { selector as anySelector } from "../../test/arbitraries.ts";
import { matchesSelector } from "./evaluate.ts";
import { formatSelector } from "./format.ts";
import { parseSelector } from "./parse.ts";

function canonical(text: string): string {
  const parsed = parseSelector(text);
  return parsed.kind === "ok" ? formatSelector(parsed.selector) : `error: ${parsed.error.message}`;
}

test("text is brought into canonical form", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["", "all()"],
    [" \t", "all()"],
    ["a=='b'", 'a == "b"'],
    ['a != "it\'s"', 'a != "it\'s"'],
    [`a == 'say "x"'`, `a == 'say "x"'`],
    ["a in {'y','x','y',}", 'a in {"x", "y"}'],
    ["a in {}", "a in {}"],
    ["a notin{'x'}", 'a not in {"x"}'],
    ["a not  in {'x'}", 'a not in {"x"}'],
    ["a contains 'x'", 'a contains "x"'],
    ["a startswith 'x'", 'a starts with "x"'],
    ["a ends with'x'", 'a ends with "x"'],
    ["!!has(a)", "has(a)"],
    ["!!!has(a)", "!has(a)"],
    ["!(!has(a))", "has(a)"],
    ["! all()", "!all()"],
    ["a=='1' || b=='2' && c=='3'", '(a == "1" || (b == "2" && c == "3"))'],
    ["(a=='1' || b=='2') && c=='3'", '((a == "1" || b == "2") && c == "3")'],
    ["has(a) && has(b) && has(c)", "(has(a) && has(b) && has(c))"],
    ["in in {'x'}", 'in in {"x"}'],
    ["has == 'x'", 'has == "x"'],
    ["projectcalico.org/namespace == 'default'", 'projectcalico.org/namespace == "default"'],
    ["global()", "global()"],
  ];
  for (const [text, expected] of cases) assert.equal(canonical(text), expected, text);
});

test("a wrong selector says where and why in one line", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["a = 'b'", /expected an operator after the label a.* at position 3, found "= 'b'"/],
    ["a == b", /expected a quoted text at position 6, found "b"/],
    ["a == 'b", /the quoted text does not end at position 6/],
    ["a ==", /expected a quoted text at position 5, the selector ends there/],
    ["has(a", /expected \) after the label of has\( at position 6/],
    ["(a == 'b'", /expected \) at position 10/],
    ["a == 'b' b == 'c'", /expected && or \|\| or the end at position 10/],
    ["a == 'b' &&", /expected a label.* at position 12/],
    ["a in ['x']", /expected \{ at position 6/],
    ["a in {'x' 'y'}", /expected , or \} in the set/],
    ["a inside {'x'}", /expected an operator/],
    ["a == 'b'\n", /expected && or \|\| or the end/],
    ["ALL()", /expected an operator after the label ALL/],
    [`${"(".repeat(600)}all()`, /more than 512 parentheses are open/],
    [`has(${"x".repeat(513)})`, /more than 512 characters/],
  ];
  for (const [text, expected] of cases) {
    const parsed = parseSelector(text);
    assert.equal(parsed.kind, "bad", text);
    if (parsed.kind !== "bad") continue;
    assert.match(parsed.error.message, expected);
    assert.doesNotMatch(parsed.error.message, /\n/);
  }
});

test("whatever fits into a resource's selector is parsed, however deep", () => {
  for (const depth of [100, 509]) {
    const text = `${"(".repeat(depth)}all()${")".repeat(depth)}`;
    assert.equal(canonical(text), "all()");
    assert.equal(
      canonical(`${"!(".repeat(depth)}has(a)${")".repeat(depth)}`),
      depth % 2 === 0 ? "has(a)" : "!has(a)",
    );
  }
});

test("operators treat an absent label as Calico does", () => {
  const matches = (text: string, labels: Record<string, string>): boolean => {
    const parsed = parseSelector(text);
    assert.equal(parsed.kind, "ok", text);
    return parsed.kind === "ok" && matchesSelector(parsed.selector, labels);
  };
  const present = { a: "xyz" };
  for (const [text, whenPresent, whenAbsent] of [
    ["a == 'xyz'", true, false],
    ["a != 'xyz'", false, true],
    ["a != 'q'", true, true],
    ["a in {'xyz', 'q'}", true, false],
    ["a in {}", false, false],
    ["a not in {'xyz'}", false, true],
    ["a not in {}", true, true],
    ["a contains 'y'", true, false],
    ["a starts with 'x'", true, false],
    ["a ends with 'z'", true, false],
    ["has(a)", true, false],
    ["!has(a)", false, true],
    ["all()", true, true],
    ["global()", true, true],
    ["has(constructor)", false, false],
    ["toString != 'x'", true, true],
  ] as const) {
    assert.equal(matches(text, present), whenPresent, text);
    assert.equal(matches(text, {}), whenAbsent, `${text} without the label`);
  }
});

test("a selector printed and parsed is the same selector", () => {
  fc.assert(
    fc.property(anySelector, (selector) => {
      assert.deepEqual(parseSelector(formatSelector(selector)), { kind: "ok", selector });
    }),
    { numRuns: 1000 },
  );
});

test("random text parses or gives one line, and never throws", () => {
  const piece = fc.constantFrom(
    "a",
    "==",
    "!=",
    "'x'",
    '"',
    "{",
    "}",
    ",",
    "(",
    ")",
    "!",
    "&&",
    "||",
    "has(",
    "all()",
    "in",
    "not in",
    " ",
    "é",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join("");
      const parsed = parseSelector(text);
      if (parsed.kind === "bad") assert.ok(parsed.error.offset >= 0 && parsed.error.offset <= text.length);
      else assert.equal(canonical(formatSelector(parsed.selector)), formatSelector(parsed.selector));
    }),
    { numRuns: 1000 },
  );
});
