/** Aim: who waits for long is told, who waits for a moment is not. Method: mocked timers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { tellWaiting } from "./tell-waiting.ts";

test("every five seconds of waiting are told, and no more once the work is done", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const told: string[] = [];
  const ctx = { stderr: { write: (text: string) => void told.push(text) } };
  const { promise, resolve } = Promise.withResolvers<number>();
  const waiting = tellWaiting(ctx, "reading", promise);
  t.mock.timers.tick(4_999);
  assert.deepEqual(told, []);
  t.mock.timers.tick(5_001);
  resolve(7);
  assert.equal(await waiting, 7);
  t.mock.timers.tick(20_000);
  assert.deepEqual(told, ["reading, 5 s so far\n", "reading, 10 s so far\n"]);
  const failing = tellWaiting(ctx, "reading", Promise.reject(new Error("away")));
  await assert.rejects(failing, /away/);
  t.mock.timers.tick(20_000);
  assert.equal(told.length, 2);
});
