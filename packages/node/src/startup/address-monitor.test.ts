/** Looking for changed addresses again and again. Method: timers mocked, refreshes by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreError } from "@caracal/datastore";
import { memoryLog, settle } from "../../test/node-fixtures.ts";
import { AddressMonitor } from "./address-monitor.ts";

test("a refresh that hangs is not joined by others; one that fails is followed by the next", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { log, lines } = memoryLog();
  const refreshes: PromiseWithResolvers<void>[] = [];
  const refresh = (): Promise<void> => {
    const one = Promise.withResolvers<void>();
    refreshes.push(one);
    return one.promise;
  };
  using monitor = new AddressMonitor({ refresh, everyMs: 1000, log });
  t.mock.timers.tick(1000);
  t.mock.timers.tick(10_000);
  assert.equal(refreshes.length, 1);
  refreshes[0]?.reject(new StoreError("unavailable", "nobody"));
  await settle();
  assert.deepEqual(lines, [], "an outage is told elsewhere");
  t.mock.timers.tick(1000);
  assert.equal(refreshes.length, 2);
  refreshes[1]?.reject(new Error("IPv4 address conflict"));
  await settle();
  assert.equal(lines[0]?.["reason"], "IPv4 address conflict");
  monitor[Symbol.dispose]();
  t.mock.timers.tick(10_000);
  assert.equal(refreshes.length, 2);
});

test("a look that is asked for comes at once, and once more when one goes on", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { log } = memoryLog();
  const refreshes: PromiseWithResolvers<void>[] = [];
  const refresh = (): Promise<void> => {
    const one = Promise.withResolvers<void>();
    refreshes.push(one);
    return one.promise;
  };
  using monitor = new AddressMonitor({ refresh, everyMs: 1000, log });
  monitor.lookSoon();
  monitor.lookSoon();
  monitor.lookSoon();
  assert.equal(refreshes.length, 1);
  refreshes[0]?.resolve();
  await settle();
  assert.equal(refreshes.length, 2);
  refreshes[1]?.resolve();
  await settle();
  assert.equal(refreshes.length, 2);
  t.mock.timers.tick(1000);
  assert.equal(refreshes.length, 3);
});
