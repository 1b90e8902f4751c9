/**
 * Aim: the index knows at every moment which selectors match which items, and says each change once.
 * Method: random selectors and items over few labels and values come, change and go; after each step the index and the sum
 * of the changes it told are compared with trying every selector against every item.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { selectorOver } from "../../test/arbitraries.ts";
import type { Selector } from "./ast.ts";
import { type Labels, matchesSelector } from "./evaluate.ts";
import { parseSelector } from "./parse.ts";
import { restrictionOf } from "./restriction.ts";
import { type MatchChange, SelectorIndex } from "./selector-index.ts";

const label = fc.constantFrom("a", "b", "c", "constructor");
const value = fc.constantFrom("", "x", "xy", "y");
const selector = selectorOver(label, value);
const labels: fc.Arbitrary<Labels> = fc.dictionary(label, value, { maxKeys: 4 });
const id = fc.nat({ max: 5 });

type Step =
  | { readonly kind: "setSelector"; readonly id: number; readonly selector: Selector }
  | { readonly kind: "deleteSelector" | "deleteItem"; readonly id: number }
  | { readonly kind: "setLabels"; readonly id: number; readonly labels: Labels };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("setSelector" as const), id, selector }),
  fc.record({ kind: fc.constant("setLabels" as const), id, labels }),
  fc.record({ kind: fc.constant("deleteSelector" as const), id }),
  fc.record({ kind: fc.constant("deleteItem" as const), id }),
);

function parsed(text: string): Selector {
  const parsing = parseSelector(text);
  assert.ok(parsing.kind === "ok", text);
  return parsing.selector;
}

test("after any changes the index says what trying all says, and told every change once", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const index = new SelectorIndex<number, number>();
      const selectors = new Map<number, Selector>();
      const items = new Map<number, Labels>();
      const told = new Set<string>();
      for (const each of steps) {
        for (const { kind, selector: by, item } of take(index, selectors, items, each)) {
          const pair = `${by}/${item}`;
          assert.equal(told.has(pair), kind === "stopped", `${kind} ${pair} twice`);
          if (kind === "started") told.add(pair);
          else told.delete(pair);
        }
        const expected = [...selectors].flatMap(([by, one]) =>
          [...items].flatMap(([item, has]) => (matchesSelector(one, has) ? [`${by}/${item}`] : [])),
        );
        assert.deepEqual([...told].toSorted(), expected.toSorted());
        const asked = [...selectors.keys()].flatMap((by) =>
          index.itemsMatching(by).map((item) => `${by}/${item}`),
        );
        assert.deepEqual(asked.toSorted(), expected.toSorted());
      }
    }),
    { numRuns: 300 },
  );
});

function take(
  index: SelectorIndex<number, number>,
  selectors: Map<number, Selector>,
  items: Map<number, Labels>,
  each: Step,
): readonly MatchChange<number, number>[] {
  switch (each.kind) {
    case "setSelector":
      selectors.set(each.id, each.selector);
      return index.setSelector(each.id, each.selector);
    case "deleteSelector":
      selectors.delete(each.id);
      return index.deleteSelector(each.id);
    case "setLabels":
      items.set(each.id, each.labels);
      return index.setLabels(each.id, each.labels);
    case "deleteItem":
      items.delete(each.id);
      return index.deleteItem(each.id);
  }
}

test("labels that are no item's find their selectors, by any number of askers", () => {
  const index = new SelectorIndex<string, string>();
  index.setSelector("first", parsed("a == 'x'"));
  index.setSelector("same", parsed("a=='x'"));
  index.setSelector("other", parsed("a == 'y'"));
  index.setSelector("any", parsed("all()"));
  assert.deepEqual(index.selectorsMatching({ a: "x" }).toSorted(), ["any", "first", "same"]);
  index.deleteSelector("first");
  assert.deepEqual(index.selectorsMatching({ a: "x" }).toSorted(), ["any", "same"]);
});

test("a restriction is necessary: what matches always fulfils it", () => {
  fc.assert(
    fc.property(selector, labels, (one, has) => {
      const restriction = restrictionOf(one, ({ value: found }) => (found === undefined ? 8 : 1));
      const isFulfilled =
        restriction === undefined ||
        restriction.some(
          (need) =>
            Object.hasOwn(has, need.label) && (need.value === undefined || need.value === has[need.label]),
        );
      if (matchesSelector(one, has)) assert.ok(isFulfilled, JSON.stringify({ one, has, restriction }));
    }),
    { numRuns: 2000 },
  );
});

test("of a chain the narrowest operand is what a selector is filed under", () => {
  const cost = ({ label: name, value: found }: { label: string; value?: string }): number =>
    found === undefined ? 100 : name === "ns" ? 50 : 1;
  const filed = (text: string): unknown => restrictionOf(parsed(text), cost);
  assert.deepEqual(filed("has(app) && ns == 'n' && role == 'db'"), [{ label: "role", value: "db" }]);
  assert.deepEqual(filed("role in {'a','b'} && ns == 'n'"), [
    { label: "role", value: "a" },
    { label: "role", value: "b" },
  ]);
  assert.deepEqual(filed("role == 'a' || has(x)"), [{ label: "role", value: "a" }, { label: "x" }]);
  assert.equal(filed("role == 'a' || role != 'b'"), undefined);
  assert.deepEqual(filed("!(role != 'a' || !has(x))"), [{ label: "role", value: "a" }]);
  assert.deepEqual(filed("!all()"), []);
  assert.deepEqual(filed("a in {}"), []);
});
