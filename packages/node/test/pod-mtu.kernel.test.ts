/**
 * Aim: pods get the MTU that the node's interfaces and the pools leave them, also after these change.
 * Method: a node and pods that are namespaces of the test, the file in a directory of the test, the CNI engine between them.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { eventually, requireRoot, Testbed } from "@caracal/testbed";
import { LinkRemover } from "../src/cni/link-remover.ts";
import { LinuxPodKernel } from "../src/cni/linux-pod-kernel.ts";
import { PodMtuFile } from "../src/mtu/pod-mtu-file.ts";
import { readMtu } from "../src/startup/node-files.ts";
import { CniNode, podCall, result } from "./cni-suite.ts";
import { memoryLog, pool } from "./node-fixtures.ts";

it(
  "a pod on a node with an MTU of 1400 gets 1400, and the next one what has changed",
  {
    skip: requireRoot(),
  },
  async (t) => {
    const bed = Testbed.create(t);
    const node = await bed.namespace("node");
    await node.run([
      "sh",
      "-ec",
      `ip link add eth0 mtu 1400 type veth peer name wire
     ip link set wire up
     ip address add 172.18.0.2/24 dev eth0
     ip link set eth0 up
     ip route add default via 172.18.0.1`,
    ]);
    const directory = mkdtempSync(join(tmpdir(), "caracal-mtu-"));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const path = join(directory, "mtu");
    const { log, lines } = memoryLog();
    using file = new PodMtuFile({
      path,
      pools: [],
      settings: {},
      log,
      namespace: node.path,
    });
    const remover = new LinkRemover(node.path);
    t.after(() => remover.close());
    const kernel = new LinuxPodKernel(remover, node.path);
    t.after(() => kernel.close());
    const cniNode = new CniNode({
      kernel,
      newNamespace: () => assert.fail("the bed makes namespaces"),
      removeNamespace: () => undefined,
      snapshot: () => undefined,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
    const mtuOfNewPod = async (name: string): Promise<unknown> => {
      const pod = await bed.namespace(name);
      const engine = cniNode.engine({ defaultMtu: () => readMtu(path) });
      const args = `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name}`;
      result(await engine.answer(podCall(pod.path, { containerId: name, args })));
      const [link] = JSON.parse((await pod.run(["ip", "-j", "link", "show", "eth0"])).stdout);
      return link.mtu;
    };
    const becomes = (mtu: string): Promise<true> =>
      eventually(() => readFileSync(path, "utf8") === mtu, { what: `an MTU of ${mtu}` });

    assert.equal(await mtuOfNewPod("first"), 1400);
    const pools = [pool("10.244.0.0/16", { ipipMode: "Always" })];
    file.set(pools, {});
    assert.equal(await mtuOfNewPod("second"), 1380);
    await node.run(["ip", "link", "set", "eth0", "mtu", "1300"]);
    await becomes("1280");
    const known = lines.length;
    await node.run(["sh", "-ec", "ip link set eth0 down; ip link set eth0 mtu 1310; ip link set eth0 up"]);
    await becomes("1290");
    assert.deepEqual(
      lines.slice(known).map(({ mtu }) => mtu),
      [1290],
      "while it is down nothing changes",
    );
    await node.run(["sh", "-ec", "ip link set eth0 mtu 1300"]);
    await node.run(["sh", "-ec", "ip link set eth0 down; ip link set eth0 name uplink"]);
    await becomes("1440");
    file.set(pools, { mtuIfacePattern: "^uplink" });
    await node.run(["ip", "link", "set", "uplink", "up"]);
    await becomes("1280");
    file.set(pools, { mtuIfacePattern: "^uplink", ipipMTU: 1270 });
    await becomes("1270");
  },
);
