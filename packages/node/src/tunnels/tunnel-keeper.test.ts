/** Aim: a tunnel outlives the wish for it while others may still use it. Method: the kernel in memory and virtual time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeKernel, VirtualClock } from "@caracal/dataplane";
import type { TunnelIntent } from "@caracal/intent";
import { IpAddress } from "@caracal/net";
import { address, memoryLog } from "../../test/node-fixtures.ts";
import { TunnelKeeper } from "./tunnel-keeper.ts";

const none: TunnelIntent = { tunnels: [], routes: [], problems: [] };
const ipip: TunnelIntent = {
  ...none,
  tunnels: [{ kind: "ipip", name: "tunl0", family: 4, address: address("10.244.1.0") }],
};

async function addresses(kernel: FakeKernel): Promise<readonly string[]> {
  return (await kernel.dumpAddresses()).map((one) => IpAddress.format(one.address));
}

test("a tunnel that nobody wants goes after a while, and one that is wanted again stays", async (t) => {
  const kernel = new FakeKernel();
  const clock = new VirtualClock();
  const keeper = new TunnelKeeper({ kernel, clock, log: memoryLog().log });
  t.after(() => keeper.stop());
  keeper.start();
  keeper.apply(ipip);
  await clock.advance(1_000);
  assert.deepEqual(await addresses(kernel), ["10.244.1.0"]);
  keeper.apply(none);
  await clock.advance(8_000);
  assert.deepEqual(await addresses(kernel), ["10.244.1.0"]);
  keeper.apply(ipip);
  await clock.advance(21_000);
  assert.deepEqual(await addresses(kernel), ["10.244.1.0"]);
  keeper.apply(none);
  keeper.apply(none);
  await clock.advance(11_000);
  assert.deepEqual(await addresses(kernel), []);
});
