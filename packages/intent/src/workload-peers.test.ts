/**
 * Aim: workloads that a BGPPeer selects are waited for on their own node only.
 * Method: pods with labels on two nodes, and the peers of one of them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IpAddress } from "@caracal/net";
import { cluster, input, node, peer, pod } from "../test/scenario.ts";
import { nodeIntent, type PeerIntent } from "./index.ts";

const speaker = { ...pod("a", "speaker", "10.244.1.5/32"), ...labelled("speaker", { role: "router" }) };
const other = { ...pod("a", "other", "10.244.1.6/32"), ...labelled("other", { role: "web" }) };
const remote = { ...pod("b", "far", "10.244.2.5/32"), ...labelled("far", { role: "router" }) };

function labelled(name: string, labels: Record<string, string>) {
  return { metadata: { name: `a-k8s-${name}-eth0`, namespace: "default", labels } };
}

function peersOf(name: string, ...peers: ReturnType<typeof peer>[]): readonly PeerIntent[] {
  const resources = cluster({
    nodes: [
      node("a", { ipv4Address: "10.0.0.1/24" }, { rack: "1" }),
      node("b", { ipv4Address: "10.0.0.2/24" }, { rack: "2" }),
    ],
    bgpPeers: peers,
  });
  const endpoints = [speaker, other, remote];
  const intent = nodeIntent(input(name, resources, { endpoints }));
  assert.deepEqual(intent.problems, []);
  return (intent.bgp?.peers ?? []).filter(({ type }) => type === "workload");
}

test("a selected workload has a session that waits for it, with the AS of the resource", () => {
  const [session, ...others] = peersOf(
    "a",
    peer("routers", { localWorkloadSelector: "role == 'router'", asNumber: 65100, localASNumber: 65200 }),
  );
  assert.deepEqual(others, []);
  assert.deepEqual(session, {
    name: "Local_Workload_10_244_1_5",
    type: "workload",
    family: 4,
    address: IpAddress.parse("10.244.1.5"),
    port: 179,
    remoteAsNumber: 65100,
    localAsNumber: 65200,
    isPassive: true,
    bgpPeer: "routers",
    nextHop: "auto",
    allowedLocalAsCount: 0,
    holdSeconds: 240,
    restartSeconds: 120,
    keepaliveSeconds: 80,
    filters: [],
  });
});

test("a BGPPeer without an AS, or with a filter that is not there, is told of", () => {
  const lines = (spec: Parameters<typeof peer>[1]) => {
    const resources = cluster({
      nodes: [node("a", { ipv4Address: "10.0.0.1/24" })],
      bgpPeers: [peer("routers", { localWorkloadSelector: "all()", ...spec })],
    });
    const { problems, bgp } = nodeIntent(input("a", resources, { endpoints: [speaker] }));
    return [...problems.map(({ about, message }) => `${about} ${message}`), `${bgp?.peers.length} peers`];
  };
  assert.deepEqual(lines({}), [
    "BGPPeer(routers) has no asNumber, so no session can open; it is left out",
    "0 peers",
  ]);
  assert.deepEqual(lines({ asNumber: 1, filters: ["gone"] }), [
    "BGPPeer(routers) names the BGPFilter gone, which does not exist",
    "1 peers",
  ]);
});

test("each node peers with its own, if the BGPPeer is for it, and a workload has one session", () => {
  const names = (name: string, ...peers: ReturnType<typeof peer>[]) =>
    peersOf(name, ...peers).map((one) => `${one.bgpPeer} ${one.name}`);
  const routers = peer("b-routers", { localWorkloadSelector: "role == 'router'", asNumber: 65100 });
  const rack1 = peer("a-rack1", {
    nodeSelector: "rack == '1'",
    localWorkloadSelector: "all()",
    asNumber: 65101,
  });
  assert.deepEqual(names("b", routers, rack1), ["b-routers Local_Workload_10_244_2_5"]);
  assert.deepEqual(names("a", routers, rack1), [
    "a-rack1 Local_Workload_10_244_1_5",
    "a-rack1 Local_Workload_10_244_1_6",
  ]);
});
