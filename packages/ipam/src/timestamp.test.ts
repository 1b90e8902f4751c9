// Aim: times print as Calico prints them and are read back. Method: against Date over the years it shares with Go.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Nanos } from "./timestamp.ts";

const anySeconds = fc.integer({ min: -2_000_000_000, max: 7_000_000_000 });

test("RFC 3339 text is that of Date, and is read back", () => {
  fc.assert(
    fc.property(anySeconds, (seconds) => {
      const text = Nanos.formatRfc3339(Nanos.fromSeconds(seconds));
      assert.equal(text, new Date(seconds * 1000).toISOString().replace(".000Z", "Z"));
      assert.equal(Nanos.parseRfc3339(text), Nanos.fromSeconds(seconds));
    }),
  );
});

test("fractions and offsets are understood", () => {
  const base = Nanos.fromSeconds(Date.UTC(2026, 0, 2, 3, 4, 5) / 1000);
  assert.equal(Nanos.parseRfc3339("2026-01-02T03:04:05.1Z"), base + 100_000_000n);
  assert.equal(Nanos.parseRfc3339("2026-01-02T05:04:05+02:00"), base);
  assert.equal(Nanos.parseRfc3339("2026-01-01T21:34:05-05:30"), base);
  assert.equal(Nanos.parseRfc3339("2026-01-02t03:04:05.123456789z"), base + 123_456_789n);
});

test("anything else is no time", () => {
  for (const text of ["", "2026-01-02", "2026-01-02 03:04:05Z", "2026-01-02T03:04:05", "now"]) {
    assert.equal(Nanos.parseRfc3339(text), undefined, text);
  }
});

test("Go's text of a time leaves out what is zero at the end of the fraction", () => {
  const base = Nanos.fromSeconds(Date.UTC(2023, 4, 16, 9, 33, 10) / 1000);
  assert.equal(Nanos.formatGo(base), "2023-05-16 09:33:10 +0000 UTC");
  assert.equal(Nanos.formatGo(Nanos.of(base + 100_000_000n)), "2023-05-16 09:33:10.1 +0000 UTC");
  assert.equal(Nanos.formatGo(Nanos.of(base + 1n)), "2023-05-16 09:33:10.000000001 +0000 UTC");
});
