/** Aim: a diff says exactly what turns one text into the other. Method: examples, and any two texts rebuilt from their diff. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { lineDiff } from "./line-diff.ts";

test("what comes and goes, with some of what stays", () => {
  const before = "a\nb\nc\nd\ne\nf\ng\nh\ni\n";
  assert.equal(
    lineDiff(before, before.replace("f\n", "F\nG\n")),
    "  …\n  c\n  d\n  e\n- f\n+ F\n+ G\n  g\n  h\n  i\n",
  );
  assert.equal(lineDiff("", "a\n"), "+ a\n");
  assert.equal(lineDiff("a\n", ""), "- a\n");
  assert.equal(lineDiff("a\n", "a\n"), "  …\n");
});

test("both texts are in their diff, in order", () => {
  const text = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = lineDiff(`${before.join("\n")}\n`, `${after.join("\n")}\n`)
        .trimEnd()
        .split("\n");
      fc.pre(!lines.includes("  …"));
      const side = (mark: string) =>
        lines.filter((line) => line[0] === mark || line[0] === " ").map((line) => line.slice(2));
      assert.deepEqual(side("-"), before);
      assert.deepEqual(side("+"), after);
    }),
  );
});

test("texts too large to compare line by line differ as a whole", () => {
  const many = (word: string) => Array.from({ length: 3000 }, (_, index) => `${word}${index}\n`).join("");
  const lines = lineDiff(many("a"), many("b")).split("\n");
  assert.equal(lines.filter((line) => line.startsWith("- ")).length, 3000);
});
