/**
 * Aim: `eventually` ends with the first success, or with an error that says what was missing.
 * Method: checks that count their calls.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "./eventually.ts";

test("a check that fails at first is repeated until it gives a value", async () => {
  let calls = 0;
  const value = await eventually(() => (++calls < 3 ? undefined : calls), { intervalMs: 1 });
  assert.equal(value, 3);
});

test("zero, null and the empty string are values", async () => {
  assert.equal(await eventually(() => 0), 0);
  assert.equal(await eventually(() => null), null);
  assert.equal(await eventually(() => ""), "");
});

test("a throwing check is repeated, and the deadline's error carries the last failure", async () => {
  const failure = new Error("no route");
  await assert.rejects(
    eventually(() => Promise.reject(failure), { deadlineMs: 5, intervalMs: 1, what: "the route" }),
    { message: "the route was not seen within 5 ms: no route", cause: failure },
  );
});
