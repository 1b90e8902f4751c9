/**
 * NAT and floating addresses, seen by real packets. Method: a node with two pods and a neighbour in namespaces; who a
 * connection comes from is what the other side says; the rules come from resources, as on a node.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, requireRoot, requireTool } from "@caracal/testbed";
import {
  floatingPod,
  otherAddress,
  packetRig,
  pings,
  podAddress,
  podAddress6,
  pool,
  seenBy,
  steadyPing,
} from "./packet-rig.ts";

const skip = requireRoot() || requireTool("nft", "ping", "bash", "timeout");

const nat = [
  pool("v4", "10.244.0.0/16", { natOutgoing: true }),
  pool("far", "10.245.0.0/16"),
  pool("v6", "fd00:10::/48", { natOutgoing: true }),
];

test("pods leave with the node's address, but keep theirs between pools", { skip }, async (t) => {
  const { pod, outside, set } = await packetRig(t);
  assert.equal((await seenBy(pod, "198.51.100.7"))?.address, podAddress, "without a rule");
  await set({ pools: nat });
  assert.equal((await seenBy(pod, "198.51.100.7"))?.address, "10.9.0.1");
  assert.equal((await seenBy(pod, "10.9.0.2", "udp"))?.address, "10.9.0.1");
  assert.equal((await seenBy(pod, "10.9.0.2"))?.address, "10.9.0.1", "a node is outside the pools");
  assert.equal((await seenBy(pod, "10.245.0.9"))?.address, podAddress);
  assert.equal((await seenBy(pod, "2001:db8::7"))?.address, "fd09::1");
  assert.equal((await seenBy(outside, podAddress))?.address, "10.9.0.2", "what comes in is left alone");
  await set({ pools: nat.map((one) => ({ ...one, spec: { ...one.spec, natOutgoing: false } })) });
  assert.equal((await seenBy(pod, "198.51.100.7"))?.address, podAddress);
});

test("ports, address, excluded hosts and interface are as the settings say", { skip }, async (t) => {
  const { node, pod, set, nft } = await packetRig(t);
  await node.ip("address", "add", "10.9.0.77/24", "dev", "eth0");
  await set({ pools: nat, felix: { natPortRange: "40000:40003" } });
  for (const protocol of ["tcp", "udp"] as const) {
    const seen = await seenBy(pod, "10.9.0.2", protocol);
    assert.equal(seen?.address, "10.9.0.1");
    assert.ok(seen.port >= 40000 && seen.port <= 40003, `${protocol} ${seen.port}`);
  }
  const seen6 = await seenBy(pod, "2001:db8::7");
  assert.ok(seen6 !== undefined && seen6.port >= 40000 && seen6.port <= 40003);
  assert.equal(await pings(pod, "198.51.100.7"), true, "what has no ports is translated all the same");
  await set({ pools: nat, felix: { natOutgoingAddress: "10.9.0.77", natPortRange: 4007 } });
  assert.deepEqual(await seenBy(pod, "198.51.100.7"), { address: "10.9.0.77", port: 4007 });
  assert.equal((await seenBy(pod, "2001:db8::7"))?.address, "fd09::1");
  await set({ pools: nat, felix: { natOutgoingExclusions: "IPPoolsAndHostIPs" } });
  assert.equal((await seenBy(pod, "10.9.0.2"))?.address, podAddress);
  assert.equal((await seenBy(pod, "fd09::2"))?.address, podAddress6);
  assert.equal((await seenBy(pod, "10.9.0.3"))?.address, "10.9.0.1", "not a node");
  await set({ pools: nat, felix: { iptablesNATOutgoingInterfaceFilter: "wlan+" } });
  assert.equal((await seenBy(pod, "198.51.100.7"))?.address, podAddress);
  await set({ pools: nat, felix: { iptablesNATOutgoingInterfaceFilter: "eth+" } });
  assert.equal((await seenBy(pod, "198.51.100.7"))?.address, "10.9.0.1");
  await set({});
  assert.equal(await nft("list", "ruleset"), "");
});

test("pools that overlap, and one that is all there is, are taken", { skip }, async (t) => {
  const { pod, set, nft } = await packetRig(t);
  await set({ pools: [...nat, pool("inside", "10.244.0.0/24", { natOutgoing: true })] });
  assert.equal((await seenBy(pod, "198.51.100.7"))?.address, "10.9.0.1");
  assert.match(await nft("list", "set", "ip", "caracal", "cali40masq-ipam-pools"), /\{ 10\.244\.0\.0\/16 \}/);
  await set({ pools: [pool("all", "0.0.0.0/0", { natOutgoing: true })] });
  assert.equal((await seenBy(pod, "198.51.100.7"))?.address, podAddress);
});

test(
  "a floating address reaches its pod from outside, from the node, from pods and from itself",
  { skip },
  async (t) => {
    const { node, pod, other, outside, set } = await packetRig(t);
    const felix = { floatingIPs: "Enabled" } as const;
    const endpoints = [floatingPod("a", [podAddress, "192.0.2.1"], [podAddress6, "fd00:99::1"])];
    await set({ pools: nat, felix, endpoints });
    assert.equal((await seenBy(outside, "192.0.2.1"))?.address, "10.9.0.2");
    assert.equal((await seenBy(outside, "fd00:99::1"))?.address, "fd09::2");
    assert.ok((await seenBy(node, "192.0.2.1")) !== undefined, "from the node");
    assert.equal((await seenBy(other, "192.0.2.1"))?.address, otherAddress);
    assert.equal((await seenBy(pod, "192.0.2.1"))?.address, "192.0.2.1", "its own source would be dropped");
    assert.equal((await seenBy(pod, "fd00:99::1"))?.address, "fd00:99::1");
    assert.equal((await seenBy(outside, podAddress))?.address, "10.9.0.2", "its own address stays");
    // The other pod has the lower claim only as long as it has it.
    await set({ pools: nat, felix, endpoints: [floatingPod("b", [otherAddress, "192.0.2.1"])] });
    assert.equal(await seenBy(outside, "192.0.2.1", "tcp", 1), undefined, "nothing listens there");
    await set({ pools: nat, endpoints });
    assert.equal(await seenBy(outside, "192.0.2.1", "tcp", 1), undefined, "floating IPs are off");
  },
);

test("after a flush, and after one altered rule, NAT is back while pings run on", { skip }, async (t) => {
  const { node, pod, set, nft, lines, filter } = await packetRig(t);
  await set({ pools: nat });
  await nft("add", "table", "ip", "kube-proxy");
  const table = await nft("-s", "list", "table", "ip", "caracal");
  const stopPlain = await steadyPing(pod, "10.245.0.9");
  await nft("flush", "ruleset");
  const repairs = (): number => filter.status.reduce((sum, { repairCount }) => sum + repairCount, 0);
  await eventually(() => repairs() === 2, { what: "both tables put back" });
  assert.equal(await nft("-s", "list", "table", "ip", "caracal"), table);
  assert.equal((await seenBy(pod, "198.51.100.7"))?.address, "10.9.0.1");
  const handle = /masquerade .*# handle (\d+)/.exec(
    await nft("-a", "list", "chain", "ip", "caracal", "nat-cali-nat-outgoing"),
  )?.[1];
  assert.ok(handle !== undefined);
  const stopNatted = await steadyPing(pod, "198.51.100.7");
  await nft("delete", "rule", "ip", "caracal", "nat-cali-nat-outgoing", "handle", handle);
  await eventually(() => repairs() === 3, { what: "the rule put back" });
  await node.run(["ping", "-c3", "-i0.1", "10.9.0.2"]);
  // A connection that is known keeps its translation, with the rule or without it.
  for (const stop of [stopPlain, stopNatted]) {
    const { sent, lost } = await stop();
    assert.ok(sent > 3 && lost === 0, `${lost} of ${sent} pings lost`);
  }
  const told = lines.filter(({ msg }) => String(msg).startsWith("somebody else changed our nftables"));
  const tables = told.map(({ table: name }) => name).toSorted((a, b) => String(a).localeCompare(String(b)));
  assert.deepEqual(tables, ["ip caracal", "ip caracal", "ip6 caracal"]);
});
