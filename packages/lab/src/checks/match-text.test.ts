/**
 * Aim: outputs are compared up to what may differ, and the first line that differs is named.
 * Method: tables as the commands print them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fillIn, matchText, type Placeholders, strayPlaceholders } from "./match-text.ts";

const placeholders: Placeholders = {
  block: (node) => (node === "a" ? ["10.244.1.0/26", "10.244.2.0/26"] : []),
  pod: (pod) => (pod === "pa" ? ["10.244.1.7"] : []),
  block6: (node) => (node === "a" ? ["fd00:10:244:1::/122"] : []),
  pod6: (pod) => (pod === "pa" ? ["fd00:10:244:1::7"] : []),
};
const match = (expected: string, found: string, isPart = false): unknown =>
  matchText(expected, found, isPart, placeholders);

test("times, MACs, words, blocks and pods stand for what may differ", () => {
  assert.equal(match("up <time> <any>", "up 11:07:00 x-1\n"), undefined);
  assert.equal(match("up <time>", "up 2026-01-02"), undefined);
  assert.equal(match("<mac> > <pod pa>", "ee:ee:ee:ee:ee:ee > 10.244.1.7"), undefined);
  assert.equal(match("<block a> via 10.0.0.1", "10.244.2.0/26 via 10.0.0.1"), undefined);
  assert.equal(match("<block6 a> <pod6 pa>", "fd00:10:244:1::/122 fd00:10:244:1::7"), undefined);
  assert.deepEqual(match("<pod6 pa>", "10.244.1.7"), { expected: "<pod6 pa>", found: "10.244.1.7" });
  assert.deepEqual(match("<block b>", "10.244.2.0/26"), { expected: "<block b>", found: "10.244.2.0/26" });
  assert.deepEqual(match("1.2", "1x2"), { expected: "1.2", found: "1x2" });
});

test("the width of columns does not count", () => {
  const expected = "+----+-------+\n| A  | SINCE |\n| 1  | <time> |";
  assert.equal(match(expected, "+----+------------+\n| A  | SINCE      |\n| 1  | 2026-01-02 |\n"), undefined);
});

test("a line too few, too many or another is named", () => {
  assert.deepEqual(match("a\nb", "a"), { expected: "b", found: "no more lines" });
  assert.deepEqual(match("a", "a\nb"), { expected: "no more lines", found: "b" });
  assert.deepEqual(match("a\nb", "a\nc"), { expected: "b", found: "c" });
});

test("a part stands anywhere, its lines together", () => {
  assert.equal(match("b\nc", "a\nb\nc\nd", true), undefined);
  assert.deepEqual(match("b\nx", "a\nb\nc", true), { expected: "x", found: "no such line" });
  assert.deepEqual(match("b\nd", "a\nb\nc\nd", true), {
    expected: "b",
    found: "its lines, but not together",
  });
});

test("commands are filled in, and what a placeholder cannot mean is found", () => {
  assert.equal(fillIn("ping <pod pa> # <block a>", placeholders), "ping 10.244.1.7 # 10.244.1.0/26");
  assert.equal(fillIn("ping <pod px> > <any>", placeholders), "ping none > <any>");
  assert.deepEqual(strayPlaceholders("<pod pa> <pod px> <block a> <block x> <time>", ["a"], ["pa"]), [
    "<pod px>",
    "<block x>",
  ]);
});
