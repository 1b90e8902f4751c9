/**
 * Aim: the view prints what BIRD 1.6 prints. Method: the outputs that Calico users posted (nodes of a mesh, of a minikube
 * cluster), byte for byte, answered from a snapshot of the same state; then the rules those outputs do not show.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  at,
  device,
  gateway,
  ip,
  meshAttributes,
  meshPeer,
  route,
  sample,
} from "../test/bird-snapshot-sample.ts";
import { answerBirdCommand } from "./bird-command.ts";
import type { BirdBgpSession, BirdProtocol, BirdSnapshot } from "./bird-snapshot.ts";

function answer(command: string, snapshot: BirdSnapshot = sample): string[] {
  return [...answerBirdCommand(command, snapshot)].filter(({ code }) => code !== 0).map(({ text }) => text);
}

test("show route prints the seeds' lines", () => {
  assert.deepEqual(answer("show route"), [
    "0.0.0.0/0          via 192.168.0.1 on ens33 [kernel1 13:17:25] * (10)",
    "192.168.0.0/24     dev ens33 [direct1 13:17:25] * (240)",
    "10.244.103.64/26   via 192.168.0.82 on ens33 [Mesh_192_168_0_82 13:34:33] * (100/0) [i]",
    "10.244.42.64/26    blackhole [static1 13:34:33] * (200)",
    "10.244.42.65/32    dev cali2009c1121bd [kernel1 13:42:00] * (10)",
  ]);
});

test("show route for a network, all, adds its attributes", () => {
  const expected = [
    "10.244.103.64/26   via 192.168.0.82 on ens33 [Mesh_192_168_0_82 13:34:33] * (100/0) [i]",
    "\tType: BGP unicast univ",
    "\tBGP.origin: IGP",
    "\tBGP.as_path: ",
    "\tBGP.next_hop: 192.168.0.82",
    "\tBGP.local_pref: 100",
  ];
  assert.deepEqual(answer("show route for 10.244.103.64/26 all"), expected);
  assert.deepEqual(answer("show route all for 10.244.103.70"), expected);
});

test("show route for an address takes the longest network that covers it, a bare network only itself", () => {
  assert.match(answer("show route for 10.244.42.65")[0] ?? "", /^10\.244\.42\.65\/32 /);
  assert.match(answer("show route for 8.8.8.8")[0] ?? "", /^0\.0\.0\.0\/0 /);
  assert.equal(answer("show route 10.244.42.64/26").length, 1);
  assert.deepEqual(answer("show route 10.244.0.0/16"), ["Network not in table"]);
  assert.deepEqual(answer("show route for 8.8.8.8", { ...sample, routes: [] }), ["Network not in table"]);
});

test("show route protocol, primary and count choose and count", () => {
  assert.equal(answer("show route protocol static1").length, 1);
  assert.deepEqual(answer("show route protocol nobody"), ["nobody is not a protocol"]);
  assert.deepEqual(answer("show route count"), ["5 of 5 routes for 5 networks"]);
  assert.deepEqual(answer("show route table master primary protocol kernel1 count"), [
    "2 of 5 routes for 5 networks",
  ]);
  assert.deepEqual(answer("show route table other"), ["syntax error"]);
});

test("a network's further routes leave the first column blank and say who told of them", () => {
  const bgp = {
    ...meshAttributes,
    asPath: [{ kind: "sequence" as const, asns: [65000, 65001] }],
    med: 5,
    isAtomicAggregate: true,
    aggregator: { asn: 65001, address: ip("9.9.9.9") },
    communities: [[64512, 1] as const, [64512, 2] as const],
    largeCommunities: [[1, 2, 3] as const],
    originatorId: ip("192.168.0.83"),
    clusterList: [ip("1.0.0.1")],
  };
  const first = route("10.244.1.0/26", gateway("192.168.0.2", "eth0"), "Node_192_168_0_2", {
    source: "BGP",
    preference: 100,
    igpMetric: 0,
    hasSyncError: true,
    bgp,
  });
  const second = {
    ...first,
    protocol: "Node_192_168_0_3",
    from: ip("192.168.0.3"),
    isBest: false,
    isStale: true,
    igpMetric: "unresolvable" as const,
    via: { kind: "unreachable" as const },
    bgp: { ...bgp, origin: "Incomplete" as const, asPath: [{ kind: "set" as const, asns: [1, 2] }] },
  };
  const lines = answer("show route all", { ...sample, routes: [first, second] });
  assert.equal(
    lines[0],
    "10.244.1.0/26      via 192.168.0.2 on eth0 [Node_192_168_0_2 13:17:25] ! (100/0) [AS65001i]",
  );
  assert.deepEqual(lines.slice(2, 13), [
    "\tBGP.origin: IGP",
    "\tBGP.as_path: 65000 65001",
    "\tBGP.next_hop: 192.168.0.82",
    "\tBGP.med: 5",
    "\tBGP.local_pref: 100",
    "\tBGP.atomic_aggr: ",
    "\tBGP.aggregator: 9.9.9.9 AS65001",
    "\tBGP.community: (64512,1) (64512,2)",
    "\tBGP.originator_id: 192.168.0.83",
    "\tBGP.cluster_list: 1.0.0.1",
    "\tBGP.large_community: (1, 2, 3)",
  ]);
  assert.equal(
    lines[13],
    "                   unreachable [Node_192_168_0_3 13:17:25 from 192.168.0.3] (100s/-) [?]",
  );
  assert.equal(lines[16], "\tBGP.as_path: { 1 2 }");
});

test("a route over several paths lists them below, and an unknown metric is a question mark", () => {
  const via = {
    kind: "multipath" as const,
    paths: [
      { gateway: ip("192.168.0.2"), interface: "eth0", weight: 1 },
      { gateway: ip("192.168.0.3"), interface: "eth0", weight: 1 },
    ],
  };
  const routes = [
    route("10.1.0.0/24", via, "kernel1", { kernel: { source: 4, metric: 100 } }),
    route("10.2.0.0/24", device("eth0"), "Global_1", {
      source: "BGP",
      igpMetric: "unknown",
      bgp: meshAttributes,
    }),
  ];
  assert.deepEqual(answer("show route all", { ...sample, routes }).slice(0, 7), [
    "10.1.0.0/24        multipath [kernel1 13:17:25] * (10)",
    "\tvia 192.168.0.2 on eth0 weight 1",
    "\tvia 192.168.0.3 on eth0 weight 1",
    "\tType: inherit unicast univ",
    "\tKernel.source: 4",
    "\tKernel.metric: 100",
    "10.2.0.0/24        dev eth0 [Global_1 13:17:25] * (10/?) [i]",
  ]);
});

test("show protocols prints the seeds' table", () => {
  assert.deepEqual(answer("show protocols"), [
    "name     proto    table    state  since       info",
    "static1  Static   master   up     07:27:40    ",
    "kernel1  Kernel   master   up     07:27:40    ",
    "device1  Device   master   up     07:27:40    ",
    "direct1  Direct   master   up     07:27:40    ",
    "Mesh_192_168_49_2 BGP      master   up     07:27:53    Established   ",
  ]);
});

test("show protocols all of a neighbour prints the seeds' details", () => {
  assert.deepEqual(answer("show protocols all Mesh_192_168_49_2"), [
    "name     proto    table    state  since       info",
    "Mesh_192_168_49_2 BGP      master   up     07:27:53    Established   ",
    "  Description:    Connection to BGP peer",
    "  Preference:     100",
    "  Input filter:   ACCEPT",
    "  Output filter:  calico_export_to_bgp_peers",
    "  Routes:         1 imported, 2 exported, 1 preferred",
    "  Route change stats:     received   rejected   filtered    ignored   accepted",
    "    Import updates:              4          0          0          0          4",
    "    Import withdraws:            3          0        ---          0          3",
    "    Export updates:             17          4          8        ---          5",
    "    Export withdraws:            8        ---        ---        ---          3",
    "  BGP state:          Established",
    "    Neighbor address: 192.168.49.2",
    "    Neighbor AS:      64512",
    "    Neighbor ID:      192.168.49.2",
    "    Neighbor caps:    refresh enhanced-refresh restart-able llgr-aware AS4 add-path-rx add-path-tx",
    "    Session:          internal multihop AS4 add-path-rx add-path-tx",
    "    Source address:   192.168.49.3",
    "    Hold timer:       157/240",
    "    Keepalive timer:  67/80",
    "",
  ]);
});

function troubled(
  state: BirdProtocol["state"],
  bgp: Pick<BirdBgpSession, "state"> & Partial<BirdBgpSession>,
): BirdSnapshot {
  const { established: _, ...rest } = meshPeer.bgp ?? assert.fail();
  return { ...sample, protocols: [{ ...meshPeer, state, bgp: { ...rest, ...bgp } }] };
}

test("a session in trouble shows its last error and what it waits for", () => {
  const active = troubled("start", {
    state: "Active",
    lastError: "Socket: Connection refused",
    connectDelay: { leftSeconds: 3.4, totalSeconds: 5 },
  });
  const lines = answer("show protocols all", active);
  assert.equal(
    lines[1],
    "Mesh_192_168_49_2 BGP      master   start  07:27:53    Active        Socket: Connection refused",
  );
  assert.deepEqual(lines.slice(12), [
    "  BGP state:          Active",
    "    Neighbor address: 192.168.49.2",
    "    Neighbor AS:      64512",
    "    Connect delay:    3/5",
    "    Last error:       Socket: Connection refused",
    "",
  ]);
  const down = answer(
    "show protocols all",
    troubled("down", { state: "Down", lastError: "Received: Cease" }),
  );
  assert.match(down[1] ?? "", /down {3}07:27:53 {4}Received: Cease$/);
  assert.equal(
    down.some((line) => line.includes("Routes:")),
    false,
  );
});

test("a time further back than 20 hours is a date", () => {
  const nowMs = at("07:27:53") + 20 * 3600 * 1000;
  assert.match(
    answer('show protocols "Mesh*"', { ...sample, nowMs: nowMs - 1 })[1] ?? "",
    /up {5}07:27:53 {4}E/,
  );
  assert.match(answer('show protocols "Mesh*"', { ...sample, nowMs })[1] ?? "", /up {5}2023-05-16 {2}E/);
});

test("show status tells the three moments, and a recovery while there is one", () => {
  const lines = [
    "BIRD v0.3.3+birdv1.6.8",
    "Router ID is 192.168.0.81",
    "Current server time is 2023-05-16 13:45:00",
    "Last reboot on 2023-05-16 07:27:40",
    "Last reconfiguration on 2023-05-16 13:34:33",
    "Daemon is up and running",
  ];
  assert.deepEqual(answer("show status"), lines);
  const recovery = { waitingCount: 2, timer: { leftSeconds: 100, totalSeconds: 240 } };
  assert.deepEqual(answer("show status", { ...sample, recovery }).slice(5, 8), [
    "Graceful restart recovery in progress",
    "  Waiting for 2 protocols to recover",
    "  Wait timer is 100/240",
  ]);
});

test("what is not understood is a syntax error, what would act is denied", () => {
  for (const command of ["foo", "show", "show foo", "show status now", "show route for", "show route x"]) {
    assert.deepEqual(answer(command), ["syntax error"], command);
  }
  assert.deepEqual(answer("show protocols nope"), ["nope is not a protocol"]);
  assert.deepEqual(answer('show protocols "nope*"'), ["No protocols match"]);
  assert.deepEqual(answer("disable Mesh_192_168_49_2"), ["Access denied"]);
  assert.deepEqual(answer("restrict"), ["Access restricted"]);
  assert.deepEqual(answer("  # only a comment"), []);
});
