// A node's share of a cluster of 5,000: what other nodes' blocks cost it, from resources to the kernel, as plain routes and
// through VXLAN (route, neighbour and forwarding entry each), against `ip -batch` and `bridge -batch` in the same run. Rounds
// alternate; the best of each counts. Everything happens in a namespace that is removed at the end.
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BulkKernel, type DesiredRoute, RouteReconciler } from "@caracal/dataplane";
import { type ClusterResources, type RoutedBlock, tunnelIntent, type TunnelIntent } from "@caracal/intent";
import {
  createNamespace,
  deleteNamespace,
  LinuxKernel,
  namespacePath,
  Rtnetlink,
  systemClock,
} from "@caracal/linux";
import { IpAddress, Ipv4, Prefix } from "@caracal/net";
import { Mac } from "@caracal/netlink";
import { apiVersion, type Node } from "@caracal/resources";
import { openLog } from "../src/observe/log.ts";
import { tunnelRoutes, vxlanDevices } from "../src/routing/tunnel-routes.ts";
import { TunnelKeeper } from "../src/tunnels/tunnel-keeper.ts";

const nodeCount = 5_000;
const rounds = 5;
const idleMs = 5_000;
const changes = 200;

const name = `cb${process.pid}-${randomBytes(3).toString("hex")}`;
const directory = mkdtempSync(join(tmpdir(), "caracal-bench-"));
const best = new Map<string, number>();

function keep(what: string, tookMs: number): void {
  best.set(what, Math.min(best.get(what) ?? Infinity, tookMs));
}

/** Also keeps the processor time of this process, which others on a busy machine do not take away. */
async function timed<Result>(what: string, work: () => Result | Promise<Result>): Promise<Result> {
  const [start, before] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  keep(what, performance.now() - start);
  keep(`${what}, CPU`, (user + system) / 1000);
  return result;
}

const hostOf = (at: number): string => Ipv4.format(Ipv4.of(0x0a000000 + 256 + at));
const blockOf = (at: number): Prefix => Prefix.of(Ipv4.of(0x14000000 + at * 64), 26);

function node(at: number): Node {
  return {
    kind: "Node",
    apiVersion,
    metadata: { name: `node-${at}` },
    spec: {
      bgp: { ipv4Address: `${hostOf(at)}/8` },
      ipv4VXLANTunnelAddr: IpAddress.format(blockOf(at).address),
    },
  };
}

const nodes = Array.from({ length: nodeCount + 1 }, (_, at) => node(at));
const blocks: readonly RoutedBlock[] = nodes.map((one, at) => ({
  prefix: blockOf(at),
  node: one.metadata.name,
  borrowed: [],
}));

/** `Always` takes everything through the tunnel, `CrossSubnet` nothing: all nodes are in one network. */
function cluster(vxlanMode: "Always" | "CrossSubnet"): ClusterResources {
  const pool = { kind: "IPPool", apiVersion, metadata: { name: "pods" } } as const;
  return {
    nodes: [...nodes],
    pools: [{ ...pool, spec: { cidr: "20.0.0.0/8", vxlanMode } }],
    bgpConfigurations: [],
    bgpPeers: [],
    bgpFilters: [],
  };
}

function intentOf(resources: ClusterResources): TunnelIntent {
  return tunnelIntent({
    node: "node-0",
    cluster: resources,
    blocks,
    ownBlocks: [blockOf(0)],
    settings: { sha1: (text) => createHash("sha1").update(text).digest(), speaksBgp: false },
  });
}

/** What the daemon has running for its tunnels. */
class Programs {
  readonly #kernels = [
    LinuxKernel.open(namespacePath(name)),
    LinuxKernel.open(namespacePath(name), ["links", "addresses", "neighbours"]),
  ] as const;
  readonly #bulk: BulkKernel;
  readonly routes: RouteReconciler;
  readonly keeper: TunnelKeeper;

  constructor() {
    const [tables, devices] = this.#kernels;
    this.#bulk = new BulkKernel({ kernel: tables, clock: systemClock });
    const owns = { protocols: [80], interfaceNames: vxlanDevices };
    this.routes = new RouteReconciler({
      kernel: this.#bulk,
      clock: systemClock,
      sources: [{ name: "tunnels", owns, graceMs: 0 }],
    });
    const log = openLog("fatal", "bench");
    this.keeper = new TunnelKeeper({ kernel: devices, clock: systemClock, log });
    this.routes.start();
    this.keeper.start();
  }

  async apply(intent: TunnelIntent): Promise<void> {
    this.keeper.apply(intent);
    this.routes.replace("tunnels", wishes(intent));
    await this.settled();
  }

  async settled(): Promise<void> {
    for (;;) {
      const tunnels = await this.keeper.settled();
      const routes = await this.routes.settled();
      if (tunnels.ready && routes.ready) return;
      const [problem] = tunnels.problems;
      if (problem !== undefined) throw new Error(`${problem.device}: ${problem.problem}`);
      const [failure] = routes.failures;
      if (failure !== undefined) throw new Error(`${failure.key}: ${failure.errno} ${failure.detail}`);
      await sleep(1);
    }
  }

  /** Until no route leads through a next hop object any more. */
  async plain(): Promise<void> {
    using ip = Rtnetlink.open(namespacePath(name));
    while (ip.nextHops().length > 0) await sleep(500);
  }

  async resync(): Promise<void> {
    this.keeper.resync();
    this.routes.resync();
    await this.settled();
  }

  stop(): void {
    this.keeper.stop();
    this.routes.stop();
    this.#bulk.stop();
    for (const kernel of this.#kernels) kernel.close();
  }
}

function wishes({ routes }: TunnelIntent): readonly DesiredRoute[] {
  return tunnelRoutes(routes, () => ({ interfaceName: "eth0", gateway: undefined }));
}

/** As with a leaf switch in front of all other nodes. */
function viaRouter(intent: TunnelIntent): readonly DesiredRoute[] {
  const gateway = Ipv4.of(0x0aff_fffe);
  return wishes(intent).map((route) =>
    route.nextHops === undefined ? route : { ...route, nextHops: [{ interfaceName: "eth0", gateway }] },
  );
}

function batchFile(title: string, lines: readonly string[]): string {
  const file = join(directory, title);
  writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
}

function runTool(tool: "ip" | "bridge", ...words: readonly string[]): void {
  execFileSync(tool, ["-n", name, ...words], { stdio: ["ignore", "ignore", "inherit"] });
}

/** The same by hand, from the same intent. */
function peerFiles(
  plain: TunnelIntent,
  vxlan: TunnelIntent,
): Record<"plain" | "router" | "routes" | "neighbours" | "fdb", string> {
  const route = ({ routes }: TunnelIntent, device: string): readonly string[] =>
    routes.flatMap((one) =>
      one.kind === "blackhole"
        ? []
        : `route add ${Prefix.format(one.prefix)} via ${IpAddress.format(one.gateway)} dev ${device} proto 80 onlink`,
    );
  const [tunnel] = vxlan.tunnels;
  const vteps = tunnel?.kind === "vxlan" ? tunnel.vteps : [];
  return {
    plain: batchFile("plain", route(plain, "eth0")),
    router: batchFile(
      "router",
      route(plain, "eth0").map((line) => line.replace(/via \S+/, "via 10.255.255.254")),
    ),
    routes: batchFile("routes", route(vxlan, "vx0")),
    neighbours: batchFile(
      "neighbours",
      vteps.map(
        (end) =>
          `neigh add ${IpAddress.format(end.address)} lladdr ${Mac.format(end.mac)} dev vx0 nud permanent`,
      ),
    ),
    fdb: batchFile(
      "fdb",
      vteps.map(
        (end) => `fdb add ${Mac.format(end.mac)} dev vx0 dst ${IpAddress.format(end.host)} self permanent`,
      ),
    ),
  };
}

async function peerRound(files: ReturnType<typeof peerFiles>): Promise<void> {
  await timed("ip -batch, plain", () => runTool("ip", "-batch", files.plain));
  runTool("ip", ..."route flush proto 80".split(" "));
  await timed("ip -batch, router", () => runTool("ip", "-batch", files.router));
  runTool("ip", ..."route flush proto 80".split(" "));
  runTool("ip", ..."link add vx0 type vxlan id 9 dstport 4789 dev eth0 nolearning".split(" "));
  runTool("ip", ..."link set vx0 up".split(" "));
  await timed("ip and bridge -batch, VXLAN", () => {
    runTool("ip", "-batch", files.routes);
    runTool("ip", "-batch", files.neighbours);
    runTool("bridge", "-batch", files.fdb);
  });
  runTool("ip", ..."link delete vx0".split(" "));
}

async function ownRound(plain: ClusterResources, vxlan: ClusterResources): Promise<void> {
  const intents = { plain: intentOf(plain), vxlan: intentOf(vxlan) };
  await timed("intent", () => intentOf({ ...vxlan }));
  const programs = new Programs();
  try {
    await programs.apply({ ...intents.plain, routes: [] });
    await timed("plain routes", () => programs.apply(intents.plain));
    await timed("objects gone", () => programs.plain());
    await timed("plain resync", () => programs.resync());
    await programs.apply({ tunnels: [], routes: [], problems: [] });
    await timed("behind a router", async () => {
      programs.routes.replace("tunnels", viaRouter(intents.plain));
      await programs.settled();
    });
    await programs.apply({ tunnels: [], routes: [], problems: [] });
    await timed("VXLAN", () => programs.apply(intents.vxlan));
    await programs.plain();
    await timed("VXLAN resync", () => programs.resync());
    await oneRoute(programs, intents.vxlan);
    await idle(programs);
    await programs.apply({ tunnels: [], routes: [], problems: [] });
  } finally {
    programs.stop();
  }
}

/** A block that moves from node to node, one route at a time. */
async function oneRoute(programs: Programs, intent: TunnelIntent): Promise<void> {
  const all = wishes(intent);
  const took: number[] = [];
  for (let at = 0; at < changes; at += 1) {
    const [route, other] = [all[at + 1], all[at + 1000]];
    if (route === undefined || other?.nextHops === undefined) throw new Error("too few routes");
    const start = performance.now();
    programs.routes.update("tunnels", [{ ...route, nextHops: other.nextHops }]);
    await programs.routes.settled();
    took.push(performance.now() - start);
  }
  keep("one route", took.toSorted((a, b) => a - b)[changes / 2] ?? Infinity);
}

async function idle(programs: Programs): Promise<void> {
  if (best.has("idle CPU")) return;
  await programs.settled();
  await sleep(500);
  const before = process.cpuUsage();
  const start = performance.now();
  await sleep(idleMs);
  const { user, system } = process.cpuUsage(before);
  keep("idle CPU", ((user + system) / 1000 / (performance.now() - start)) * 100);
}

function print(what: string, limit: number, unit: "ms" | "%", peer?: string): void {
  const found = best.get(what) ?? Infinity;
  const shown = found.toFixed(found < 10 ? 3 : 1);
  const peerMs = peer === undefined ? undefined : best.get(peer);
  const ratio =
    peerMs === undefined ? "" : `  ${peer} ${peerMs.toFixed(1)} ms, ratio ${(peerMs / found).toFixed(2)}`;
  const cpuMs = best.get(`${what}, CPU`);
  const cpu = cpuMs === undefined ? "" : `, ${cpuMs.toFixed(0)} ms of it on the processor`;
  console.log(`${what.padEnd(15)} ${shown.padStart(8)} ${unit}  (at most ${limit} ${unit})${ratio}${cpu}`);
}

async function main(): Promise<void> {
  using ip = Rtnetlink.open(namespacePath(name));
  ip.addVeth({ name: "eth0", up: true }, { name: "peer0", up: true });
  const interfaceIndex = ip.link("eth0")?.index ?? 0;
  ip.addAddress({ interfaceIndex, address: Ipv4.of(0x0a000000 + 256), prefixLength: 8 });
  const [plain, vxlan] = [cluster("CrossSubnet"), cluster("Always")];
  const files = peerFiles(intentOf(plain), intentOf(vxlan));
  for (let round = 0; round < rounds; round += 1) {
    await ownRound(plain, vxlan);
    await peerRound(files);
  }
  console.log(
    `remote blocks of ${nodeCount} nodes, best of ${rounds} rounds; one route: median of ${changes}`,
  );
  print("intent", 200, "ms");
  print("plain routes", 200, "ms", "ip -batch, plain");
  const [goneMs = 0, goneCpuMs = 0] = [best.get("objects gone"), best.get("objects gone, CPU")];
  console.log(
    `  through next hop objects; plain for good ${(goneMs / 1000).toFixed(1)} s later (${goneCpuMs.toFixed(0)} ms on the processor)`,
  );
  print("behind a router", 200, "ms", "ip -batch, router");
  print("VXLAN", 1000, "ms", "ip and bridge -batch, VXLAN");
  print("plain resync", 300, "ms");
  print("VXLAN resync", 300, "ms");
  print("one route", 1, "ms");
  print("idle CPU", 1, "%");
}

createNamespace(name);
try {
  await main();
} finally {
  deleteNamespace(name);
  rmSync(directory, { recursive: true });
}
