/** Aim: what keeps a wanted route out of the kernel is told in words. Method: a reconciler over a kernel in memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeKernel, RouteReconciler, VirtualClock } from "@caracal/dataplane";
import { RouteProtocol, RouteScope, RouteTable, RouteType } from "@caracal/netlink";
import { address, prefix, settle } from "../../test/node-fixtures.ts";
import { routeTroubles, toldMax } from "./route-troubles.ts";

test("a route whose place is taken is named with what has its place", async (t) => {
  const kernel = new FakeKernel();
  const { index } = kernel.addLink("eth0");
  kernel.setLinkUp("eth0", true);
  kernel.addAddress("eth0", address("10.0.0.21"), 24);
  kernel.alien({
    kind: "add",
    route: {
      destination: prefix("10.244.128.0/24"),
      type: RouteType.RTN_UNICAST,
      protocol: RouteProtocol.RTPROT_STATIC,
      scope: RouteScope.RT_SCOPE_UNIVERSE,
      table: RouteTable.RT_TABLE_MAIN,
      metric: 0,
      nextHops: [{ gateway: address("10.0.0.254"), interfaceIndex: index }],
    },
  });
  const clock = new VirtualClock();
  const owns = { protocols: [RouteProtocol.RTPROT_FELIX] };
  const reconciler = new RouteReconciler({ kernel, clock, sources: [{ name: "all", owns, graceMs: 0 }] });
  t.after(() => reconciler.stop());
  reconciler.start();
  const hop = { interfaceName: "eth0", gateway: address("10.0.0.22"), onlink: true };
  const wish = { destination: prefix("10.244.128.0/24"), protocol: RouteProtocol.RTPROT_FELIX };
  reconciler.replace("all", [{ ...wish, nextHops: [hop] }]);
  await clock.advance(1000);
  await settle();
  const nameOf = (link: number): string | undefined => reconciler.linkName(link);
  assert.deepEqual(routeTroubles(reconciler.status, nameOf), [
    {
      about: "route 10.244.128.0/24",
      message:
        "is not as it should be (10.244.128.0/24 via 10.0.0.22 dev eth0 onlink proto 80): somebody else's stands in its place (10.244.128.0/24 via 10.0.0.254 dev eth0 proto static); remove that one",
    },
  ]);
});

test("of many refused routes some are told, and how many more there are", () => {
  const failures = Array.from({ length: toldMax + 3 }, (_, at) => ({
    key: `10.${at}.0.0/24 254 0`,
    errno: "EINVAL",
    detail: "no",
  }));
  const told = routeTroubles({ failures, conflicts: [] }, () => undefined);
  assert.equal(told.length, toldMax + 1);
  assert.deepEqual(told[0], {
    about: "route 10.0.0.0/24",
    message: "is refused by the kernel: EINVAL no",
  });
  assert.deepEqual(told.at(-1), { about: "routes", message: "3 more are not in the kernel" });
});
