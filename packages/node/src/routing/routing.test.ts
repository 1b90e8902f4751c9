/**
 * Aim: the kernel holds what the cluster's resources and the peers' routes ask for, and no route is lost on the way.
 * Method: the store and the kernel in memory, a speaker without sockets, virtual time for the reconciler.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { FakeKernel, VirtualClock } from "@caracal/dataplane";
import { keys, MemoryStore } from "@caracal/datastore";
import { IpAddress, Prefix } from "@caracal/net";
import { type Route, RouteProtocol, RouteScope, RouteTable, RouteType } from "@caracal/netlink";
import type { Resource } from "@caracal/resources";
import {
  address,
  apply,
  bgpConfiguration,
  clientOf,
  endpoint,
  FakeBgp,
  memoryLog,
  node,
  pool,
  prefix,
  putAffinity,
  reach,
  settle,
} from "../../test/node-fixtures.ts";
import { ClusterView } from "../cluster/cluster-view.ts";
import type { Backend } from "../config.ts";
import type { PodInterface } from "../cni/ports.ts";
import { Metrics } from "../observe/metrics.ts";
import { BgpSupervisor } from "./bgp-supervisor.ts";
import { Routing } from "./routing.ts";

const settledTunnels = { settled: true, ready: true, problems: [] };
const block = "10.244.0.0/26";
const blackhole = `blackhole ${block} proto 12`;
const remote = "10.244.9.0/26 via 172.18.0.3 dev eth0 proto 12";

interface Node {
  readonly store: MemoryStore;
  readonly kernel: FakeKernel;
  readonly routing: Routing;
  readonly lines: readonly Record<string, unknown>[];
  /** Peers and their gateways, each time that they changed. */
  readonly gateways: readonly (readonly string[])[];
  /** Addresses that were told to be no pod's any more. */
  readonly gone: readonly string[];
  readonly speaker: () => FakeBgp;
  /** Lets everything that is due be done; gives the routes as `ip route` would, the kernel's own left out. */
  readonly routes: (advanceMs?: number) => Promise<readonly string[]>;
}

/** A node with eth0 in 172.18.0.0/16; `leftBehind` is in the kernel before it starts. */
async function startNode(
  t: TestContext,
  options: {
    readonly leftBehind?: readonly Route[];
    readonly backend?: Backend;
    readonly isAway?: true;
  } = {},
): Promise<Node> {
  const store = new MemoryStore();
  await apply(store, node("n1", "172.18.0.2/16"), node("n2", "172.18.0.3/16"), pool("10.244.0.0/16"));
  await putAffinity(store, "n1", block, "confirmed");
  if (options.isAway === true) store.disconnect();
  const kernel = new FakeKernel();
  kernel.addLink("eth0");
  kernel.setLinkUp("eth0", true);
  kernel.addAddress("eth0", address("172.18.0.2"), 16);
  for (const route of options.leftBehind ?? []) kernel.alien({ kind: "add", route });
  const clock = new VirtualClock();
  const { log, lines } = memoryLog("warn");
  const stop = new AbortController();
  const speakers: FakeBgp[] = [];
  const gateways: string[][] = [];
  const gone: string[] = [];
  const listener: { onChange: () => void } = { onChange: () => undefined };
  const view = new ClusterView({
    node: "n1",
    store,
    onChange: () => listener.onChange(),
    onStatus: () => undefined,
    sleep: (ms) => new Promise((resolve) => void clock.after(ms, resolve)),
  });
  const isRestart = (options.leftBehind ?? []).length > 0;
  const bgp = new BgpSupervisor({
    isRestart,
    log,
    open: (settings, hear) => {
      const speaker = new FakeBgp(settings, hear);
      speakers.push(speaker);
      return Promise.resolve(speaker);
    },
  });
  const routing = new Routing({
    node: "n1",
    backend: options.backend ?? "caracal",
    view,
    kernel,
    resolver: {
      path: () => ({ interfaceName: "eth0", gateway: undefined }),
      forget: () => undefined,
      setGateways: (found) => gateways.push([...found].flat().map(IpAddress.format)),
    },
    bgp,
    onAddressesGone: (addresses) => gone.push(...addresses.map(IpAddress.format)),
    tunnels: {
      apply: () => undefined,
      status: settledTunnels,
      settled: () => Promise.resolve(settledTunnels),
    },
    interfacePrefixes: ["cali"],
    routerId: undefined,
    hasSecret: () => true,
    log,
    metrics: new Metrics(),
    isRestart,
    clock,
  });
  listener.onChange = () => routing.schedule();
  const running = view.run(stop.signal);
  routing.start();
  t.after(async () => {
    stop.abort();
    await Promise.all([routing.stop(), running]);
  });
  const routes = async (advanceMs = 1_000): Promise<readonly string[]> => {
    await settle();
    await clock.advance(advanceMs);
    await settle();
    await clock.advance(1);
    return shown(kernel);
  };
  const speaker = (): FakeBgp => {
    const last = speakers.at(-1);
    assert.ok(last !== undefined, "a speaker runs");
    return last;
  };
  return { store, kernel, routing, lines, gateways, gone, speaker, routes };
}

async function shown(kernel: FakeKernel): Promise<readonly string[]> {
  const names = new Map((await kernel.dumpLinks()).map(({ index, name }) => [index, name]));
  const routes = (await kernel.dumpRoutes()).filter(
    ({ protocol }) => protocol !== RouteProtocol.RTPROT_KERNEL,
  );
  return routes
    .map(({ destination, type, protocol, nextHops }) => {
      const kind = type === RouteType.RTN_BLACKHOLE ? "blackhole " : "";
      const hops = nextHops.map(({ gateway, interfaceIndex }) => {
        const via = gateway === undefined ? "" : ` via ${IpAddress.format(gateway)}`;
        return `${via} dev ${names.get(interfaceIndex ?? 0)}`;
      });
      return `${kind}${Prefix.format(destination)}${hops.join("")} proto ${protocol}`;
    })
    .toSorted();
}

function addPair(kernel: FakeKernel, name: string): number {
  const { index } = kernel.addLink(name);
  kernel.setLinkUp(name, true);
  return index;
}

function podInterface(hostName: string, podAddress: string): PodInterface {
  return {
    hostName,
    netns: `/run/netns/${hostName}`,
    ifname: "eth0",
    families: new Set([4]),
    addresses: [address(podAddress)],
    routes: [],
    mtu: undefined,
    queueCount: 1,
    forwarding: false,
  };
}

function kernelRoute(destination: string, changes: Partial<Route>): Route {
  return {
    destination: prefix(destination),
    type: RouteType.RTN_UNICAST,
    protocol: RouteProtocol.RTPROT_BIRD,
    scope: RouteScope.RT_SCOPE_UNIVERSE,
    table: RouteTable.RT_TABLE_MAIN,
    metric: 0,
    nextHops: [],
    ...changes,
  };
}

const staleRemote = kernelRoute("10.244.8.0/26", { nextHops: [{ gateway: address("172.18.0.4") }] });
const knownRemote = kernelRoute("10.244.9.0/26", { nextHops: [{ gateway: address("172.18.0.3") }] });

test("own blocks are blackholes and origins, pods have routes, peers are those of the mesh", async (t) => {
  const n1 = await startNode(t);
  addPair(n1.kernel, "calipod");
  await apply(n1.store, endpoint("n1", "pod", "10.244.0.1"), endpoint("n2", "far", "10.244.9.1"));
  assert.deepEqual(await n1.routes(), ["10.244.0.1/32 dev calipod proto 3", blackhole]);
  assert.deepEqual(n1.speaker().origins, [block]);
  assert.deepEqual(n1.speaker().peerNames, ["Mesh_172_18_0_3"]);
});

test("learned routes come and go with the peers' news", async (t) => {
  const n1 = await startNode(t);
  await n1.routes();
  n1.speaker().listener.onBestRoutes([reach("10.244.9.0/26", "172.18.0.3")]);
  assert.deepEqual(await n1.routes(), [remote, blackhole]);
  n1.speaker().listener.onBestRoutes([{ kind: "unreach", prefix: prefix("10.244.9.0/26") }]);
  assert.deepEqual(await n1.routes(), [blackhole]);
});

test("S3: without the mesh no peer is left and learned routes go; own block and pods stay", async (t) => {
  const n1 = await startNode(t);
  await n1.routes();
  n1.speaker().listener.onBestRoutes([reach("10.244.9.0/26", "172.18.0.3")]);
  await n1.routes();
  await apply(n1.store, bgpConfiguration({ nodeToNodeMeshEnabled: false, asNumber: 61234 }));
  await n1.routes();
  assert.deepEqual(n1.speaker().peerNames, []);
  // What the speaker says when its sessions have gone.
  n1.speaker().listener.onBestRoutes([{ kind: "unreach", prefix: prefix("10.244.9.0/26") }]);
  assert.deepEqual(await n1.routes(), [blackhole]);
  await apply(n1.store, bgpConfiguration({ nodeToNodeMeshEnabled: true }));
  await n1.routes();
  assert.deepEqual(n1.speaker().peerNames, ["Mesh_172_18_0_3"]);
});

test("a pool that becomes VXLAN keeps its routes until the other end is there, or for half a minute", async (t) => {
  const n1 = await startNode(t);
  await n1.routes();
  n1.speaker().listener.onBestRoutes([reach("10.244.9.0/26", "172.18.0.3")]);
  await n1.routes();
  await apply(n1.store, pool("10.244.0.0/16", { vxlanMode: "Always" }));
  assert.deepEqual(await n1.routes(), [remote, blackhole]);
  assert.deepEqual(await n1.routes(20_000), [remote, blackhole]);
  assert.deepEqual(await n1.routes(20_000), [blackhole]);
  await apply(n1.store, pool("10.244.0.0/16", { vxlanMode: "Never" }));
  assert.deepEqual(await n1.routes(), [remote, blackhole]);
});

test("a pool that becomes IPIP moves a route once the other node has its tunnel, and back at once", async (t) => {
  const n1 = await startNode(t);
  await n1.routes();
  n1.speaker().listener.onBestRoutes([reach("10.244.9.0/26", "172.18.0.3")]);
  n1.kernel.addLink("tunl0");
  n1.kernel.setLinkUp("tunl0", true);
  await n1.routes();
  await apply(n1.store, pool("10.244.0.0/16", { ipipMode: "Always" }));
  assert.deepEqual(await n1.routes(), [remote, blackhole]);
  const tunnelled = "10.244.9.0/26 via 172.18.0.3 dev tunl0 proto 12";
  const { bgp } = node("n2", "172.18.0.3/16").spec;
  await apply(n1.store, {
    ...node("n2", "172.18.0.3/16"),
    spec: { bgp: { ...bgp, ipv4IPIPTunnelAddr: "10.244.9.1" } },
  });
  assert.deepEqual(await n1.routes(), [tunnelled, blackhole]);
  await apply(n1.store, pool("10.244.0.0/16", { ipipMode: "Never" }));
  assert.deepEqual(await n1.routes(), [remote, blackhole]);
  assert.deepEqual(n1.routing.lingering.ipip, true);
  await n1.routes(70_000);
  assert.deepEqual(n1.routing.lingering.ipip, false);
});

test("a pod's route stays from CNI until the watch tells, and goes with the endpoint", async (t) => {
  const n1 = await startNode(t);
  await n1.routes();
  const route = "10.244.0.1/32 dev calipod proto 3";
  const mac = "02:00:00:00:00:01";
  addPair(n1.kernel, "calipod");
  n1.routing.willRoute(podInterface("calipod", "10.244.0.1"), mac);
  assert.ok((await n1.routes()).includes(route));
  // Full dumps and other changes come before the endpoint does.
  await apply(n1.store, node("n3", "172.18.0.4/16"));
  assert.ok((await n1.routes(200_000)).includes(route));
  await apply(n1.store, endpoint("n1", "pod", "10.244.0.1", { mac }));
  assert.ok((await n1.routes()).includes(route));
  await clientOf(n1.store).delete("WorkloadEndpoint", "n1-k8s-pod-eth0", "default");
  assert.ok(!(await n1.routes()).includes(route));
});

test("a pod that comes back at its old address keeps its route when its former end is told late", async (t) => {
  const n1 = await startNode(t);
  const route = "10.244.0.1/32 dev calipod proto 3";
  await apply(n1.store, endpoint("n1", "pod", "10.244.0.1", { mac: "02:00:00:00:00:01" }));
  addPair(n1.kernel, "calipod");
  assert.ok((await n1.routes()).includes(route));
  n1.routing.willRoute(podInterface("calipod", "10.244.0.1"), "02:00:00:00:00:02");
  await clientOf(n1.store).delete("WorkloadEndpoint", "n1-k8s-pod-eth0", "default");
  assert.ok((await n1.routes()).includes(route));
  await apply(n1.store, endpoint("n1", "pod", "10.244.0.1", { mac: "02:00:00:00:00:02" }));
  assert.ok((await n1.routes()).includes(route));
  n1.routing.hasRemoved("calipod");
  await clientOf(n1.store).delete("WorkloadEndpoint", "n1-k8s-pod-eth0", "default");
  assert.ok(!(await n1.routes()).includes(route));
});

test("a pod that is removed before the watch told of it leaves no wish behind", async (t) => {
  const n1 = await startNode(t);
  await n1.routes();
  addPair(n1.kernel, "calipod");
  n1.routing.willRoute(podInterface("calipod", "10.244.0.1"), "02:00:00:00:00:01");
  await n1.routes();
  n1.kernel.deleteLink("calipod");
  n1.routing.hasRemoved("calipod");
  assert.deepEqual(await n1.routes(), [blackhole]);
  assert.deepEqual([n1.routing.status.wantedCount, n1.routing.status.waiting], [1, []]);
});

test("an endpoint that names an interface of the node's own is left alone, and harms nobody", async (t) => {
  const n1 = await startNode(t);
  addPair(n1.kernel, "calipod");
  await apply(
    n1.store,
    endpoint("n1", "odd", "10.244.0.7", { interfaceName: "eth0" }),
    endpoint("n1", "pod", "10.244.0.1"),
  );
  assert.deepEqual(await n1.routes(), ["10.244.0.1/32 dev calipod proto 3", blackhole]);
});

test("a claimed block is announced and blackholed before the watch tells", async (t) => {
  const n1 = await startNode(t);
  await n1.routes();
  let isAnnounced = false;
  const announced = n1.routing.blocksClaimed([prefix("10.244.5.0/26")]).then(() => (isAnnounced = true));
  assert.deepEqual(await n1.routes(), [blackhole, "blackhole 10.244.5.0/26 proto 12"]);
  await announced;
  assert.equal(isAnnounced, true);
  assert.deepEqual(n1.speaker().origins, [block, "10.244.5.0/26"]);
  await putAffinity(n1.store, "n1", "10.244.5.0/26", "pending");
  assert.equal((await n1.routes()).length, 2);
  assert.deepEqual(n1.speaker().origins, [block, "10.244.5.0/26"]);
});

test("after a restart learned routes wait for the peers, then what nobody tells goes", async (t) => {
  const n1 = await startNode(t, { leftBehind: [staleRemote, knownRemote] });
  const before = await n1.routes();
  assert.ok(before.includes(remote), before.join());
  assert.equal(n1.speaker().settings.restarting, true);
  n1.speaker().listener.onBestRoutes([reach("10.244.9.0/26", "172.18.0.3")]);
  assert.equal((await n1.routes()).length, 3);
  n1.speaker().listener.onInitialSync();
  assert.deepEqual(await n1.routes(), [remote, blackhole]);
});

test("after a restart with no peer in reach learned routes go when the time is over", async (t) => {
  const n1 = await startNode(t, { leftBehind: [staleRemote] });
  assert.equal((await n1.routes(100_000)).length, 2);
  assert.deepEqual(await n1.routes(30_000), [blackhole]);
});

test("while the datastore has not been read nothing of an earlier run is removed", async (t) => {
  const pod = kernelRoute("10.244.0.1/32", {
    protocol: RouteProtocol.RTPROT_BOOT,
    scope: RouteScope.RT_SCOPE_LINK,
  });
  const own = kernelRoute(block, { type: RouteType.RTN_BLACKHOLE });
  const n1 = await startNode(t, { leftBehind: [own], isAway: true });
  const interfaceIndex = addPair(n1.kernel, "calipod");
  n1.kernel.alien({ kind: "add", route: { ...pod, nextHops: [{ interfaceIndex }] } });
  const left = ["10.244.0.1/32 dev calipod proto 3", blackhole];
  assert.deepEqual(await n1.routes(150_000), left);
  addPair(n1.kernel, "calinew");
  n1.routing.willRoute(podInterface("calinew", "10.244.0.2"), undefined);
  assert.deepEqual(await n1.routes(), [
    "10.244.0.1/32 dev calipod proto 3",
    "10.244.0.2/32 dev calinew proto 3",
    blackhole,
  ]);
  n1.store.reconnect();
  // The datastore knows nothing of the old pod, and CNI of the new one.
  assert.deepEqual(await n1.routes(10_000), ["10.244.0.2/32 dev calinew proto 3", blackhole]);
});

test("an outage changes nothing", async (t) => {
  const n1 = await startNode(t);
  addPair(n1.kernel, "calipod");
  await apply(n1.store, endpoint("n1", "pod", "10.244.0.1"));
  await n1.routes();
  n1.speaker().listener.onBestRoutes([reach("10.244.9.0/26", "172.18.0.3")]);
  const before = await n1.routes();
  n1.store.disconnect();
  assert.deepEqual(await n1.routes(300_000), before);
  assert.deepEqual(n1.speaker().peerNames, ["Mesh_172_18_0_3"]);
});

test("backends none and vxlan route pods, speak to nobody and take out what an earlier speaker left", async (t) => {
  for (const backend of ["none", "vxlan"] as const) {
    const n1 = await startNode(t, { backend, leftBehind: [staleRemote] });
    addPair(n1.kernel, "calipod");
    await apply(n1.store, endpoint("n1", "pod", "10.244.0.1"));
    assert.deepEqual(await n1.routes(), ["10.244.0.1/32 dev calipod proto 3"]);
  }
});

test("beside BIRD only pods are routed: what BIRD has put into the kernel stays its own", async (t) => {
  const n1 = await startNode(t, { backend: "bird", leftBehind: [staleRemote] });
  const before = await n1.routes();
  addPair(n1.kernel, "calipod");
  await apply(n1.store, endpoint("n1", "pod", "10.244.0.1"));
  assert.equal(before.length, 1);
  assert.deepEqual(await n1.routes(300_000), ["10.244.0.1/32 dev calipod proto 3", ...before]);
  await clientOf(n1.store).delete("WorkloadEndpoint", "n1-k8s-pod-eth0", "default");
  assert.deepEqual(await n1.routes(), before);
});

test("services are announced as the datastore tells of them and their endpoints", async (t) => {
  const n1 = await startNode(t);
  await apply(n1.store, bgpConfiguration({ serviceExternalIPs: [{ cidr: "192.0.2.0/24" }] }));
  const metadata = { name: "web", namespace: "default" };
  const spec = {
    type: "LoadBalancer",
    clusterIP: "10.96.0.7",
    externalIPs: ["192.0.2.7"],
    externalTrafficPolicy: "Local",
  };
  await n1.store.create(
    keys.resource("kubernetesservices", "web", "default"),
    JSON.stringify({ kind: "Service", metadata, spec }),
  );
  await n1.routes();
  const range = [block, "192.0.2.0/24"];
  assert.deepEqual(n1.speaker().origins, range);
  const slice = keys.resource("kubernetesendpointslices", "web-1", "default");
  const labels = { "kubernetes.io/service-name": "web" };
  const endpoints = [{ nodeName: "n1", conditions: { ready: true } }];
  await n1.store.create(
    slice,
    JSON.stringify({ kind: "EndpointSlice", metadata: { ...metadata, labels }, endpoints }),
  );
  const routes = await n1.routes();
  assert.deepEqual(n1.speaker().origins, [...range, "192.0.2.7/32"]);
  assert.deepEqual(routes, [blackhole], "service addresses are no kernel routes");
  await n1.store.delete(slice);
  await n1.routes();
  assert.deepEqual(n1.speaker().origins, range);
});

test("a peer behind a gateway has a route to it, and next hops through it", async (t) => {
  const n1 = await startNode(t);
  const peer: Resource = {
    kind: "BGPPeer",
    apiVersion: "projectcalico.org/v3",
    metadata: { name: "leaf" },
    spec: { node: "n1", peerIP: "10.9.9.9", asNumber: 65000, reachableBy: "172.18.0.250" },
  };
  await apply(n1.store, peer);
  assert.deepEqual(await n1.routes(), ["10.9.9.9/32 via 172.18.0.250 dev eth0 proto 12", blackhole]);
  assert.deepEqual(n1.gateways, [["10.9.9.9", "172.18.0.250"]]);
  await clientOf(n1.store).delete("BGPPeer", "leaf");
  assert.deepEqual(await n1.routes(), [blackhole]);
  assert.deepEqual(n1.gateways.slice(1), [[]]);
});

test("links and addresses that matter make next hops be looked up anew; pods' own do not", async (t) => {
  const n1 = await startNode(t);
  await n1.routes();
  addPair(n1.kernel, "calipod");
  await n1.routes();
  assert.equal(n1.speaker().networkChanges, 0);
  n1.kernel.addLink("eth1");
  n1.kernel.setLinkUp("eth1", true);
  await n1.routes();
  assert.equal(n1.speaker().networkChanges, 1, "gathered into one");
  n1.kernel.overrun();
  await n1.routes();
  assert.equal(n1.speaker().networkChanges, 2);
});

test("a problem of a resource is told once, and again when it comes back", async (t) => {
  const n1 = await startNode(t);
  await apply(n1.store, endpoint("n1", "a", "10.244.0.1"), endpoint("n1", "b", "10.244.0.1"));
  await n1.routes();
  for (let index = 0; index < 5; index += 1) {
    await apply(n1.store, node(`m${index}`, `172.18.1.${index + 1}/16`));
    await n1.routes();
  }
  const told = (): number => n1.lines.filter(({ msg }) => msg === "resource problem").length;
  assert.equal(told(), 1);
  await clientOf(n1.store).delete("WorkloadEndpoint", "n1-k8s-b-eth0", "default");
  await n1.routes();
  await apply(n1.store, endpoint("n1", "b", "10.244.0.1"));
  await n1.routes();
  assert.equal(told(), 2);
});

test("addresses of pods that are gone are told once, and not while a pod has them", async (t) => {
  const { store, kernel, routing, gone, routes } = await startNode(t);
  addPair(kernel, "calia");
  await apply(store, endpoint("n1", "a", "10.244.0.5"));
  await routes();
  assert.deepEqual([gone, routing.isPodAddress(address("10.244.0.5"))], [[], true]);
  await clientOf(store).delete("WorkloadEndpoint", "n1-k8s-a-eth0", "default");
  await routes();
  assert.deepEqual([gone, routing.isPodAddress(address("10.244.0.5"))], [["10.244.0.5"], false]);
  await apply(store, endpoint("n1", "b", "10.244.0.5"));
  await routes();
  assert.deepEqual([gone.length, routing.isPodAddress(address("10.244.0.5"))], [1, true]);
});
