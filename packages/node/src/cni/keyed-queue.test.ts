/** Aim: one at a time a key, few at a time over all, in order, and bounded. Method: work that records when it runs. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { KeyedQueue, QueueFullError } from "./keyed-queue.ts";

describe("KeyedQueue", () => {
  it("never runs two of a key or too many at once, and keeps each key's order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(3), { maxLength: 40 }),
        fc.integer({ min: 1, max: 4 }),
        async (plan, runningMax) => {
          const queue = new KeyedQueue({ runningMax, waitingMax: 100 });
          const running = new Set<number>();
          const done = new Map<number, number[]>();
          const work = plan.map((key, index) =>
            queue.run(String(key), async () => {
              assert.ok(!running.has(key) && running.size < runningMax);
              running.add(key);
              for (let turn = 0; turn <= index % 3; turn += 1) await Promise.resolve();
              running.delete(key);
              done.set(key, [...(done.get(key) ?? []), index]);
              if (index % 5 === 0) throw new Error("fails");
            }),
          );
          await Promise.allSettled(work);
          for (const [key, order] of done) {
            assert.deepEqual(
              order,
              plan.flatMap((planned, index) => (planned === key ? index : [])),
            );
          }
          assert.equal([...done.values()].flat().length, plan.length);
        },
      ),
    );
  });

  it("refuses what is more than it can hold, and takes more when there is room again", async () => {
    const queue = new KeyedQueue({ runningMax: 1, waitingMax: 1 });
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = [queue.run("a", () => promise), queue.run("a", () => promise)];
    await assert.rejects(
      queue.run("b", () => promise),
      QueueFullError,
    );
    resolve();
    await Promise.all(held);
    assert.equal(await queue.run("b", () => Promise.resolve(1)), 1);
  });
});
