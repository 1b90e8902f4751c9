// Aim: expressions of Go's syntax are taken with their meaning there, and what only JavaScript knows is refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compileGoPattern } from "./go-pattern.ts";

test("Go's flags, names and classes mean what they mean there", () => {
  assert.equal(compileGoPattern("(?i)^ETH")?.test("eth0"), true);
  assert.equal(compileGoPattern("^(?P<kind>eth)[[:digit:]]+$")?.test("eth10"), true);
  assert.equal(compileGoPattern("^[[:alpha:]_]+$")?.test("a_b"), true);
  assert.equal(compileGoPattern("^((en|wl)[Popsx].*|(eth|bond).*)")?.test("eno1"), true);
});

test("what Go does not know is refused", () => {
  for (const text of ["(?=a)b", "(?!a)b", "(?<=a)b", String.raw`(a)\1`, "(", "a++", "[b-a]"]) {
    assert.equal(compileGoPattern(text), undefined, text);
  }
  assert.notEqual(compileGoPattern(String.raw`\\1`), undefined, "a backslash, and then a digit");
});
