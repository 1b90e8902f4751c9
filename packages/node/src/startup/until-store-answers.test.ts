/** Waiting for the datastore at start. Method: attempts by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreError } from "@caracal/datastore";
import { settle } from "../../test/node-fixtures.ts";
import { untilStoreAnswers } from "./until-store-answers.ts";

test("it is tried again until it answers, and each failure is told", async () => {
  const { signal } = new AbortController();
  const told: string[] = [];
  let attempts = 0;
  const isDone = await untilStoreAnswers(
    () => {
      attempts += 1;
      return attempts < 3 ? Promise.reject(new StoreError("unavailable", "nobody")) : Promise.resolve();
    },
    {
      signal,
      onAway: (reason, attempt) => told.push(`${attempt} ${reason}`),
      pause: () => Promise.resolve(),
    },
  );
  assert.equal(isDone, true);
  assert.deepEqual(told, ["1 nobody", "2 nobody"]);
});

test("another failure ends it", async () => {
  const { signal } = new AbortController();
  const refused = new StoreError("unauthorized", "wrong password");
  const waiting = untilStoreAnswers(() => Promise.reject(refused), { signal, onAway: assert.fail });
  await assert.rejects(waiting, refused);
});

test("a stop ends it in a pause and in an attempt that hangs", async () => {
  for (const work of [
    () => Promise.reject(new StoreError("unavailable", "nobody")),
    () => new Promise<void>(() => undefined),
  ]) {
    const stop = new AbortController();
    const waiting = untilStoreAnswers(work, { signal: stop.signal, onAway: () => undefined });
    await settle();
    stop.abort();
    assert.equal(await waiting, false);
  }
});
