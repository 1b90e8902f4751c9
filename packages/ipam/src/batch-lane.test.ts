// Aim: jobs never overlap, requests made meanwhile run together, each gets its own answer, and bounds hold. Method: jobs
// that the test ends by hand.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BatchLane, maxBatch, maxWaiting } from "./batch-lane.ts";
import { IpamError } from "./ipam-error.ts";

test("requests that come while a job runs share the next one, and groups stay apart", async () => {
  const lane = new BatchLane();
  const gate = Promise.withResolvers<void>();
  const batches: string[][] = [];
  const kind = lane.kind(async (requests: readonly string[]) => {
    batches.push([...requests]);
    await gate.promise;
    return requests.map((request) => `${request}!`);
  });
  const first = kind.submit("a");
  await Promise.resolve();
  await Promise.resolve();
  const rest = [kind.submit("b"), kind.submit("c", "other"), kind.submit("d")];
  gate.resolve();
  assert.deepEqual(await Promise.all([first, ...rest]), ["a!", "b!", "c!", "d!"]);
  assert.deepEqual(batches, [["a"], ["b", "d"], ["c"]]);
});

test("jobs run one at a time, and one that fails does not stop the next", async () => {
  const lane = new BatchLane();
  let running = 0;
  const job = async (): Promise<number> => {
    running += 1;
    await Promise.resolve();
    assert.equal(running, 1);
    running -= 1;
    return running;
  };
  const failing = lane.run(() => Promise.reject(new Error("no")));
  const jobs = [lane.run(job), lane.run(job)];
  await assert.rejects(failing, /no/);
  assert.deepEqual(await Promise.all(jobs), [0, 0]);
});

test("a failure reaches everyone in the batch", async () => {
  const kind = new BatchLane().kind(() => Promise.reject<readonly string[]>(new Error("gone")));
  const results = await Promise.allSettled([kind.submit("a"), kind.submit("b")]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["rejected", "rejected"],
  );
});

test("a batch has a largest size, and so has the queue", async () => {
  const lane = new BatchLane();
  const sizes: number[] = [];
  const kind = lane.kind(async (requests: readonly number[]) => {
    sizes.push(requests.length);
    return requests;
  });
  const accepted = Array.from({ length: maxWaiting }, (_, index) => kind.submit(index));
  await assert.rejects(kind.submit(0), (error) => error instanceof IpamError && error.code === "busy");
  assert.equal((await Promise.all(accepted)).length, maxWaiting);
  assert.equal(Math.max(...sizes), maxBatch);
  assert.equal(await kind.submit(7), 7);
});
