/** Aim: times survive as long as their thing does, and no longer. Method: a clock that the test sets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FirstSeen } from "./first-seen.ts";

test("a key keeps its first time while every observation names it", () => {
  let nowMs = 1000;
  const seen = new FirstSeen(() => nowMs);
  assert.deepEqual([...seen.observe(["a"])], [["a", 1000]]);
  nowMs = 2000;
  assert.deepEqual(
    [...seen.observe(["b", "a"])],
    [
      ["b", 2000],
      ["a", 1000],
    ],
  );
});

test("a key that is gone is forgotten, and new when it comes back", () => {
  let nowMs = 1000;
  const seen = new FirstSeen(() => nowMs);
  seen.observe(["a", "b"]);
  assert.deepEqual([...seen.observe(["b"]).keys()], ["b"]);
  nowMs = 3000;
  assert.equal(seen.observe(["a", "b"]).get("a"), 3000);
});
