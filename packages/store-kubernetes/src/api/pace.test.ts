// Aim: requests come as fast as told and no faster. Method: the waits are told apart by their order, and bounded from below alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "./pace.ts";

test("after a burst, each request waits for its place", async () => {
  const pace = new Pace({ perSecond: 100, burst: 3 });
  const stop = new AbortController();
  const began = performance.now();
  const waits = await Promise.all(
    Array.from({ length: 6 }, async () => {
      await pace.take(stop.signal);
      return performance.now() - began;
    }),
  );
  // A timer may end a little before its time.
  for (const [index, least] of [0, 0, 0, 9, 18, 28].entries()) assert.ok((waits[index] ?? 0) >= least);
});

test("who waits is let go when the work ends", async () => {
  const pace = new Pace({ perSecond: 0.001, burst: 1 });
  const stop = new AbortController();
  await pace.take(stop.signal);
  const waiting = pace.take(stop.signal);
  stop.abort();
  await waiting;
});
