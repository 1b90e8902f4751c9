/**
 * Aim: a pod gets the bandwidth of its endpoint in both directions, others' shaping is left alone, and nothing stays behind.
 * Method: two namespaces joined by a veth pair, floods through it, and `tc` for what is there and what it did.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { LinuxShaping, Rtnetlink, systemClock } from "@caracal/linux";
import type { WorkloadEndpoint } from "@caracal/resources";
import {
  eventually,
  type Namespace,
  requireRoot,
  requireTool,
  run,
  runAnyway,
  Testbed,
} from "@caracal/testbed";
import { PodShaping } from "../src/qos/pod-shaping.ts";

const skip = requireRoot() || requireTool("tc", "ip", "ping");
const hostName = "cali00000000001";
const device = "bwp00000000001";

interface Pod {
  readonly node: Namespace;
  readonly shaping: PodShaping;
  readonly kernel: Rtnetlink;
  readonly warnings: string[];
  readonly queues: () => Promise<string>;
}

async function makePod(t: TestContext): Promise<Pod> {
  const bed = Testbed.create(t);
  const [node, pod] = [await bed.namespace("node"), await bed.namespace("pod")];
  await node.ip("link", "add", hostName, "type", "veth", "peer", "name", "eth0", "netns", pod.name);
  await node.ip("addr", "add", "10.9.0.1/24", "dev", hostName);
  await node.ip("link", "set", hostName, "up");
  await pod.ip("addr", "add", "10.9.0.2/24", "dev", "eth0");
  await pod.ip("link", "set", "eth0", "up");
  const kernel = Rtnetlink.open(node.path);
  t.after(() => kernel.close());
  const warnings: string[] = [];
  const log = { warn: (line: string) => void warnings.push(line) };
  const shaping = new PodShaping({ kernel: new LinuxShaping(kernel), clock: systemClock, log });
  t.after(() => shaping[Symbol.dispose]());
  const queues = async () => (await node.run(["tc", "qdisc", "show"])).stdout;
  return { node, shaping, kernel, warnings, queues };
}

function endpoint(qosControls: Record<string, number>): WorkloadEndpoint {
  return {
    kind: "WorkloadEndpoint",
    apiVersion: "projectcalico.org/v3",
    metadata: { name: "one" },
    spec: { interfaceName: hostName, qosControls },
  };
}

test("limits are set in both directions, changed, put right and taken away", { skip }, async (t) => {
  const { node, shaping, queues, warnings, kernel } = await makePod(t);
  shaping.set([
    endpoint({ ingressBandwidth: 8e6, ingressBurst: 16e6, egressBandwidth: 4e6, egressBurst: 16e6 }),
  ]);
  const both = async (): Promise<boolean> => {
    const text = await queues();
    return (
      new RegExp(`dev ${hostName} root .*rate 8Mbit`).test(text) &&
      new RegExp(`dev ${device} root .*rate 4Mbit`).test(text)
    );
  };
  assert.ok(await eventually(both), await queues());
  // Both ways through the buckets: what comes back went through the device.
  await node.run(["ping", "-c", "2", "-i", "0.2", "-W", "2", "10.9.0.2"]);
  const sent = (await node.run(["tc", "-s", "qdisc", "show", "dev", device])).stdout;
  assert.doesNotMatch(sent, /Sent 0 bytes/);

  shaping.set([endpoint({ ingressBandwidth: 16e6, egressBandwidth: 4e6, egressBurst: 16e6 })]);
  assert.ok(await eventually(async () => /rate 16Mbit/.test(await queues())), await queues());
  await node.ip("link", "del", device);
  await node.run(["tc", "qdisc", "del", "dev", hostName, "root"]);
  shaping.set([endpoint({ ingressBandwidth: 8e6, egressBandwidth: 4e6, egressBurst: 16e6 })]);
  assert.ok(await eventually(both), await queues());

  shaping.set([]);
  assert.ok(await eventually(async () => !/tbf|ingress/.test(await queues())), await queues());
  assert.equal(kernel.link(device), undefined);
  assert.deepEqual(warnings, []);
});

test("what is beyond the bandwidth waits or is dropped", { skip }, async (t) => {
  const { node, shaping, queues } = await makePod(t);
  shaping.set([endpoint({ ingressBandwidth: 8e6, ingressBurst: 8e5 })]);
  assert.ok(await eventually(async () => /rate 8Mbit/.test(await queues())));
  // More than the bucket's 100 kB at once.
  const flood = ["ping", "-q", "-c", "120", "-l", "120", "-s", "1400", "-w", "2", "10.9.0.2"];
  await runAnyway(["nsenter", `--net=${node.path}`, ...flood]);
  const counters = (await node.run(["tc", "-s", "qdisc", "show", "dev", hostName])).stdout;
  assert.match(counters, /overlimits [1-9]/);
});

test("shaping by someone else stays, and is told once", { skip }, async (t) => {
  const { node, shaping, queues, warnings } = await makePod(t);
  await node.run([
    "tc",
    "qdisc",
    "add",
    "dev",
    hostName,
    "root",
    "handle",
    "1:",
    "tbf",
    "rate",
    "1mbit",
    "burst",
    "20k",
    "latency",
    "25ms",
  ]);
  shaping.set([endpoint({ ingressBandwidth: 8e6 })]);
  assert.ok(await eventually(() => Promise.resolve(warnings.length > 0)));
  shaping.set([endpoint({ ingressBandwidth: 9e6 })]);
  await run(["sleep", "0.2"]);
  assert.match(await queues(), /qdisc tbf 1: dev cali00000000001 root .*rate 1Mbit/);
  assert.deepEqual(warnings, [`${hostName} is shaped by someone else: its pod's limits are left to them`]);
});

test("a new interface is left to its chain for a moment", { skip }, async (t) => {
  const { node, shaping, queues } = await makePod(t);
  const other = {
    ...endpoint({ ingressBandwidth: 8e6 }),
    spec: { interfaceName: "cali00000000002", qosControls: { ingressBandwidth: 8e6 } },
  };
  shaping.set([endpoint({ ingressBandwidth: 8e6 })]);
  assert.ok(await eventually(async () => /rate 8Mbit/.test(await queues())));
  await node.ip("link", "add", "cali00000000002", "type", "veth", "peer", "name", "v2");
  shaping.set([endpoint({ ingressBandwidth: 8e6 }), other]);
  await run(["sleep", "0.3"]);
  assert.doesNotMatch(await queues(), /tbf .* dev cali00000000002/);
  assert.ok(
    await eventually(async () => /tbf .* dev cali00000000002 root .*rate 8Mbit/.test(await queues())),
  );
});
