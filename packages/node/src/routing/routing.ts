import {
  type Clock,
  type DesiredRoute,
  type Kernel,
  type KernelNotice,
  RouteReconciler,
  type RouteStatus,
} from "@caracal/dataplane";
import {
  type FelixSettings,
  type IntentProblem,
  isRoutedByWorkload,
  type Lingering,
  type NodeIntent,
  nodeIntent,
  ownBlocks,
  type PeerIntent,
  type PodRoute,
  type ProgrammingPolicy,
  type SecretKey,
  takenTunnelAddresses,
  TunnelEnds,
  type TunnelIntent,
} from "@caracal/intent";
import { IpAddress, Prefix } from "@caracal/net";
import { type Change, RouteProtocol, RouteTable } from "@caracal/netlink";
import { type KernelResolver, systemClock } from "@caracal/linux";
import type { ClusterView } from "../cluster/cluster-view.ts";
import type { Backend } from "../config.ts";
import type { PodInterface } from "../cni/ports.ts";
import { PendingEndpoints } from "../endpoints/pending-endpoints.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { TunnelKeeper } from "../tunnels/tunnel-keeper.ts";
import { BgpRoutes } from "./bgp-routes.ts";
import type { BgpSupervisor } from "./bgp-supervisor.ts";
import { sha1, sha256 } from "./digests.ts";
import { EncapsulationMemory } from "./encapsulation-memory.ts";
import { blackholeRoute, peerRoute, podRoute } from "./own-routes.ts";
import { PoolMoves } from "./pool-moves.ts";
import { ProblemLog } from "./problem-log.ts";
import { learnedProtocols, RouteMarks } from "./route-marks.ts";
import { routeTroubles } from "./route-troubles.ts";
import { TunnelMemo } from "./tunnel-memo.ts";
import { tunnelRoutes, vxlanDevices } from "./tunnel-routes.ts";

export interface RoutingOptions {
  readonly node: string;
  /** All but `caracal` program pods only: no sessions, no blocks. Routes of the protocol `bird` are left to BIRD where it runs. */
  readonly backend: Backend;
  /** Told of addresses that no pod of the node has any more. */
  readonly onAddressesGone?: (addresses: readonly IpAddress[]) => void;
  /** Whether what speaks BGP can send through IPIP devices; it can unless told. */
  readonly bgpHasTunnels?: () => boolean;
  /** Told of every intent. */
  readonly onIntent?: (intent: NodeIntent) => void;
  readonly view: ClusterView;
  readonly kernel: Kernel;
  readonly resolver: Pick<KernelResolver, "path" | "forget" | "setGateways">;
  readonly bgp: BgpSupervisor;
  /** Makes the tunnel devices. */
  readonly tunnels: Pick<TunnelKeeper, "apply" | "status" | "settled">;
  /** What the daemon's environment says of the node agent's settings. */
  readonly felix?: FelixSettings;
  /** Whether the host has an address; unless told, it has any. */
  readonly hasAddress?: (address: IpAddress) => boolean;
  /** Routes through interfaces named so are pods'. */
  readonly interfacePrefixes: readonly string[];
  /** `CALICO_ROUTER_ID`. */
  readonly routerId: string | undefined;
  /** Whether a password's secret can be read. */
  readonly hasSecret: (secret: SecretKey) => boolean;
  readonly log: Log;
  readonly metrics: Metrics;
  /** An earlier run left learned routes in the kernel. */
  readonly isRestart: boolean;
  /** The machine's own unless told. */
  readonly clock?: Clock;
}

/** How long after a restart learned routes stay in the kernel while peers have not told all they have. */
const bgpGraceMs = 120_000;
/** How long pods and blocks of an earlier run stay while the datastore has not been read. */
const storeGraceMs = 24 * 3_600_000;
/** Changes of links and routes are gathered so long before next hops are looked up anew. */
const networkDelayMs = 50;
/** After the intent was computed it is not for so many times as long, or for so long at most. */
const restsPerComputing = 4;
const restMostMs = 200;

/**
 * From the cluster's resources to this node's sessions and routes: computes the intent whenever something changed, and hands
 * only differences to the speaker and the kernel.
 */
export class Routing {
  readonly #options: RoutingOptions;
  readonly #reconciler: RouteReconciler;
  readonly #pending = new PendingEndpoints();
  readonly #clock: Clock;
  readonly #bgpRoutes: BgpRoutes;
  readonly #marks: RouteMarks;
  readonly #tunnelEnds = new TunnelEnds();
  readonly #moves: PoolMoves;
  readonly #memory: EncapsulationMemory;
  readonly #problems: ProblemLog;
  readonly #troubles: ProblemLog;
  #intent: NodeIntent | undefined;
  #tunnelIntent: TunnelIntent | undefined;
  readonly #tunnelMemo = new TunnelMemo();
  #taken: readonly IntentProblem[] = [];
  #programming = "";
  #gateways = "";
  #podAddresses = new Map<string, IpAddress>();
  #hasHeardPeers = false;
  #isScheduled = false;
  #callOffSchedule: (() => void) | undefined;
  #computedAtMs = 0;
  #computingTookMs = 0;
  #callOffNetwork: (() => void) | undefined;
  #unsubscribe: (() => void) | undefined;
  #isStopped = false;

  constructor(options: RoutingOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#bgpRoutes = new BgpRoutes(
      (nextHop) => options.resolver.path(nextHop),
      (destination, nextHop) => this.#tunnelEnds.endOf(destination, nextHop),
    );
    const { pods, tunnels, moves, learned } = (this.#marks = new RouteMarks({
      interfacePrefixes: options.interfacePrefixes,
      learnedProtocols: learnedProtocols(options.backend === "bird"),
      hasAddress: options.hasAddress ?? (() => true),
    }));
    this.#moves = new PoolMoves({
      clock: this.#clock,
      isReady: (route) => this.#isReady(route),
      onExpired: () => this.schedule(),
    });
    this.#problems = new ProblemLog(this.#clock, options.log);
    this.#troubles = new ProblemLog(this.#clock, options.log, "a route is not in the kernel");
    this.#memory = new EncapsulationMemory(this.#clock, () => this.schedule());
    this.#reconciler = new RouteReconciler({
      kernel: options.kernel,
      clock: this.#clock,
      sources: [
        { name: "pods", owns: pods, graceMs: storeGraceMs },
        { name: "blocks", owns: learned, graceMs: storeGraceMs },
        { name: "moves", owns: moves, graceMs: 0 },
        { name: "tunnels", owns: tunnels, graceMs: storeGraceMs },
        { name: "bgp", owns: learned, graceMs: bgpGraceMs },
      ],
      onStatus: (status) => this.#observe(status),
    });
    // What it holds is never left from an earlier run.
    this.#reconciler.complete("moves");
    // Nothing was left that would have to wait for the peers' word.
    if (!options.isRestart) this.#reconciler.complete("bgp");
    this.#listenTo(options.bgp);
  }

  start(): void {
    this.#unsubscribe = this.#options.kernel.subscribe((notice) => this.#hear(notice));
    this.#reconciler.start();
    this.schedule();
  }

  /** Sessions end so that peers keep our routes; kernel routes stay. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unsubscribe?.();
    this.#callOffNetwork?.();
    this.#callOffSchedule?.();
    this.#problems.stop();
    this.#troubles.stop();
    this.#moves.stop();
    this.#memory.stop();
    this.#reconciler.stop();
    await this.#options.bgp.stop();
  }

  /** What this node should do, as last computed. */
  get intent(): NodeIntent | undefined {
    return this.#intent;
  }

  /** The node's tunnels, as last computed. */
  get tunnels(): TunnelIntent | undefined {
    return this.#tunnelIntent;
  }

  /** What keeps tunnels from doing all that the resources ask for. */
  get tunnelProblems(): readonly IntentProblem[] {
    return [...(this.#tunnelIntent?.problems ?? []), ...this.#taken, ...this.#marks.problems];
  }

  /** Encapsulations that no pool asks for any more, but others may still send by. */
  get lingering(): Lingering {
    return this.#memory.lingering;
  }

  get status(): RouteStatus {
    return this.#reconciler.status;
  }

  /** What of the wanted routes the kernel does not have, and why. */
  get routeTroubles(): readonly IntentProblem[] {
    return routeTroubles(this.#reconciler.status, (link) => this.#reconciler.linkName(link));
  }

  /**
   * Computes the intent soon; many calls before that make one computation. It takes the longer the more pods there are, and
   * leaves most of the time to them: their own routes do not wait for it.
   */
  schedule(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    const compute = (): void => {
      this.#isScheduled = false;
      if (!this.#isStopped) this.#recompute();
    };
    const restMs = Math.min(this.#computingTookMs * restsPerComputing, restMostMs);
    const waitMs = this.#computedAtMs + restMs - this.#clock.now();
    if (waitMs < 1) setImmediate(compute);
    else this.#callOffSchedule = this.#clock.after(Math.ceil(waitMs), compute);
  }

  /** Who takes packets for `destination` out of an IPIP tunnel, where BGP has this next hop for it. */
  tunnelEnd(destination: Prefix, nextHop: IpAddress): IpAddress {
    return this.#tunnelEnds.endOf(destination, nextHop);
  }

  /** Whether a pod of the node has the address. */
  isPodAddress(address: IpAddress): boolean {
    return this.#podAddresses.has(Prefix.key(Prefix.host(address)));
  }

  /** A pod is about to get its routes. */
  willRoute(pod: PodInterface, mac: string | undefined): void {
    const isChanged = this.#pending.has(pod.hostName);
    const added = this.#pending.add(pod.hostName, pod.addresses, mac);
    if (isChanged) {
      this.#replacePods();
      return;
    }
    // Beside a thousand others it costs no more than beside none.
    const routes = added.map((route) => podRoute(route, this.#marks.settings));
    this.#reconciler.update("pods", routes);
    for (const { destination } of routes) {
      this.#podAddresses.set(Prefix.key(destination), destination.address);
    }
  }

  hasRemoved(hostName: string): void {
    if (this.#pending.remove(hostName)) this.#replacePods();
  }

  /** Announces blocks that this node has just claimed, before the datastore's watch tells of them. */
  async blocksClaimed(blocks: readonly Prefix[]): Promise<void> {
    for (const block of blocks) this.#options.view.claimed(block);
    this.#recompute();
    await this.#reconciler.settled();
  }

  #listenTo(bgp: BgpSupervisor): void {
    const { log, metrics } = this.#options;
    bgp.listen({
      onBestRoutes: (changes) => {
        const { set, remove } = this.#bgpRoutes.apply(changes);
        this.#reconciler.update("bgp", set, remove);
        metrics.bgpRoutes.set(this.#bgpRoutes.size);
      },
      onInitialSync: () => {
        // Without a speaker there is word of it at every change of the cluster.
        if (!this.#hasHeardPeers) log.info({ routes: this.#bgpRoutes.size }, "peers have told their routes");
        this.#hasHeardPeers = true;
        this.#reconciler.complete("bgp");
      },
      onForgotten: () => {
        this.#hasHeardPeers = false;
        this.#bgpRoutes.clear();
        this.#reconciler.replace("bgp", []);
        metrics.bgpRoutes.set(0);
      },
    });
  }

  #recompute(): void {
    const { view, node, routerId, felix, hasSecret, metrics } = this.#options;
    // A view with holes would look like a cluster whose nodes and pools were deleted.
    if (!view.isComplete || this.#isStopped) return;
    const startedAtMs = this.#clock.now();
    const stop = metrics.intentSeconds.startTimer();
    const settings = {
      sha256,
      hasSecret,
      ...(routerId === undefined ? {} : { routerId }),
      ...(felix === undefined ? {} : { environment: felix }),
    };
    const intent = nodeIntent({
      node,
      cluster: view.resources,
      affinities: view.affinities,
      endpoints: view.endpoints,
      settings,
    });
    this.#memory.see(view.resources.pools);
    const before = this.#tunnelIntent;
    const tunnels = this.#computeTunnels();
    this.#tunnelIntent = tunnels;
    stop();
    this.#intent = intent;
    this.#taken = takenTunnelAddresses(tunnels.tunnels, node, view.endpoints);
    const haveMarksMoved = this.#useMarks(intent);
    this.#problems.see([...intent.problems, ...this.tunnelProblems]);
    const moved = this.#moves.changed(intent.kernel.programming.pools);
    const former = moved.length === 0 ? [] : [...this.#reconciler.wanted()];
    if (tunnels !== before || haveMarksMoved) this.#replaceTunnels();
    const speaksBgp = this.#options.backend === "caracal";
    const peers = speaksBgp ? (intent.bgp?.peers ?? []) : [];
    const blackholes = speaksBgp ? intent.kernel.blackholes.map(blackholeRoute) : [];
    this.#reconciler.replace("blocks", [...blackholes, ...peers.flatMap(peerRoute)]);
    this.#reconciler.complete("blocks");
    this.#replacePods();
    this.#reconciler.complete("pods");
    this.#program(intent.kernel.programming);
    if (moved.length > 0) this.#moves.hold(former, moved);
    this.#settleMoves();
    this.#setGateways(peers);
    this.#options.bgp.apply(speaksBgp ? intent.bgp : undefined);
    this.#options.onIntent?.(intent);
    metrics.clusterHosts.set(view.resources.nodes.length);
    metrics.activeLocalEndpoints.set(view.endpoints.length);
    this.#computedAtMs = this.#clock.now();
    this.#computingTookMs = this.#computedAtMs - startedAtMs;
  }

  /** Whether the daemon's own routes are to be marked otherwise than before. */
  #useMarks({ kernel }: NodeIntent): boolean {
    if (!this.#marks.use(kernel.deviceRoutes)) return false;
    const { pods, tunnels, moves } = this.#marks;
    this.#reconciler.own("pods", pods);
    this.#reconciler.own("moves", moves);
    this.#reconciler.own("tunnels", tunnels);
    this.#reconciler.resyncEvery(this.#marks.refreshMs);
    return true;
  }

  #computeTunnels(): TunnelIntent {
    const { view, node, backend, felix, bgpHasTunnels } = this.#options;
    const speaksBgp = backend === "caracal" || backend === "bird";
    const isByWorkload = isRoutedByWorkload(view.resources, node, felix);
    return this.#tunnelMemo.of({
      node,
      cluster: view.resources,
      blocks: isByWorkload ? view.workloads : view.blocks,
      // Addresses that are not from IPAM have no blocks for packets to end at.
      ownBlocks: isByWorkload ? [] : ownBlocks(node, view.affinities),
      settings: {
        sha1,
        speaksBgp,
        bgpHasTunnels: bgpHasTunnels?.() ?? true,
        lingering: this.#memory.lingering,
        ...(felix === undefined ? {} : { environment: felix }),
      },
    });
  }

  /** Devices first: routes wait for theirs. */
  #replaceTunnels(): void {
    const { backend, tunnels, resolver } = this.#options;
    const intent = this.#tunnelIntent;
    // Without networking nothing is ours but pods.
    if (intent === undefined || backend === "none") return;
    tunnels.apply(intent);
    this.#reconciler.replace(
      "tunnels",
      tunnelRoutes(intent.routes, (host) => resolver.path(host), this.#marks.settings),
    );
    this.#reconciler.complete("tunnels");
  }

  /** Lets go of routes whose successors can take over; the rest waits for other nodes, for devices, or for time. */
  #settleMoves(): void {
    if (!this.#moves.isHolding) return;
    this.#reconciler.replace("moves", []);
    this.#reconciler.replace(
      "moves",
      this.#moves.staying((route) => this.#reconciler.wantedFor(route)),
    );
    const { tunnels } = this.#options;
    if (tunnels.status.settled) return;
    // Looked at once more when the devices and their remote ends are as they should be.
    void tunnels.settled().then(() => {
      if (!this.#isStopped) this.#settleMoves();
    });
  }

  /** Without a tunnel anything arrives. VXLAN's ends are known; who takes IP-in-IP has said so by its tunnel address. */
  #isReady({ nextHops = [] }: DesiredRoute): boolean {
    return nextHops.every(({ interfaceName = "", gateway }) => {
      if (vxlanDevices.includes(interfaceName)) return this.#options.tunnels.status.settled;
      if (interfaceName !== "tunl0") return true;
      return this.#options.view.resources.nodes.some(
        ({ spec: { bgp } }) =>
          bgp?.ipv4IPIPTunnelAddr !== undefined &&
          bgp.ipv4Address !== undefined &&
          Prefix.parseInterface(bgp.ipv4Address)?.address === gateway,
      );
    });
  }

  #replacePods(): void {
    const known = (this.#intent?.kernel.podRoutes ?? []).filter((route) => this.#isOurs(route));
    const { endpoints } = this.#options.view;
    const macs = new Map(endpoints.map(({ spec }) => [spec.interfaceName, spec.mac]));
    const routes = this.#pending
      .merge(known, (name) => macs.get(name))
      .map((route) => podRoute(route, this.#marks.settings));
    // Before the datastore was read, what it knows of earlier pods is unknown: only add.
    if (this.#intent === undefined) this.#reconciler.update("pods", routes);
    else this.#reconciler.replace("pods", routes);
    this.#tellGone(routes);
  }

  #tellGone(routes: readonly DesiredRoute[]): void {
    const before = this.#podAddresses;
    this.#podAddresses = new Map(
      routes.map(({ destination }) => [Prefix.key(destination), destination.address]),
    );
    const gone = [...before].filter(([key]) => !this.#podAddresses.has(key)).map(([, address]) => address);
    if (gone.length > 0) this.#options.onAddressesGone?.(gone);
  }

  /** An endpoint that somebody wrote by hand may name any interface, the node's own among them. */
  #isOurs({ interfaceName }: PodRoute): boolean {
    return this.#options.interfacePrefixes.some((prefix) => interfaceName.startsWith(prefix));
  }

  /** Decides anew about learned routes when a pool's mode or the node's subnet changed. */
  #program(policy: ProgrammingPolicy): void {
    const { view } = this.#options;
    const haveEndsMoved = this.#tunnelEnds.see(view.resources.nodes, view.blocks);
    const text = JSON.stringify([policy, [...policy.subnets]], (_key, value: unknown) =>
      typeof value === "bigint" ? String(value) : value,
    );
    if (text === this.#programming && !haveEndsMoved) return;
    this.#programming = text;
    const routes: readonly DesiredRoute[] = this.#bgpRoutes.under(policy);
    this.#reconciler.replace("bgp", routes);
  }

  #setGateways(peers: readonly PeerIntent[]): void {
    const gateways = peers.flatMap(({ address, reachableBy }) =>
      reachableBy === undefined ? [] : [[address, reachableBy] as const],
    );
    const text = gateways.map((pair) => pair.map(IpAddress.format).join(" via ")).join();
    if (text === this.#gateways) return;
    this.#gateways = text;
    this.#options.resolver.setGateways(new Map(gateways));
    this.#options.bgp.networkChanged();
  }

  #hear(notice: KernelNotice): void {
    const matters =
      notice.kind === "overrun" || notice.changes.some((change) => this.#mayMoveNextHops(change));
    if (!matters || this.#callOffNetwork !== undefined) return;
    this.#callOffNetwork = this.#clock.after(networkDelayMs, () => {
      this.#callOffNetwork = undefined;
      this.#options.resolver.forget();
      this.#options.bgp.networkChanged();
      this.#replaceTunnels();
      // A source address may have come or gone.
      if ((this.#intent?.kernel.deviceRoutes.sources.size ?? 0) > 0) this.schedule();
    });
  }

  /** Pods come and go without moving a next hop. */
  #mayMoveNextHops(change: Change): boolean {
    const { interfacePrefixes } = this.#options;
    if (change.kind === "link")
      return !interfacePrefixes.some((prefix) => change.link.name.startsWith(prefix));
    if (change.kind === "address") return true;
    if (change.kind !== "route") return false;
    const { protocol, table, destination } = change.route;
    const isHost = Prefix.isHost(destination);
    return protocol !== RouteProtocol.RTPROT_BIRD && table === RouteTable.RT_TABLE_MAIN && !isHost;
  }

  #observe(status: RouteStatus): void {
    if (this.#isStopped) return;
    const { metrics } = this.#options;
    metrics.kernelRoutes.set(status.wantedCount);
    metrics.kernelRouteFailures.set(status.failures.length);
    this.#troubles.see(routeTroubles(status, (link) => this.#reconciler.linkName(link)));
  }
}
