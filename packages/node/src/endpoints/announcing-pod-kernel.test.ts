/** The reconciler hears of a pod before its routes and after its end, with the MAC of this very pair. Method: a fake kernel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeKernel } from "../../test/cni-fakes.ts";
import { address } from "../../test/node-fixtures.ts";
import type { PodInterface } from "../cni/ports.ts";
import { AnnouncingPodKernel } from "./announcing-pod-kernel.ts";

const pod: PodInterface = {
  hostName: "cali1",
  netns: "/pod",
  ifname: "eth0",
  families: new Set([4]),
  addresses: [address("10.244.0.1")],
  routes: [],
  mtu: undefined,
  queueCount: 1,
  forwarding: false,
};

test("routes are announced before they come, removals after", async () => {
  const kernel = new FakeKernel();
  kernel.namespaces.add(pod.netns);
  const heard: string[] = [];
  const announcing = new AnnouncingPodKernel(kernel, {
    willRoute: ({ hostName }, mac) =>
      heard.push(`${hostName} ${mac} ${kernel.pairs.get(hostName)?.routed ?? false}`),
    hasRemoved: (hostName) => heard.push(`${hostName} gone ${kernel.pairs.has(hostName)}`),
  });
  announcing.createPair(pod);
  const pair = announcing.configurePair(pod);
  announcing.addHostRoutes(pod, pair);
  assert.equal(kernel.pairs.get("cali1")?.routed, true);
  await announcing.removePair("cali1");
  assert.deepEqual(heard, [`cali1 ${pair.mac} false`, "cali1 gone false"]);
});
