/**
 * Aim: a daemon's status is read as far as labs need it, and an answer of another shape does no harm.
 * Method: an answer as the daemon gives it, and odd ones.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { toReport } from "./node-report.ts";

test("sessions, readiness and problems are read", () => {
  const peer = { asNumber: 64512, isPassive: false, importedRoutes: 1, exportedRoutes: 1 };
  const answer = {
    node: "a",
    isReady: false,
    notReadyBecause: "bgp: not established with 10.0.0.3",
    bgp: {
      peers: [
        { ...peer, name: "Mesh_10_0_0_2", address: "10.0.0.2", state: "Established", lastError: "" },
        {
          ...peer,
          name: "Node_10_0_0_3",
          address: "10.0.0.3",
          state: "Connect",
          lastError: "Socket: Connection refused",
        },
      ],
    },
    kernel: {
      isInSync: true,
      failures: [{ route: "10.1.0.0/26", errno: "ENETUNREACH", detail: "no gateway" }],
    },
    problems: [{ about: "BGPPeer x", message: "filters are not applied" }],
  };
  assert.deepEqual(toReport(answer), {
    isReady: false,
    notReadyBecause: "bgp: not established with 10.0.0.3",
    sessions: [
      { peer: "10.0.0.2", isMesh: true, type: "node-to-node mesh", state: "Established", lastError: "" },
      {
        peer: "10.0.0.3",
        isMesh: false,
        type: "node specific",
        state: "Connect",
        lastError: "Socket: Connection refused",
      },
    ],
    problems: ["BGPPeer x: filters are not applied", "the kernel refuses 10.1.0.0/26: no gateway"],
  });
});

test("an answer of another shape is an empty report", () => {
  for (const odd of [undefined, [], { bgp: { peers: "none" } }, { problems: [1] }]) {
    assert.deepEqual(toReport(odd), { isReady: false, sessions: [], problems: [] });
  }
});
