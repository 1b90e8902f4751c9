// Aim: lost news are made good, problems of one tunnel do not keep another, and nothing is done before anything is wanted.
// Method: the kernel in memory and virtual time; the suite holds the rest on any kernel.
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress } from "@caracal/net";
import { Af, Mac } from "@caracal/netlink";
import { FakeKernel } from "../fake-kernel.ts";
import { VirtualClock } from "../virtual-clock.ts";
import type { DesiredVxlan } from "./desired-tunnel.ts";
import { type TunnelEvent, TunnelReconciler } from "./tunnel-reconciler.ts";

const address = (text: string): IpAddress => IpAddress.parse(text) ?? assert.fail(text);
const mac = (text: string): Mac => Mac.parse(text) ?? assert.fail(text);

const tunnel: DesiredVxlan = {
  kind: "vxlan",
  name: "vxlan.calico",
  vni: 4096,
  port: 4789,
  local: address("10.0.0.1"),
  mac: mac("66:00:00:00:00:01"),
  address: address("10.244.1.0"),
  vteps: [{ address: address("10.244.2.0"), mac: mac("66:00:00:00:00:02"), host: address("10.0.0.2") }],
};

function rig() {
  const kernel = new FakeKernel();
  kernel.addLink("eth0");
  kernel.setLinkUp("eth0", true);
  kernel.addAddress("eth0", address("10.0.0.1"), 24);
  const clock = new VirtualClock();
  const events: TunnelEvent[] = [];
  const onEvent = (event: TunnelEvent): void => void events.push(event);
  const reconciler = new TunnelReconciler({ kernel, clock, owns: ["vxlan.calico"], onEvent });
  const entries = async (): Promise<number> =>
    (await kernel.dumpNeighbours("neighbours")).length + (await kernel.dumpNeighbours("forwarding")).length;
  return { kernel, clock, reconciler, events, entries };
}

test("what changed while news were lost is mended, on word of the loss or in time", async () => {
  const { kernel, clock, reconciler, entries } = rig();
  reconciler.start();
  reconciler.apply([tunnel]);
  await clock.advance(1_000);
  assert.equal(await entries(), 2);
  const forget = async (): Promise<void> => {
    const [neighbour] = await kernel.dumpNeighbours("neighbours");
    assert.equal(neighbour?.family, Af.AF_INET);
    await kernel.applyDevices([{ kind: "neighbour.delete", neighbour }]);
  };
  await forget();
  await clock.advance(1_000);
  assert.equal(await entries(), 1, "unnoticed");
  kernel.overrun();
  await clock.advance(1_000);
  assert.equal(await entries(), 2, "after the overrun");
  await forget();
  await clock.advance(91_000);
  assert.equal(await entries(), 2, "in time");
  reconciler.stop();
});

test("before the first wish nothing is done, not even to a device of the name", async () => {
  const { kernel, clock, reconciler, events } = rig();
  kernel.alienDevice({
    kind: "link.add",
    link: { name: "vxlan.calico", details: { kind: "vxlan", vni: 1, port: 1, learning: true } },
  });
  reconciler.start();
  await clock.advance(1_000_000);
  assert.equal((await kernel.dumpLinks()).length, 2);
  reconciler.apply([]);
  await clock.advance(1_000);
  assert.deepEqual(events, [{ device: "vxlan.calico", news: "removed: nothing uses it", isRepair: false }]);
  reconciler.stop();
});

test("one tunnel that cannot be does not keep another", async () => {
  const { clock, reconciler, entries } = rig();
  reconciler.start();
  const other = { ...tunnel, name: "vxlan-v6.calico", vni: 7, local: address("fd00::1") };
  reconciler.apply([other, tunnel]);
  await clock.advance(1_000);
  assert.equal(await entries(), 2);
  assert.deepEqual(reconciler.status.problems, [
    { device: "vxlan-v6.calico", problem: "no interface has the address fd00::1" },
  ]);
  reconciler.stop();
});
