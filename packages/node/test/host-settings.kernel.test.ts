/**
 * Aim: settings that pods depend on come back whoever changes them, and whoever did is told of.
 * Method: a namespace of the test with interfaces as pods have them; settings flipped there.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, requireRoot, Testbed } from "@caracal/testbed";
import type { IpFamily } from "@caracal/net";
import { HostSettings } from "../src/host-settings/host-settings.ts";
import { podInterfaces, podInterfaceSettings } from "../src/host-settings/wanted-settings.ts";
import { memoryLog, prefix } from "./node-fixtures.ts";

const skip = requireRoot();

test("a pod's interface has the families of its addresses, and another name is none", () => {
  const route = (text: string, interfaceName: string) => ({
    prefix: prefix(text),
    interfaceName,
    endpoint: "a/b",
  });
  const routes = [
    route("10.0.0.1/32", "cali1"),
    route("fd00::1/128", "cali1"),
    route("fd00::2/128", "cali2"),
    route("fd00::3/128", "eth0"),
  ];
  assert.deepEqual(
    [...podInterfaces(routes, ["cali"])].map(([name, families]) => [name, [...families]]),
    [
      ["cali1", [4, 6]],
      ["cali2", [6]],
    ],
  );
});

test("flipped settings come back, those of other interfaces stay", { skip }, async (t) => {
  const node = await Testbed.create(t).namespace("node");
  await node.run([
    "sh",
    "-ec",
    `for name in cali1 cali2 other; do ip link add $name type veth peer name p$name; ip link set $name up; done
     sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 net.ipv4.conf.default.rp_filter=2`,
  ]);
  const { log, lines } = memoryLog("warn");
  const pods = new Map<string, ReadonlySet<IpFamily>>([
    ["cali1", new Set([4, 6] as const)],
    ["cali2", new Set([6] as const)],
    ["cali-that-is-gone", new Set([4] as const)],
  ]);
  const ways = () => new Map([["other", new Set<IpFamily>([6])]]);
  using keeper = new HostSettings({
    settings: () => ({}),
    pods: () => pods,
    ways,
    log,
    namespace: node.path,
  });
  const value = async (path: string): Promise<string> =>
    (await node.run(["sysctl", "-n", path.replaceAll("/", ".")])).stdout.trim();
  keeper.look();
  assert.deepEqual(
    [await value("net/ipv4/ip_forward"), await value("net/ipv6/conf/all/forwarding")],
    ["1", "1"],
  );
  assert.equal(await value("net/ipv4/conf/cali2/proxy_arp"), "0", "it has no IPv4");
  const before = lines.length;
  keeper.look();
  assert.equal(lines.length, before, "a second look changes nothing");
  const flipped = podInterfaceSettings("cali1", new Set([4, 6] as const), 2);
  await node.run([
    "sysctl",
    "-qw",
    ...flipped.toReversed().map((one) => `${one.path.replaceAll("/", ".")}=${one.value === 0 ? 1 : 0}`),
    "net.ipv4.conf.other.proxy_arp=1",
    "net.ipv4.ip_forward=0",
    "net.ipv6.conf.other.disable_ipv6=1",
    "net.ipv6.conf.other.forwarding=0",
  ]);
  keeper.look();
  assert.equal(await value("net/ipv6/conf/other/disable_ipv6"), "0", "it leads to other nodes by IPv6");
  assert.equal(await value("net/ipv6/conf/other/forwarding"), "1");
  for (const one of flipped) assert.equal(await value(one.path), String(one.value), one.path);
  assert.equal(await value("net/ipv4/ip_forward"), "1");
  assert.equal(await value("net/ipv4/conf/other/proxy_arp"), "1");
  const told = lines.filter(({ setting }) => setting === "net.ipv4.ip_forward");
  assert.deepEqual(
    told.map(({ found, wanted }) => [found, wanted]),
    [["0", 1]],
    "told once a minute",
  );
});

test("what the kernel tells of comes back without waiting for a look", { skip }, async (t) => {
  const node = await Testbed.create(t).namespace("node");
  await node.run([
    "sh",
    "-ec",
    `for name in cali1 eth0 vxlan.calico other; do ip link add $name type veth peer name p$name; ip link set $name up; ip link set p$name up; done
     sysctl -qw net.ipv4.ip_forward=1`,
  ]);
  const pods = new Map<string, ReadonlySet<IpFamily>>([["cali1", new Set([4, 6] as const)]]);
  const { log } = memoryLog("fatal");
  const settings = () => ({});
  const ways = () => new Map(["eth0", "vxlan.calico"].map((name) => [name, new Set<IpFamily>([4])]));
  // Only the kernel's word makes it look.
  t.mock.timers.enable({ apis: ["setInterval"] });
  using keeper = new HostSettings({ settings, pods: () => pods, ways, log, namespace: node.path });
  keeper.look();
  const flip = [
    "net/ipv4/conf/cali1/forwarding",
    "net/ipv4/conf/cali1/proxy_arp",
    "net/ipv6/conf/cali1/proxy_ndp",
    "net/ipv6/conf/cali1/forwarding",
    "net/ipv4/conf/eth0/forwarding",
    "net/ipv4/conf/vxlan.calico/forwarding",
    "net/ipv4/ip_forward",
  ];
  const values = async (): Promise<string> =>
    (await node.run(["sysctl", "-n", ...flip])).stdout.trim().split("\n").join(" ");
  const wanted = flip.map(() => "1").join(" ");
  assert.equal(await values(), wanted);
  await node.run(["sysctl", "-qw", "net/ipv4/conf/other/proxy_arp=1"]);
  for (const path of flip) {
    await node.run(["sysctl", "-qw", `${path}=0`]);
    await eventually(async () => (await values()) === wanted);
  }
  const hasAddress = async (): Promise<boolean> =>
    (await node.run(["ip", "-6", "address", "show", "dev", "cali1"])).stdout.includes("fe80::");
  await eventually(hasAddress);
  await node.run(["sysctl", "-qw", "net/ipv6/conf/cali1/disable_ipv6=1"]);
  await eventually(
    async () => (await node.run(["sysctl", "-n", "net/ipv6/conf/cali1/disable_ipv6"])).stdout.trim() === "0",
  );
  assert.equal((await node.run(["sysctl", "-n", "net/ipv4/conf/other/proxy_arp"])).stdout.trim(), "1");
});

test("a host that shall not forward is left as it is", { skip }, async (t) => {
  const node = await Testbed.create(t).namespace("node");
  await node.run(["sysctl", "-qw", "net.ipv4.ip_forward=0"]);
  const settings = () => ({ ipForwarding: "Disabled" as const });
  using keeper = new HostSettings({
    settings,
    pods: () => new Map(),
    log: memoryLog("fatal").log,
    namespace: node.path,
  });
  keeper.look();
  assert.equal((await node.run(["sysctl", "-n", "net.ipv4.ip_forward"])).stdout.trim(), "0");
});
