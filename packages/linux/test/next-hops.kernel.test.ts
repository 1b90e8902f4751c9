// Aim: what happens to routes through next hop objects in the real kernel, and to packets meanwhile. Method: a namespace beside
// another one, a reconciler above many routes that go in through objects, and what other programs and cables do to them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { BulkKernel, type DesiredRoute, RouteReconciler } from "@caracal/dataplane";
import { Ipv4, Prefix } from "@caracal/net";
import { LinuxKernel, namespacePath, Rtnetlink, systemClock } from "../src/index.ts";
import { freshNamespace, kernelSkip, run } from "./fresh-namespace.ts";

const skip = kernelSkip(["ip", "ping", "sysctl"]);
const many = 60;

const wishes: readonly DesiredRoute[] = Array.from({ length: many }, (_, at) => ({
  destination: Prefix.of(Ipv4.of(0x0a01_0000 + at * 256), 24),
  protocol: 12,
  nextHops: [{ interfaceName: "up0", gateway: Ipv4.of(0x0a63_0002 + at) }],
}));

interface Rig {
  readonly name: string;
  readonly far: Rtnetlink;
  readonly tables: Rtnetlink;
  readonly reconciler: RouteReconciler;
}

/** Two namespaces with a cable; the far one has all gateways and the address 10.1.7.1 behind them. */
async function openRig(t: TestContext, restMs: number): Promise<Rig> {
  const [name, farName] = [freshNamespace(t), freshNamespace(t)];
  const kernel = LinuxKernel.open(namespacePath(name));
  const tables = Rtnetlink.open(namespacePath(name));
  const far = Rtnetlink.open(namespacePath(farName));
  const clock = systemClock;
  const limits = { gatewaysMin: many, restMs, stepMs: 1, routesPerStep: 4 };
  const bulk = new BulkKernel({ kernel, clock, limits });
  const sources = [{ name: "bgp", owns: { protocols: [12] }, graceMs: 0 }];
  const reconciler = new RouteReconciler({
    kernel: bulk,
    clock,
    sources,
    limits: { noticeDelayMs: 5, retryMinMs: 20, retryMaxMs: 100 },
  });
  t.after(() => {
    reconciler.stop();
    bulk.stop();
    for (const one of [kernel, tables, far]) one.close();
  });
  tables.addVeth({ name: "up0", up: true }, { name: "up0", up: true, namespace: namespacePath(farName) });
  addAddress(tables, "up0", Ipv4.of(0x0a63_0001), 24);
  for (let at = 0; at < many; at += 1) addAddress(far, "up0", Ipv4.of(0x0a63_0002 + at), 24);
  far.setLink("lo", { up: true });
  addAddress(far, "lo", Ipv4.of(0x0a01_0701), 32);
  reconciler.start();
  reconciler.replace("bgp", wishes);
  await until("all routes", () => reconciler.status.ready);
  assert.equal(countThroughObjects(tables), many);
  return { name, far, tables, reconciler };
}

function addAddress(tables: Rtnetlink, link: string, address: Ipv4, prefixLength: number): void {
  tables.addAddress({ interfaceIndex: tables.link(link)?.index ?? 0, address, prefixLength });
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 10_000; !condition(); await sleep(2))
    assert.ok(Date.now() < deadline, `in vain: ${what}`);
}

function countThroughObjects(tables: Rtnetlink): number {
  return tables.routes({ protocol: 12 }).filter(({ nextHopId }) => nextHopId !== undefined).length;
}

function count(tables: Rtnetlink): number {
  return tables.routes({ protocol: 12 }).length;
}

test("no packet is lost while routes go from plain to objects and back", { skip }, async (t) => {
  const { name, tables, reconciler } = await openRig(t, 20);
  const words = ["netns", "exec", name, "ping", "-q", "-i", "0.002", "-c", "400", "10.1.7.1"];
  const ping = promisify(execFile)("ip", words);
  let rounds = 0;
  let isOver = false;
  void ping.finally(() => (isOver = true));
  for (; !isOver; rounds += 1) {
    // Another MTU makes every route another one: all are written again, through objects and then plain.
    reconciler.replace(
      "bgp",
      wishes.map((wish) => ({ ...wish, mtu: 1400 + (rounds % 2) })),
    );
    await until("all through objects", () => countThroughObjects(tables) > 0);
    await until("plain routes", () => countThroughObjects(tables) === 0);
  }
  assert.match((await ping).stdout, /400 packets transmitted, 400 received, .*0% packet loss/);
  assert.ok(rounds > 1);
});

test("a cable that is unplugged takes objects and routes, and all are back at once", { skip }, async (t) => {
  const { name, far, tables, reconciler } = await openRig(t, 60_000);
  far.setLink("up0", { up: false });
  await until("the objects' end", () => tables.nextHops().length === 0);
  await until("plain routes", () => count(tables) === many && reconciler.status.ready);
  assert.match(run(name, "ip", "route", "show", "10.1.7.0/24"), /linkdown/);
  far.setLink("up0", { up: true });
  run(name, "ping", "-q", "-c", "1", "-w", "5", "10.1.7.1");
  assert.equal(countThroughObjects(tables), 0);
});

test("routes are read where the kernel names only their objects", { skip }, async (t) => {
  const { name, tables, reconciler } = await openRig(t, 60_000);
  run(name, "sysctl", "-qw", "net.ipv4.nexthop_compat_mode=0");
  assert.doesNotMatch(run(name, "ip", "route", "show", "10.1.7.0/24"), /via/);
  const [gateway] = wishes[7]?.nextHops ?? [];
  const found = tables.routeTo(Ipv4.of(0x0a01_0701));
  assert.equal(found?.nextHops[0]?.gateway, gateway?.gateway);
  reconciler.resync();
  await until("settled", () => reconciler.status.settled);
  assert.ok(reconciler.status.ready);
  assert.equal(countThroughObjects(tables), many, "nothing was to be done");
  run(name, "ip", "route", "delete", "10.1.7.0/24");
  await until("the route again", () => count(tables) === many);
});
