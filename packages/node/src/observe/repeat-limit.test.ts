/** A repeated line is told once in a while, each kind by itself, and the number of kinds is bounded. Method: a clock by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RepeatLimit } from "./repeat-limit.ts";

test("the first line passes, repeats are counted until the time is over", () => {
  let now = 0;
  const limit = new RepeatLimit(1000, () => now);
  assert.equal(limit.admit("a"), 0);
  now = 999;
  assert.equal(limit.admit("a"), undefined);
  assert.equal(limit.admit("a"), undefined);
  assert.equal(limit.admit("b"), 0, "another kind is not held back");
  now = 1000;
  assert.equal(limit.admit("a"), 2);
  now = 2000;
  assert.equal(limit.admit("a"), 0);
});

test("kinds beyond the bound share one place", () => {
  const limit = new RepeatLimit(1000, () => 0);
  for (let index = 0; index < 256; index += 1) assert.equal(limit.admit(`kind ${index}`), 0);
  assert.equal(limit.admit("one more"), 0);
  assert.equal(limit.admit("and another"), undefined);
  assert.equal(limit.admit("kind 7"), undefined);
});
