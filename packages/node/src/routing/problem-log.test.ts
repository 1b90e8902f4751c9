/** Aim: problems are told once each, and only those that last. Method: problems made of values, virtual time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "@caracal/dataplane";
import { memoryLog } from "../../test/node-fixtures.ts";
import { lastingMs, ProblemLog } from "./problem-log.ts";

test("what lasts is told once, what passes by is not, and what comes back is told again", async () => {
  const clock = new VirtualClock();
  const { log, lines } = memoryLog();
  const problems = new ProblemLog(clock, log);
  const see = (...messages: readonly string[]): void =>
    problems.see(messages.map((message) => ({ about: "Node(a)", message })));
  const told = (): readonly unknown[] => lines.map(({ problem }) => problem);
  for (let count = 1; count <= 10; count += 1) {
    see("stays", `has ${count} of 10`);
    await clock.advance(lastingMs / 5);
  }
  assert.deepEqual(told(), ["stays"]);
  await clock.advance(lastingMs);
  assert.deepEqual(told(), ["stays", "has 10 of 10"]);
  see("stays");
  await clock.advance(lastingMs);
  see("stays", "has 10 of 10");
  await clock.advance(lastingMs);
  assert.deepEqual(told(), ["stays", "has 10 of 10", "has 10 of 10"]);
  see("late");
  problems.stop();
  await clock.advance(lastingMs);
  assert.equal(lines.length, 3);
});
