/** Aim: routes have Felix's shape and protocols. Method: each kind of intent, and the wish that comes of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { address, prefix } from "../../test/node-fixtures.ts";
import { tunnelRoutes } from "./tunnel-routes.ts";

const path = () => ({ interfaceName: "eth0", gateway: undefined });

test("blackholes, neighbours and IPIP are the daemon's by protocol, VXLAN by its device", () => {
  const destination = prefix("10.244.73.0/24");
  const gateway = address("30.0.0.23");
  const hop = { gateway, onlink: true };
  const base = { prefix: destination, gateway };
  assert.deepEqual(
    tunnelRoutes(
      [
        { kind: "blackhole", prefix: destination },
        { ...base, kind: "direct" },
        { ...base, kind: "tunnel", device: "tunl0" },
        { ...base, kind: "tunnel", device: "vxlan.calico" },
      ],
      path,
    ),
    [
      { destination, protocol: 80, type: 6 },
      { destination, protocol: 80, nextHops: [{ ...hop, interfaceName: "eth0" }] },
      { destination, protocol: 80, nextHops: [{ ...hop, interfaceName: "tunl0" }] },
      { destination, protocol: 3, nextHops: [{ ...hop, interfaceName: "vxlan.calico" }] },
    ],
  );
});

test("a neighbour that nothing leads to has no route", () => {
  const route = { kind: "direct", prefix: prefix("10.244.73.0/24"), gateway: address("30.0.0.23") } as const;
  assert.deepEqual(
    tunnelRoutes([route], () => undefined),
    [],
  );
});
