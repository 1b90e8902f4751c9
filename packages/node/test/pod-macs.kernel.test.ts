/**
 * Aim: a pod whose MAC changes after it was set up stays reachable. Method: a pair as CNI makes it between two namespaces of the
 * test, virtual time, pings.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "@caracal/dataplane";
import { requireRoot, Testbed } from "@caracal/testbed";
import { PodMacs } from "../src/host-settings/pod-macs.ts";
import { memoryLog } from "./node-fixtures.ts";

const skip = requireRoot();

test(
  "the host's static entries follow the pod's MAC, and those of other interfaces stay",
  { skip },
  async (t) => {
    const bed = Testbed.create(t);
    const [node, pod] = [await bed.namespace("node"), await bed.namespace("pod")];
    const script = (namespace: typeof node, text: string) => namespace.run(["sh", "-ec", text]);
    await script(
      node,
      `ip link add cali1 type veth peer name eth0 netns ${pod.name}
     ip link set cali1 up
     ip link add other type veth peer name pother
     ip link set other up
     ip neigh add 10.0.0.9 dev other lladdr 02:00:00:00:00:09 nud permanent
     ip addr add 10.0.0.1/32 dev cali1`,
    );
    await script(
      pod,
      `ip link set eth0 address 02:00:00:00:00:02 up
     ip addr add 10.0.0.2/32 dev eth0
     ip route add 10.0.0.1 dev eth0`,
    );
    await script(
      node,
      `ip route add 10.0.0.2 dev cali1
     ip neigh add 10.0.0.2 dev cali1 lladdr 02:00:00:00:00:02 nud permanent
     ip neigh add fd00::2 dev cali1 lladdr 02:00:00:00:00:02 nud permanent`,
    );
    const clock = new VirtualClock();
    const { log, lines } = memoryLog();
    const pods = ["cali1", "cali-that-is-gone"];
    let isBusy = false;
    using macs = new PodMacs({ pods: () => pods, isBusy: () => isBusy, clock, log, namespace: node.path });
    await clock.advance(500);
    assert.deepEqual(lines, []);

    await script(pod, "ip link set eth0 address 02:00:00:00:00:03");
    isBusy = true;
    await clock.advance(5_000);
    assert.deepEqual(lines, [], "pods that are made and deleted come first");
    isBusy = false;
    await clock.advance(500);
    const entries = await node.ip("neigh", "show", "nud", "permanent");
    assert.match(entries, /^10\.0\.0\.2 dev cali1 lladdr 02:00:00:00:00:03 PERMANENT/m);
    assert.match(entries, /^fd00::2 dev cali1 lladdr 02:00:00:00:00:03 PERMANENT/m);
    assert.match(entries, /^10\.0\.0\.9 dev other lladdr 02:00:00:00:00:09 PERMANENT/m);
    assert.deepEqual(lines.map(({ address, mac }) => `${String(address)} ${String(mac)}`).toSorted(), [
      "10.0.0.2 02:00:00:00:00:03",
      "fd00::2 02:00:00:00:00:03",
    ]);
    await node.run(["ping", "-c1", "-W2", "10.0.0.2"]);

    const machine = ["ip link set eth0 down address 02:00:00:00:00:04", "ip link add br0 type bridge"];
    for (const step of [...machine, "ip link set eth0 master br0 up"]) {
      await script(pod, step);
      await clock.advance(500);
      assert.equal(lines.length, 2, `a machine behind the pod keeps the MAC: ${step}`);
    }
    await script(pod, "ip link set eth0 nomaster");
    await clock.advance(500);
    assert.match(await node.ip("neigh", "show", "dev", "cali1"), /^10\.0\.0\.2 lladdr 02:00:00:00:00:04 /m);

    await script(pod, "ip link del eth0");
    await clock.advance(500);
    assert.equal(lines.length, 4, "an interface that is gone is nobody's trouble");
    assert.ok(macs);
  },
);
