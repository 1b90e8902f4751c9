/**
 * Aim: what the speaker and the kernel hold comes out as the text that BIRD printed for the same state. Method: two nodes
 * whose `birdcl` outputs users posted, with links, addresses and routes as their kernels have them, rendered by the view's
 * own command; then single rules, one at a time, on the first of these nodes.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Origin, type PeerSnapshot, type RouteSnapshot } from "@caracal/bgp";
import { IpAddress, Ipv4, Ipv6, Prefix } from "@caracal/net";
import {
  IfaFlag,
  Iff,
  type InterfaceAddress,
  type Link,
  type Route,
  RouteProtocol,
  RouteScope,
  RouteTable,
  RouteType,
} from "@caracal/netlink";
import { answerBirdCommand } from "../bird-command.ts";
import { type BirdStateInput, birdTable, buildBirdSnapshot } from "./build-bird-snapshot.ts";
import { FirstSeen } from "./first-seen.ts";
import type { KernelView } from "./kernel-view.ts";
import { localRoutes } from "./local-routes.ts";

/** A moment of one day, local time, as BIRD shows it. */
function at(clock: string): number {
  return new Date(`2023-05-16T${clock}`).getTime();
}

function ip(text: string): IpAddress {
  return IpAddress.parse(text) ?? assert.fail(text);
}

function ip4(text: string): Ipv4 {
  return Ipv4.parse(text) ?? assert.fail(text);
}

function net(text: string): Prefix {
  return Prefix.parse(text) ?? assert.fail(text);
}

function link(index: number, name: string, flags: number = Iff.IFF_UP): Link {
  return { index, name, flags, operState: 0, mtu: 1500 };
}

function address(
  interfaceIndex: number,
  text: string,
  rest: Partial<InterfaceAddress> = {},
): InterfaceAddress {
  const own = Prefix.parseInterface(text) ?? assert.fail(text);
  return {
    interfaceIndex,
    address: own.address,
    prefixLength: own.network.length,
    scope: 0,
    flags: 0,
    ...rest,
  };
}

function route(
  destination: string,
  interfaceIndex: number,
  gateway?: string,
  rest: Partial<Route> = {},
): Route {
  return {
    destination: net(destination),
    type: RouteType.RTN_UNICAST,
    protocol: RouteProtocol.RTPROT_BOOT,
    scope: gateway === undefined ? RouteScope.RT_SCOPE_LINK : RouteScope.RT_SCOPE_UNIVERSE,
    table: RouteTable.RT_TABLE_MAIN,
    metric: 0,
    nextHops: [{ interfaceIndex, ...(gateway === undefined ? {} : { gateway: ip(gateway) }) }],
    ...rest,
  };
}

const ours = { protocol: RouteProtocol.RTPROT_BIRD };
const connected = { protocol: RouteProtocol.RTPROT_KERNEL, scope: RouteScope.RT_SCOPE_LINK };
const ownBlock = { ...ours, type: RouteType.RTN_BLACKHOLE, nextHops: [] };

/** node1 of a mesh: ens33 in 192.168.0.0/24, docker without containers, one pod. */
const node1: KernelView = {
  links: [
    link(1, "lo", Iff.IFF_UP | Iff.IFF_LOOPBACK),
    link(2, "ens33"),
    link(3, "docker0"),
    link(7, "cali2009c1121bd"),
  ],
  addresses: [
    address(3, "172.17.0.1/16"),
    address(1, "127.0.0.1/8"),
    address(2, "192.168.0.81/24"),
    address(1, "::1/128"),
    address(7, "fe80::ecee:eeff:feee:eeee/64"),
  ],
  routes: [
    route("0.0.0.0/0", 2, "192.168.0.1", { protocol: RouteProtocol.RTPROT_STATIC, metric: 100 }),
    route("10.244.42.64/26", 0, undefined, ownBlock),
    route("10.244.42.65/32", 7),
    route("10.244.103.64/26", 2, "192.168.0.82", ours),
    route("10.244.152.128/26", 2, "192.168.0.80", ours),
    route("172.17.0.0/16", 3, undefined, connected),
    route("192.168.0.0/24", 2, undefined, { ...connected, metric: 100 }),
    route("192.168.0.81/32", 2, undefined, {
      ...connected,
      type: RouteType.RTN_LOCAL,
      table: RouteTable.RT_TABLE_LOCAL,
    }),
    route("fe80::/64", 7, undefined, connected),
  ],
};

const noImports: PeerSnapshot["imports"] = {
  updatesReceived: 0,
  updatesRejected: 0,
  updatesFiltered: 0,
  updatesIgnored: 0,
  updatesAccepted: 0,
  withdrawsReceived: 0,
  withdrawsIgnored: 0,
  withdrawsAccepted: 0,
};

const noExports: PeerSnapshot["exports"] = {
  updatesReceived: 0,
  updatesRejected: 0,
  updatesFiltered: 0,
  updatesAccepted: 0,
  withdrawsReceived: 0,
  withdrawsAccepted: 0,
};

/** The speaker's clock began at 07:00:00. */
const speakerStartMs = at("07:00:00");

function peer(neighbour: string, rest: Partial<PeerSnapshot> = {}): PeerSnapshot {
  return {
    name: `Mesh_${neighbour.replaceAll(/[.:]/g, "_")}`,
    address: ip(neighbour),
    port: 179,
    asn: 64512,
    localAsn: 64512,
    external: false,
    passive: false,
    reflectorClient: false,
    protocolState: "start",
    state: "Active",
    since: at("07:27:53") - speakerStartMs,
    lastError: "",
    session: undefined,
    importedCount: 0,
    exportedCount: 0,
    preferredCount: 0,
    staleCount: 0,
    imports: noImports,
    exports: noExports,
    ...rest,
  };
}

function learned(
  prefix: string,
  from: string,
  clock: string,
  rest: Partial<RouteSnapshot> = {},
): RouteSnapshot {
  return {
    prefix: net(prefix),
    source: { kind: "peer", name: `Mesh_${from.replaceAll(/[.:]/g, "_")}`, external: false },
    from: ip(from),
    pathId: 0,
    attributes: { origin: Origin.igp, asPath: [], nextHop: ip(from), localPref: 100 },
    best: true,
    state: "valid",
    stale: false,
    igpMetric: 0,
    sinceS: (at(clock) - speakerStartMs) / 1000,
    ...rest,
  };
}

const nowMs = at("13:45:00");

const sample: BirdStateInput = {
  family: 4,
  version: "v0.3.3+birdv1.6.8",
  routerId: ip4("192.168.0.81"),
  nowMs,
  bootedAtMs: at("07:27:40"),
  configuredAtMs: at("13:34:33"),
  kernel: node1,
  blackholes: [net("10.244.42.64/26")],
  interfacePrefix: "cali",
  ignoredInterfaces: [],
  firstSeen: new FirstSeen(() => at("13:17:25")),
  speaker: {
    nowMs: nowMs - speakerStartMs,
    peers: [peer("192.168.0.80"), peer("192.168.0.82")],
    routes: [
      learned("10.244.103.64/26", "192.168.0.82", "13:34:33"),
      learned("10.244.152.128/26", "192.168.0.80", "13:17:26"),
    ],
  },
};

function answer(command: string, changes: Partial<BirdStateInput> = {}): string[] {
  const snapshot = buildBirdSnapshot({ ...sample, ...changes });
  return [...answerBirdCommand(command, snapshot)].filter(({ code }) => code !== 0).map(({ text }) => text);
}

/** The whole answer's lines that speak of one network. */
function linesOf(network: string, changes: Partial<BirdStateInput>): string[] {
  return answer(`show route ${network}`, changes);
}

/** Node1's kernel with more in it. */
function kernelWith(more: Partial<KernelView>): KernelView {
  return {
    links: [...node1.links, ...(more.links ?? [])],
    addresses: [...node1.addresses, ...(more.addresses ?? [])],
    routes: [...node1.routes, ...(more.routes ?? [])],
  };
}

/** One route as the speaker has it, alone. */
function heard(...routes: RouteSnapshot[]): Partial<BirdStateInput> {
  return { speaker: { ...sample.speaker, routes } };
}

test("show route of the mesh's node is BIRD's, line by line, with each route's own time", () => {
  let clockMs = at("13:17:24");
  const firstSeen = new FirstSeen(() => clockMs);
  const booting = { ...sample, blackholes: [], kernel: { ...node1, routes: [] } };
  localRoutes(booting, firstSeen);
  clockMs = at("13:17:25");
  localRoutes({ ...booting, kernel: { ...node1, routes: node1.routes.slice(0, 1) } }, firstSeen);
  clockMs = at("13:34:33");
  localRoutes({ ...sample, kernel: { ...node1, routes: node1.routes.slice(0, 2) } }, firstSeen);
  clockMs = at("13:42:00");
  assert.deepEqual(answer("show route", { firstSeen }), [
    "0.0.0.0/0          via 192.168.0.1 on ens33 [kernel1 13:17:25] * (10)",
    "10.244.152.128/26  via 192.168.0.80 on ens33 [Mesh_192_168_0_80 13:17:26] * (100/0) [i]",
    "192.168.0.0/24     dev ens33 [direct1 13:17:24] * (240)",
    "10.244.103.64/26   via 192.168.0.82 on ens33 [Mesh_192_168_0_82 13:34:33] * (100/0) [i]",
    "172.17.0.0/16      dev docker0 [direct1 13:17:24] * (240)",
    "10.244.42.64/26    blackhole [static1 13:34:33] * (200)",
    "10.244.42.65/32    dev cali2009c1121bd [kernel1 13:42:00] * (10)",
  ]);
  assert.deepEqual(answer("show route for 10.244.103.64/26 all", { firstSeen }), [
    "10.244.103.64/26   via 192.168.0.82 on ens33 [Mesh_192_168_0_82 13:34:33] * (100/0) [i]",
    "\tType: BGP unicast univ",
    "\tBGP.origin: IGP",
    "\tBGP.as_path: ",
    "\tBGP.next_hop: 192.168.0.82",
    "\tBGP.local_pref: 100",
  ]);
});

/** minikube-m02, the neighbour of 192.168.49.2, as its `show protocols all` has it. */
const minikubePeer = peer("192.168.49.2", {
  protocolState: "up",
  state: "Established",
  importedCount: 1,
  exportedCount: 2,
  preferredCount: 1,
  imports: {
    ...noImports,
    updatesReceived: 4,
    updatesAccepted: 4,
    withdrawsReceived: 3,
    withdrawsAccepted: 3,
  },
  exports: {
    updatesReceived: 17,
    updatesRejected: 4,
    updatesFiltered: 8,
    updatesAccepted: 5,
    withdrawsReceived: 8,
    withdrawsAccepted: 3,
  },
  session: {
    neighborId: ip4("192.168.49.2"),
    sourceAddress: ip("192.168.49.3"),
    neighborCapabilities: [
      "refresh",
      "enhanced-refresh",
      "restart-able",
      "llgr-aware",
      "AS4",
      "add-path-rx",
      "add-path-tx",
    ],
    families: [4],
    as4: true,
    addPathReceive: true,
    addPathSend: true,
    maxMessageBytes: 4096,
    hold: { leftMs: 157_200, ofMs: 240_000 },
    keepalive: { leftMs: 66_900, ofMs: 80_000 },
  },
});

const minikube: Partial<BirdStateInput> = {
  kernel: {
    links: [link(1, "lo"), link(2, "eth0")],
    addresses: [address(2, "192.168.49.3/24")],
    routes: [],
  },
  blackholes: [net("10.244.205.192/26"), net("10.244.0.192/26")],
  speaker: {
    nowMs: nowMs - speakerStartMs,
    peers: [minikubePeer],
    routes: [learned("10.244.120.64/26", "192.168.49.2", "07:27:54")],
  },
};

test("show protocols lists static1, kernel1, device1, direct1 and the peers as configured", () => {
  assert.deepEqual(answer("show protocols", minikube), [
    "name     proto    table    state  since       info",
    "static1  Static   master   up     07:27:40    ",
    "kernel1  Kernel   master   up     07:27:40    ",
    "device1  Device   master   up     07:27:40    ",
    "direct1  Direct   master   up     07:27:40    ",
    "Mesh_192_168_49_2 BGP      master   up     07:27:53    Established   ",
  ]);
  assert.equal(answer("show protocols", { ...minikube, blackholes: [] })[1]?.slice(0, 7), "kernel1");
});

test("show protocols all of a peer is BIRD's, line by line", () => {
  assert.deepEqual(answer("show protocols all Mesh_192_168_49_2", minikube).slice(2), [
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

test("show protocols all of kernel1 counts what it learned and what the kernel has from us", () => {
  assert.deepEqual(answer("show protocols all kernel1").slice(2, 9), [
    "  Preference:     10",
    "  Input filter:   ACCEPT",
    "  Output filter:  calico_kernel_programming",
    "  Routes:         2 imported, 3 exported, 2 preferred",
    "  Route change stats:     received   rejected   filtered    ignored   accepted",
    "    Import updates:              2          0          0          0          2",
    "    Import withdraws:            0          0        ---          0          0",
  ]);
});

test("a session that is not up tells its state in BIRD's words and its last error", () => {
  const info = (state: Partial<PeerSnapshot>): string => {
    const peers = [peer("192.168.0.80", state)];
    const row = answer("show protocols", { speaker: { ...sample.speaker, peers } }).at(-1) ?? "";
    return row.slice(row.indexOf("start"));
  };
  assert.equal(
    info({ lastError: "Socket: Connection refused" }),
    "start  07:27:53    Active        Socket: Connection refused",
  );
  assert.equal(info({ passive: true }), "start  07:27:53    Passive       ");
  assert.equal(info({ passive: true, state: "OpenConfirm" }), "start  07:27:53    OpenConfirm   ");
  assert.equal(
    info({ state: "Idle", passive: true, lastError: "BGP Error: Hold timer expired" }),
    "start  07:27:53    Idle          BGP Error: Hold timer expired",
  );
});

test("an external reflector's session and a restart are named; timers that were not agreed on are 0/0", () => {
  const session = minikubePeer.session ?? assert.fail();
  const changed: PeerSnapshot = {
    ...minikubePeer,
    external: true,
    reflectorClient: true,
    staleCount: 2,
    session: { ...session, addPathSend: false, hold: undefined, keepalive: undefined },
  };
  const lines = answer("show protocols all Mesh_192_168_49_2", {
    speaker: { ...sample.speaker, peers: [changed] },
  });
  assert.ok(lines.includes("    Neighbor graceful restart active"));
  assert.ok(lines.includes("    Session:          external multihop route-reflector AS4 add-path-rx"));
  assert.ok(lines.includes("    Hold timer:       0/0"));
});

test("show status takes router, times and a recovery from the input", () => {
  const recovery = { waitingCount: 1, timer: { leftSeconds: 20, totalSeconds: 30 } };
  assert.deepEqual(answer("show status", { recovery }), [
    "BIRD v0.3.3+birdv1.6.8",
    "Router ID is 192.168.0.81",
    "Current server time is 2023-05-16 13:45:00",
    "Last reboot on 2023-05-16 07:27:40",
    "Last reconfiguration on 2023-05-16 13:34:33",
    "Graceful restart recovery in progress",
    "  Waiting for 1 protocols to recover",
    "  Wait timer is 20/30",
    "Daemon is up and running",
  ]);
});

test("several protocols' routes to one network stand by preference, only the first is preferred", () => {
  const kernel = kernelWith({ routes: [route("10.244.42.64/26", 2, "192.168.0.9", { protocol: 80 })] });
  const changes = { kernel, ...heard(learned("10.244.42.64/26", "192.168.0.80", "13:17:26")) };
  assert.deepEqual(linesOf("10.244.42.64/26", changes), [
    "10.244.42.64/26    blackhole [static1 13:17:25] * (200)",
    "                   via 192.168.0.80 on ens33 [Mesh_192_168_0_80 13:17:26] (100/0) [i]",
    "                   via 192.168.0.9 on ens33 [kernel1 13:17:25] (10)",
  ]);
  const counts = answer("show protocols all Mesh_192_168_0_80", changes)[6];
  assert.equal(counts, "  Routes:         1 imported, 0 exported, 0 preferred");
});

test("a next hop leads through the longest match of what BGP did not bring", () => {
  const via = (nextHop: string, changes: Partial<BirdStateInput> = {}): string => {
    const attributes = { origin: Origin.incomplete, asPath: [], nextHop: ip(nextHop) };
    const heardOne = heard(learned("10.9.0.0/24", "192.168.0.80", "13:17:26", { attributes }));
    return linesOf("10.9.0.0/24", { ...changes, ...heardOne })[0]?.slice(19) ?? "";
  };
  const told = "[Mesh_192_168_0_80 13:17:26 from 192.168.0.80] *";
  assert.equal(via("192.168.0.82"), `via 192.168.0.82 on ens33 ${told} (100/0) [?]`);
  assert.equal(via("10.244.42.65"), `via 10.244.42.65 on cali2009c1121bd ${told} (100/0) [?]`);
  assert.equal(via("8.8.8.8"), `via 192.168.0.1 on ens33 ${told} (100/?) [?]`);
  assert.equal(via("10.244.42.70"), `blackhole ${told} (100/-) [?]`);
  assert.equal(via("192.168.0.81"), `unreachable ${told} (100/-) [?]`);
  const isolated = { kernel: { ...node1, routes: [] } };
  assert.equal(via("8.8.8.8", isolated), `unreachable ${told} (100/-) [?]`);
  const reachableBy = [{ peer: ip("8.8.8.8"), gateway: ip("192.168.0.7") }];
  assert.equal(via("8.8.8.8", { ...isolated, reachableBy }), `via 192.168.0.7 on ens33 ${told} (100/?) [?]`);
});

test("a table that is read as it is shown has the same routes, marks and counts", () => {
  const routes = [
    ...sample.speaker.routes,
    learned("10.244.42.64/26", "192.168.0.80", "13:17:26"),
    learned("10.9.0.0/24", "192.168.0.80", "13:17:26"),
    learned("10.9.0.0/24", "192.168.0.82", "13:17:26"),
  ];
  const whole = buildBirdSnapshot({ ...sample, ...heard(...routes) });
  const pauses = routes.flatMap((route, index) => (index === 2 ? [undefined, undefined, route] : [route]));
  const read = [...birdTable(sample, pauses)].filter((route) => route !== undefined);
  const shown = (list: readonly object[]): string[] =>
    list
      .map((route) =>
        JSON.stringify(route, (_, value: unknown) => (typeof value === "bigint" ? `${value}` : value)),
      )
      .toSorted();
  assert.deepEqual(shown(read), shown(whole.routes));
  const two = read.flatMap(({ prefix, isBest }) => (Prefix.format(prefix) === "10.9.0.0/24" ? [isBest] : []));
  assert.deepEqual(two, [true, false], "one network's routes stand together");
  const counted = sample.speaker.peers.map((one) => ({ ...one, importedCount: 500, preferredCount: 400 }));
  const partial = buildBirdSnapshot({
    ...sample,
    speaker: { ...sample.speaker, peers: counted, routes: [], isPartial: true },
  });
  const counts = partial.protocols.filter(({ bgp }) => bgp !== undefined).map((one) => one.routes);
  assert.partialDeepStrictEqual(counts, [
    { imported: 500, preferred: 400 },
    { imported: 500, preferred: 400 },
  ]);
});

test("what policy or a loop is not in the table; what the speaker cannot reach is unreachable", () => {
  const of = (rest: Partial<RouteSnapshot>): string[] =>
    linesOf("10.9.0.0/24", heard(learned("10.9.0.0/24", "192.168.0.80", "13:17:26", rest)));
  assert.deepEqual(of({ state: "filtered" }), ["Network not in table"]);
  assert.deepEqual(of({ state: "looped" }), ["Network not in table"]);
  assert.deepEqual(of({ source: { kind: "local" }, from: undefined }), ["Network not in table"]);
  assert.deepEqual(of({ state: "unreachable", igpMetric: undefined, stale: true }), [
    "10.9.0.0/24        unreachable [Mesh_192_168_0_80 13:17:26 from 192.168.0.80] * (100s/-) [i]",
  ]);
});

test("a peer's attributes are shown as they came, with the local preference that BIRD assumes", () => {
  const attributes: RouteSnapshot["attributes"] = {
    origin: Origin.egp,
    asPath: [{ kind: "sequence", asns: [65000, 65001] }],
    nextHop: ip("192.168.0.80"),
    med: 7,
    atomicAggregate: true,
    aggregator: { asn: 65001, address: ip4("9.9.9.9") },
    communities: [0xffff_ff01, 64512 * 65536 + 300],
    extendedCommunities: [0x0002_fdea_0000_0005n],
    largeCommunities: [[4200000000, 2, 3]],
    originatorId: ip4("192.168.0.83"),
    clusterList: [ip4("1.0.0.1")],
  };
  const lines = answer(
    "show route 10.9.0.0/24 all",
    heard(learned("10.9.0.0/24", "192.168.0.80", "13:17:26", { attributes })),
  );
  assert.deepEqual(lines, [
    "10.9.0.0/24        via 192.168.0.80 on ens33 [Mesh_192_168_0_80 13:17:26] * (100/0) [AS65001e]",
    "\tType: BGP unicast univ",
    "\tBGP.origin: EGP",
    "\tBGP.as_path: 65000 65001",
    "\tBGP.next_hop: 192.168.0.80",
    "\tBGP.med: 7",
    "\tBGP.local_pref: 100",
    "\tBGP.atomic_aggr: ",
    "\tBGP.aggregator: 9.9.9.9 AS65001",
    "\tBGP.community: (65535,65281) (64512,300)",
    "\tBGP.originator_id: 192.168.0.83",
    "\tBGP.cluster_list: 1.0.0.1",
    "\tBGP.ext_community: (rt, 65002, 5)",
    "\tBGP.large_community: (4200000000, 2, 3)",
  ]);
});

test("a learned route over several paths shows its shares, with the kernel's source and metric", () => {
  const nextHops = [
    { interfaceIndex: 2, gateway: ip("192.168.0.2") },
    { interfaceIndex: 2, gateway: ip("192.168.0.3"), weight: 3 },
  ];
  const kernel = kernelWith({ routes: [route("10.2.0.0/24", 2, undefined, { nextHops, metric: 10 })] });
  assert.deepEqual(answer("show route 10.2.0.0/24 all", { kernel }), [
    "10.2.0.0/24        multipath [kernel1 13:17:25] * (10)",
    "\tvia 192.168.0.2 on ens33 weight 1",
    "\tvia 192.168.0.3 on ens33 weight 3",
    "\tType: inherit unicast univ",
    "\tKernel.source: 3",
    "\tKernel.metric: 10",
  ]);
});

test("no time is later than the answer", () => {
  const firstSeen = new FirstSeen(() => nowMs + 5);
  assert.match(answer("show route 10.244.42.64/26", { firstSeen })[0] ?? "", /\[static1 13:45:00\]/);
});

test("the IPv6 view has only IPv6, nothing of the link alone, and link-local gateways", () => {
  const attributes: RouteSnapshot["attributes"] = {
    origin: Origin.igp,
    asPath: [],
    nextHop: ip("fd00::2"),
    linkLocalNextHop: Ipv6.parse("fe80::2") ?? assert.fail(),
    localPref: 100,
  };
  const lines = answer("show route", {
    family: 6,
    blackholes: [net("10.244.42.64/26"), net("fd10:244::/122")],
    kernel: kernelWith({
      addresses: [
        address(2, "fd00::1/64"),
        address(2, "fd00::9/64"),
        address(2, "fe80::1/64"),
        address(3, "fd01::1/64", { flags: IfaFlag.IFA_F_TENTATIVE }),
      ],
      routes: [
        route("::/0", 2, "fe80::fe", { protocol: RouteProtocol.RTPROT_RA, metric: 1024 }),
        route("fe80::/64", 2, undefined, { protocol: RouteProtocol.RTPROT_BOOT }),
        route("fd10:244::5/128", 7),
        route("ff00::/8", 2),
      ],
    }),
    speaker: {
      ...sample.speaker,
      peers: [peer("fd00::2"), peer("192.168.0.80")],
      routes: [
        learned("fd10:244:1::/122", "fd00::2", "13:34:33", { attributes }),
        learned("10.244.103.64/26", "192.168.0.82", "13:34:33"),
      ],
    },
  });
  assert.deepEqual(lines.toSorted(), [
    "::/0               via fe80::fe on ens33 [kernel1 13:17:25] * (10)",
    "fd00::/64          dev ens33 [direct1 13:17:25] * (240)",
    "fd10:244:1::/122   via fe80::2 on ens33 [Mesh_fd00__2 13:34:33 from fd00::2] * (100/0) [i]",
    "fd10:244::/122     blackhole [static1 13:17:25] * (200)",
    "fd10:244::5/128    dev cali2009c1121bd [kernel1 13:17:25] * (10)",
  ]);
});
