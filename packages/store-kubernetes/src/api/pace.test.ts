// Aim: requests come as fast as told and no faster. Method: the waits asked for, in virtual time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "./pace.ts";

test("after a burst, each request waits for its place, and a rest brings a new burst", async () => {
  let now = 1000;
  const waits: number[] = [];
  const sleep = async (ms: number): Promise<void> => void waits.push(ms);
  const pace = new Pace({ perSecond: 100, burst: 3 }, { now: () => now, sleep });
  const { signal } = new AbortController();
  for (let request = 0; request < 6; request += 1) await pace.take(signal);
  assert.deepEqual(waits, [10, 20, 30]);
  now += 1000;
  for (let request = 0; request < 4; request += 1) await pace.take(signal);
  assert.deepEqual(waits, [10, 20, 30, 10]);
});

test("who waits is let go when the work ends", async () => {
  const pace = new Pace({ perSecond: 0.001, burst: 1 });
  const stop = new AbortController();
  await pace.take(stop.signal);
  const waiting = pace.take(stop.signal);
  stop.abort();
  await waiting;
});
