/**
 * Limits of packets and connections, and the marks of what leaves, seen by real packets. Method: the node with pods that the tests
 * of NAT have; floods and connections through it, counted at their ends.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { WorkloadEndpoint } from "@caracal/resources";
import { eventually, type Namespace, requireRoot, requireTool } from "@caracal/testbed";
import { endpoint } from "./node-fixtures.ts";
import { otherAddress, packetRig, pings, podAddress, podAddress6, pool } from "./packet-rig.ts";

const skip = requireRoot() || requireTool("nft", "ping", "bash", "timeout", "tcpdump");
const pools = [pool("v4", "10.244.0.0/16"), pool("v6", "fd00:10::/48")];

function limited(qosControls: Record<string, number | string>): WorkloadEndpoint {
  return endpoint("n1", "a", podAddress, { interfaceName: "calia", qosControls });
}

/** How many of 60 pings, sent in about a tenth of a second, are answered. */
async function answered(from: Namespace, to: string): Promise<number> {
  const { stdout } = await from.runAnyway(["ping", "-nq", "-c60", "-i0.002", "-W1", to]);
  return Number(/(\d+) received/.exec(stdout)?.[1]);
}

/** Connections that are open at once, of `wanted` attempts. */
async function openConnections(from: Namespace, to: string, wanted: number): Promise<number> {
  const attempts = Array.from(
    { length: wanted },
    (_none, at) => `exec ${at + 4}<>/dev/tcp/${to}/7777 && echo open`,
  );
  const { stdout } = await from.runAnyway(["timeout", "5", "bash", "-c", `${attempts.join("; ")}; true`]);
  return stdout.split("\n").filter((line) => line === "open").length;
}

test("packets beyond the rate are dropped, each way for itself", { skip }, async (t) => {
  const { pod, outside, node, set, nft } = await packetRig(t);
  await set({ pools, endpoints: [limited({ egressPacketRate: 10, egressPacketBurst: 5 })] });
  const sent = await answered(pod, "198.51.100.7");
  assert.ok(sent >= 5 && sent < 30, `${sent} of 60 went out`);
  assert.ok((await answered(outside, otherAddress)) > 50, "the other pod has no limit");
  await set({ pools, endpoints: [limited({ ingressPacketRate: 10 })] });
  for (const from of [outside, node]) {
    const received = await answered(from, podAddress);
    assert.ok(received >= 5 && received < 30, `${received} of 60 came in`);
  }
  assert.ok((await answered(outside, podAddress6)) < 30, "IPv6 has the same limit");
  await set({ pools, endpoints: [limited({})] });
  assert.equal(await answered(pod, "198.51.100.7"), 60);
  assert.doesNotMatch(await nft("list", "ruleset"), /limit/);
});

test("connections beyond the limit are refused at once", { skip }, async (t) => {
  const { pod, outside, set } = await packetRig(t);
  const hold = `require("node:net").createServer(() => {}).listen(7777, "::", () => console.log("listening"))`;
  for (const namespace of [pod, outside]) {
    const server = await namespace.start([process.execPath, "-e", hold]);
    await eventually(() => server.output.includes("listening"), { what: "the server" });
  }
  assert.equal(await openConnections(outside, podAddress, 5), 5);
  await set({ pools, endpoints: [limited({ ingressMaxConnections: 2, egressMaxConnections: 3 })] });
  assert.equal(await openConnections(outside, podAddress, 5), 2);
  assert.equal(await openConnections(pod, "198.51.100.7", 5), 3);
});

test("what leaves the pools carries the code point, what stays does not", { skip }, async (t) => {
  const { pod, other, outside, set } = await packetRig(t);
  await set({ pools, endpoints: [limited({ dscp: "EF" })] });
  const seen = async (at: Namespace, to: string): Promise<string> => {
    const capture = await at.start(["tcpdump", "-nvl", "-i", "eth0", "icmp[icmptype] == icmp-echo"]);
    await eventually(() => capture.output.includes("listening on"), { what: "tcpdump" });
    assert.ok(await pings(pod, to));
    await eventually(() => capture.output.includes("tos "), { what: "an echo" });
    capture.signal("SIGTERM");
    return /tos (0x[0-9a-f]+)/.exec(capture.output)?.[1] ?? "";
  };
  // 46 << 2 (RFC 3246 §2.7).
  assert.equal(await seen(outside, "198.51.100.7"), "0xb8");
  assert.equal(await seen(other, otherAddress), "0x0");
});
