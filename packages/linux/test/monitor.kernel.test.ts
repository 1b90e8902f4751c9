// Aim: the monitor tells every change, says when it lost some, and costs nothing otherwise. Method: real changes in a
// fresh namespace; a flood against a small buffer.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Prefix } from "@caracal/net";
import { type Change, deleteRoute, newRoute, type Route, RouteType } from "@caracal/netlink";
import { Monitor, namespacePath, Rtnetlink } from "../src/index.ts";
import { freshNamespace, kernelSkip, run } from "./fresh-namespace.ts";

const skip = kernelSkip(["ip"]);

/** Waits, up to a minute, until `condition` holds. */
async function until(condition: () => boolean, what: string): Promise<void> {
  for (const deadline = Date.now() + 60_000; !condition();) {
    assert.ok(Date.now() < deadline, `in vain: ${what}`);
    await sleep(2);
  }
}

function blackhole(i: number): Route {
  const destination = Prefix.parse(`10.${(i >> 8) & 255}.${i & 255}.0/24`);
  assert.ok(destination !== undefined);
  return {
    destination,
    type: RouteType.RTN_BLACKHOLE,
    protocol: 12,
    scope: 0,
    table: 254,
    metric: 0,
    nextHops: [],
  };
}

function describe(change: Change): string {
  const verb = change.gone ? "-" : "+";
  if (change.kind === "link") return `${verb}link ${change.link.name}`;
  if (change.kind === "route") return `${verb}route ${Prefix.format(change.route.destination)}`;
  return verb + change.kind;
}

test("changes made by another process are told in order", { skip }, async (t) => {
  const name = freshNamespace(t);
  const told: string[] = [];
  using _ = Monitor.open({
    topics: ["links", "addresses", "routes", "neighbours", "rules"],
    namespace: namespacePath(name),
    onChanges: (changes) => void told.push(...changes.map(describe)),
    onOverrun: () => told.push("overrun"),
  });
  run(name, "ip", "link", "add", "a0", "type", "veth", "peer", "name", "a1");
  run(name, "ip", "route", "add", "blackhole", "10.1.0.0/16");
  run(name, "ip", "neigh", "add", "10.0.0.9", "lladdr", "02:00:00:00:00:01", "dev", "a0");
  run(name, "ip", "rule", "add", "from", "10.9.0.0/16", "lookup", "99");
  run(name, "ip", "addr", "add", "10.0.0.1/24", "dev", "a0");
  run(name, "ip", "link", "del", "a0");
  await until(() => told.includes("-link a0") && told.includes("-link a1"), "the last change");
  const order = ["+link a1", "+link a0", "+route 10.1.0.0/16", "+neighbour", "+rule", "+address", "-link a0"];
  const places = order.map((text) => told.indexOf(text));
  assert.ok(!places.includes(-1), told.join(", "));
  assert.deepEqual(
    places,
    [...places].sort((a, b) => a - b),
  );
  assert.ok(!told.includes("overrun"));
});

test("what the named socket does itself is not told", { skip }, async (t) => {
  const name = freshNamespace(t);
  using ours = Rtnetlink.open(namespacePath(name));
  using other = Rtnetlink.open(namespacePath(name));
  const told: string[] = [];
  using _ = Monitor.open({
    topics: ["routes"],
    namespace: namespacePath(name),
    ignorePort: ours.socket.port,
    onChanges: (changes) => void told.push(...changes.map(describe)),
    onOverrun: () => told.push("overrun"),
  });
  ours.addRoute(blackhole(1));
  other.addRoute(blackhole(2));
  await until(() => told.length > 0, "the other's route");
  assert.deepEqual(told, ["+route 10.0.2.0/24"]);
});

test("only removals are told where only they are wanted", { skip }, async (t) => {
  const name = freshNamespace(t);
  using ip = Rtnetlink.open(namespacePath(name));
  const told: string[] = [];
  using _ = Monitor.open({
    topics: ["routes", "links"],
    namespace: namespacePath(name),
    ignorePort: 1,
    removalsOnly: true,
    onChanges: (changes) => void told.push(...changes.map(describe)),
    onOverrun: () => told.push("overrun"),
  });
  for (const route of [blackhole(1), blackhole(2)]) ip.addRoute(route);
  ip.deleteRoute(blackhole(1));
  await until(() => told.length > 0, "the removal");
  assert.deepEqual(told, ["-route 10.0.1.0/24"]);
});

test(
  "a flood that outgrows the buffer is told as an overrun, and the monitor goes on",
  { skip },
  async (t) => {
    const name = freshNamespace(t);
    using ip = Rtnetlink.open(namespacePath(name));
    let overruns = 0;
    let changes = 0;
    let last = "";
    using _ = Monitor.open({
      topics: ["routes"],
      namespace: namespacePath(name),
      receiveBufferBytes: 4096,
      onChanges: (some) => {
        changes += some.length;
        last = some.map(describe).at(-1) ?? last;
      },
      onOverrun: () => (overruns += 1),
    });
    const routes = Array.from({ length: 2000 }, (__, i) => blackhole(i));
    assert.deepEqual(
      ip.socket.batch(
        "route.add",
        routes.map((route) => newRoute(route)),
      ),
      [],
    );
    await until(() => overruns > 0, "an overrun");
    assert.ok(changes < 2000);
    assert.deepEqual(ip.socket.batch("route.delete", routes.slice(0, 1).map(deleteRoute)), []);
    await until(() => last === "-route 10.0.0.0/24", "a change after the overrun");
  },
);

test("a flood larger than one turn of the event loop is told whole", { skip }, async (t) => {
  const name = freshNamespace(t);
  using ip = Rtnetlink.open(namespacePath(name));
  let changes = 0;
  using _ = Monitor.open({
    topics: ["routes"],
    namespace: namespacePath(name),
    onChanges: (some) => (changes += some.length),
    onOverrun: () => assert.fail("an overrun"),
  });
  const routes = Array.from({ length: 2000 }, (__, i) => newRoute(blackhole(i)));
  assert.deepEqual(ip.socket.batch("route.add", routes), []);
  await until(() => changes === 2000, "2000 changes");
});

test("a closed monitor is silent, holds no descriptor, and may be closed again", { skip }, async (t) => {
  const name = freshNamespace(t);
  using ip = Rtnetlink.open(namespacePath(name));
  const before = readdirSync("/proc/self/fd").length;
  let told = 0;
  const options = {
    topics: ["routes"],
    namespace: namespacePath(name),
    onChanges: () => (told += 1),
    onOverrun: () => (told += 1),
  } as const;
  const monitors = Array.from({ length: 5 }, () => Monitor.open(options));
  ip.addRoute(blackhole(1));
  for (const monitor of monitors) monitor.close();
  monitors[0]?.close();
  assert.equal(readdirSync("/proc/self/fd").length, before);
  ip.addRoute(blackhole(2));
  await sleep(20);
  assert.equal(told, 0);
});
