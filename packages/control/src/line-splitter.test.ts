/**
 * Aim: lines come out whole however the bytes arrive, and the bound holds.
 * Method: fast-check cuts a text at arbitrary places.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LineSplitter } from "./line-splitter.ts";

test("any cutting of the bytes gives the same lines", () => {
  const line = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\n", "⏎"));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(400)), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(""));
      const places = [...cuts.filter((cut) => cut < bytes.length), bytes.length].toSorted((a, b) => a - b);
      const splitter = new LineSplitter();
      let start = 0;
      const seen: string[] = [];
      for (const place of places) {
        const out = splitter.push(bytes.subarray(start, place));
        assert.ok(out !== "too-large");
        seen.push(...out);
        start = place;
      }
      assert.deepEqual(seen, lines);
    }),
  );
});

test("a line of exactly the bound passes, one byte more does not, whether or not its end has come", () => {
  assert.deepEqual(new LineSplitter(4).push(Buffer.from("abcd\n")), ["abcd"]);
  assert.equal(new LineSplitter(4).push(Buffer.from("abcde\n")), "too-large");
  const splitter = new LineSplitter(4);
  assert.deepEqual(splitter.push(Buffer.from("abc")), []);
  assert.equal(splitter.push(Buffer.from("de")), "too-large");
});
