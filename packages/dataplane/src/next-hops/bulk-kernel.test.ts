// Aim: routes get in whatever becomes of the objects that were to help. Method: kernels in memory that have no such objects, or
// fail at each step once, in virtual time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ipv4, Prefix } from "@caracal/net";
import { FakeKernel } from "../fake-kernel.ts";
import type { RouteOperation } from "../kernel.ts";
import { address } from "../suite/subject.ts";
import { VirtualClock } from "../virtual-clock.ts";
import { BulkKernel } from "./bulk-kernel.ts";
import type { NextHopKernel } from "./next-hop-kernel.ts";

const limits = { gatewaysMin: 10, restMs: 10, stepMs: 1, routesPerStep: 4 };

function openKernel(): FakeKernel {
  const kernel = new FakeKernel();
  kernel.addLink("up0");
  kernel.setLinkUp("up0", true);
  kernel.addAddress("up0", address("10.99.0.1"), 24);
  return kernel;
}

function adds(from: number, count: number): readonly RouteOperation[] {
  return Array.from({ length: count }, (_, at) => ({
    kind: "add",
    route: {
      destination: Prefix.of(Ipv4.of(0x0a01_0000 + (from + at) * 256), 24),
      type: 1,
      protocol: 12,
      scope: 0,
      table: 254,
      metric: 0,
      nextHops: [{ interfaceIndex: 1, gateway: Ipv4.of(0x0a63_0002 + from + at) }],
    },
  }));
}

async function countRoutes(kernel: FakeKernel): Promise<number> {
  return (await kernel.dumpRoutes()).filter(({ protocol }) => protocol === 12).length;
}

test("on a kernel without next hop objects routes are written plain, and that is told once", async () => {
  const kernel = openKernel();
  kernel.refuseNextHops();
  let told = 0;
  using bulk = new BulkKernel({
    kernel,
    clock: new VirtualClock(),
    limits,
    onUnsupported: () => (told += 1),
  });
  for (const from of [0, 20]) {
    const outcomes = await bulk.applyRoutes(adds(from, 20));
    assert.ok(outcomes.every(({ kind }) => kind === "done"));
  }
  assert.equal(told, 1);
  assert.equal(await countRoutes(kernel), 40);
});

/** Passes everything on, and fails at the step of this number. */
function failingAt(kernel: FakeKernel, failing: number): { readonly port: NextHopKernel; steps: number } {
  const state = { steps: 0, port: kernel };
  const through = <Result>(work: () => Promise<Result>): Promise<Result> =>
    state.steps++ === failing ? Promise.reject(new Error("injected")) : work();
  const port: NextHopKernel = {
    dumpRoutes: () => through(() => kernel.dumpRoutes()),
    dumpNextHops: () => through(() => kernel.dumpNextHops()),
    applyRoutes: (operations) => through(() => kernel.applyRoutes(operations)),
    applyNextHops: (operations) => through(() => kernel.applyNextHops(operations)),
    dumpLinks: () => kernel.dumpLinks(),
    dumpAddresses: () => kernel.dumpAddresses(),
    dumpNeighbours: (table, index) => kernel.dumpNeighbours(table, index),
    subscribe: (listener) => kernel.subscribe(listener),
  };
  return Object.assign(state, { port });
}

test("whichever step fails once, all routes are plain and no object is left after the next dump", async () => {
  let isDone = false;
  for (let failing = 0; !isDone; failing += 1) {
    const kernel = openKernel();
    const clock = new VirtualClock();
    const failure = failingAt(kernel, failing);
    using bulk = new BulkKernel({ kernel: failure.port, clock, limits });
    const attempt = async (): Promise<void> => {
      await bulk.dumpRoutes();
      const missing = adds(0, 20).slice(await countRoutes(kernel));
      const outcomes = await bulk.applyRoutes(missing);
      assert.ok(outcomes.every(({ kind }) => kind === "done"));
    };
    await attempt().catch(attempt);
    await clock.advance(1_000);
    await bulk.dumpRoutes().catch(() => bulk.dumpRoutes());
    await clock.advance(1_000);
    assert.equal(await countRoutes(kernel), 20);
    assert.deepEqual(await kernel.dumpNextHops(), [], `after a failure at step ${failing}`);
    isDone = failure.steps <= failing;
    if (isDone) assert.ok(failing > 10, "steps that failed once");
  }
});
