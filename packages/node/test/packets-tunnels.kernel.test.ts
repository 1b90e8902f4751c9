/**
 * The protection of tunnels, tried by real packets. Method: the rig of a node, its pods and a neighbour that sends as another node
 * or as a stranger; what got in is what answers, or what a table of the test's own counts behind ours.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, type Namespace, requireRoot, requireTool } from "@caracal/testbed";
import { observe, packetRig, pings, podAddress, pool, seen } from "./packet-rig.ts";

const skip = requireRoot() || requireTool("nft", "ping", "bash", "timeout", "perl");

const vxlanPools = [
  pool("v4", "10.244.0.0/16", { vxlanMode: "Always" }),
  pool("v6", "fd00:10::/48", { vxlanMode: "Always" }),
];
const ends = { ipv4VXLANTunnelAddr: "10.244.0.0", ipv6VXLANTunnelAddr: "fd00:10::" };

for (const [family, near, neighbour, stranger] of [
  ["IPv4", "10.9.0.1", "10.9.0.2", "10.9.0.3"],
  ["IPv6", "fd09::1", "fd09::2", "fd09::3"],
] as const) {
  test(`VXLAN over ${family} is taken from nodes, and from nobody else`, { skip }, async (t) => {
    const { node, outside, set } = await packetRig(t);
    // The same wire twice: one end of the neighbour's sends as the node it is, the other as a stranger.
    for (const [id, address] of [
      [0, neighbour],
      [1, stranger],
    ] as const) {
      const add = `link add vx${id} type vxlan id ${4096 + id} dstport 4789 dev eth0`.split(" ");
      await node.ip(...add, "local", near, "remote", address);
      await outside.ip(...add, "local", address, "remote", near);
      for (const [namespace, last] of [
        [node, 1],
        [outside, 2],
      ] as const) {
        await namespace.ip("address", "add", `172.31.${id}.${last}/24`, "dev", `vx${id}`);
        await namespace.ip("link", "set", `vx${id}`, "up");
      }
    }
    assert.equal(await pings(outside, "172.31.1.1"), true, "unprotected");
    await set({ pools: vxlanPools, nodeSpec: ends });
    assert.equal(await pings(outside, "172.31.0.1"), true);
    assert.equal(await pings(outside, "172.31.1.1"), false);
    await set({ pools: vxlanPools, nodeSpec: ends, felix: { externalNodesList: [stranger] } });
    assert.equal(await pings(outside, "172.31.1.1"), true);
  });
}

test("VXLAN does not leave workloads, for their node or beyond, unless it may", { skip }, async (t) => {
  const { node, pod, outside, set, nft } = await packetRig(t);
  await set({ pools: vxlanPools, nodeSpec: ends });
  for (const namespace of [node, outside]) await observe(namespace, ["udp dport 4789", "udp dport 4790"]);
  const attempt = async (): Promise<void> => {
    for (const to of ["10.9.0.1", "10.9.0.2"]) {
      const script = `echo forged >/dev/udp/${to}/4789; echo plain >/dev/udp/${to}/4790`;
      await pod.run(["bash", "-c", script]);
    }
  };
  const counts = async (): Promise<readonly (readonly number[])[]> => [await seen(node), await seen(outside)];
  await attempt();
  await eventually(async () => (await counts()).every(([, plain]) => plain === 1));
  assert.deepEqual((await counts()).flat(), [0, 1, 0, 1]);
  await set({ pools: vxlanPools, nodeSpec: ends, felix: { allowVXLANPacketsFromWorkloads: true } });
  await attempt();
  await eventually(async () => (await counts()).every(([, plain]) => plain === 2));
  // The node takes tunnels from nodes only, whatever workloads may send out.
  assert.deepEqual((await counts()).flat(), [0, 2, 1, 2]);
  assert.match(await nft("list", "chain", "ip", "caracal", "raw-PREROUTING"), /udp dport 4789 notrack/);
});

/** Sends one IP-in-IP packet: the outer header by the kernel, an inner one that is as empty as may be. */
async function sendIpip(from: Namespace, source: string, to: string): Promise<void> {
  const script = `use Socket;
    socket(my $s, PF_INET, SOCK_RAW, 4) or die $!;
    bind($s, pack_sockaddr_in(0, inet_aton("${source}"))) or die $!;
    my $inner = pack("H*", "4500001400000000400400000af409090af40005");
    send($s, $inner, 0, pack_sockaddr_in(0, inet_aton("${to}"))) or die $!;`;
  await from.run(["perl", "-e", script]);
}

test("IPIP is taken from nodes only, and never leaves workloads", { skip }, async (t) => {
  const { node, pod, outside, set } = await packetRig(t);
  for (const namespace of [node, outside]) await observe(namespace, ["ip protocol 4"]);
  const attempt = async (): Promise<void> => {
    await sendIpip(outside, "10.9.0.3", "10.9.0.1");
    await sendIpip(pod, podAddress, "10.9.0.1");
    await sendIpip(pod, podAddress, "10.9.0.2");
    // Last, so that all before it has been decided on when it is counted.
    await sendIpip(outside, "10.9.0.2", "10.9.0.1");
  };
  await attempt();
  await eventually(async () => (await seen(node))[0] === 3 && (await seen(outside))[0] === 1, {
    what: "all of them, unprotected",
  });
  await set({ pools: [pool("v4", "10.244.0.0/16", { ipipMode: "CrossSubnet" })] });
  await attempt();
  await eventually(async () => (await seen(node))[0] === 4, { what: "the node's" });
  assert.deepEqual([...(await seen(node)), ...(await seen(outside))], [4, 1]);
});

test("what the node sends through a tunnel has the tunnel's address", { skip }, async (t) => {
  const { node, outside, set } = await packetRig(t);
  const add = "type vxlan id 4096 dstport 4789 dev eth0".split(" ");
  for (const [namespace, device, local, remote, address] of [
    [node, "vxlan.calico", "10.9.0.1", "10.9.0.2", "10.244.0.0/32"],
    [outside, "vx", "10.9.0.2", "10.9.0.1", "10.245.7.0/32"],
  ] as const) {
    await namespace.ip("link", "add", device, ...add, "local", local, "remote", remote);
    await namespace.ip("address", "add", address, "dev", device);
    await namespace.ip("link", "set", device, "up");
  }
  await node.ip("route", "add", "10.245.7.0/32", "dev", "vxlan.calico");
  await outside.ip("route", "add", "10.244.0.0/32", "dev", "vx");
  await observe(outside, [
    "ip saddr 10.9.0.1 icmp type echo-request",
    "ip saddr 10.244.0.0 icmp type echo-request",
  ]);
  const ping = async (): Promise<void> => void (await pings(node, "10.245.7.0", "-I", "10.9.0.1"));
  await ping();
  assert.deepEqual(await seen(outside), [3, 0], "without a rule");
  await set({ pools: vxlanPools, nodeSpec: ends });
  await ping();
  assert.deepEqual(await seen(outside), [3, 3]);
});
