import { createHash } from "node:crypto";
import {
  type DesiredRoute,
  type Kernel,
  type KernelNotice,
  RouteReconciler,
  type RouteStatus,
} from "@caracal/dataplane";
import { type BlockAffinity, type NodeIntent, nodeIntent, type ProgrammingPolicy } from "@caracal/intent";
import { Prefix } from "@caracal/net";
import { type Change, RouteProtocol, RouteTable } from "@caracal/netlink";
import { systemClock } from "@caracal/linux";
import type { ClusterView } from "../cluster/cluster-view.ts";
import type { PodInterface } from "../cni/ports.ts";
import { PendingEndpoints } from "../endpoints/pending-endpoints.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { BgpRoutes } from "./bgp-routes.ts";
import type { BgpSupervisor } from "./bgp-supervisor.ts";
import type { KernelResolver } from "./kernel-resolver.ts";
import { blackholeRoute, podRoute } from "./own-routes.ts";

export interface RoutingOptions {
  readonly node: string;
  /** `none` programs pods only: no sessions, no blocks. */
  readonly backend: "bgp" | "none";
  readonly view: ClusterView;
  readonly kernel: Kernel;
  readonly resolver: KernelResolver;
  readonly bgp: BgpSupervisor;
  readonly interfacePrefix: string;
  /** `CALICO_ROUTER_ID`. */
  readonly routerId: string | undefined;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** How long after a restart learned routes stay in the kernel while peers have not told all they have. */
const bgpGraceMs = 120_000;
/** How long pods and blocks of an earlier run stay while the datastore has not been read. */
const storeGraceMs = 24 * 3_600_000;
/** Changes of links and routes are gathered so long before next hops are looked up anew. */
const networkDelayMs = 50;

/**
 * From the cluster's resources to this node's sessions and routes: computes the intent whenever something changed, and hands
 * only differences to the speaker and the kernel.
 */
export class Routing {
  readonly #options: RoutingOptions;
  readonly #reconciler: RouteReconciler;
  readonly #pending = new PendingEndpoints();
  readonly #claimed = new Map<string, BlockAffinity>();
  readonly #bgpRoutes: BgpRoutes;
  #intent: NodeIntent | undefined;
  #programming = "";
  #problems = "";
  #isScheduled = false;
  #networkTimer: NodeJS.Timeout | undefined;
  #unsubscribe: (() => void) | undefined;
  #isStopped = false;

  constructor(options: RoutingOptions) {
    this.#options = options;
    this.#bgpRoutes = new BgpRoutes((nextHop) => options.resolver.path(nextHop));
    this.#reconciler = new RouteReconciler({
      kernel: options.kernel,
      clock: systemClock,
      sources: [
        { name: "pods", owns: { interfacePrefixes: [options.interfacePrefix] }, graceMs: storeGraceMs },
        { name: "blocks", owns: { protocols: [RouteProtocol.RTPROT_BIRD] }, graceMs: storeGraceMs },
        { name: "bgp", owns: { protocols: [RouteProtocol.RTPROT_BIRD] }, graceMs: bgpGraceMs },
      ],
      onStatus: (status) => this.#observe(status),
    });
    options.bgp.listen({
      onBestRoutes: (changes) => {
        const { set, remove } = this.#bgpRoutes.apply(changes);
        this.#reconciler.update("bgp", set, remove);
        options.metrics.bgpRoutes.set(this.#bgpRoutes.size);
      },
      onInitialSync: () => {
        options.log.info({ routes: this.#bgpRoutes.size }, "peers have told their routes");
        this.#reconciler.complete("bgp");
      },
      onForgotten: () => {
        this.#bgpRoutes.clear();
        this.#reconciler.replace("bgp", []);
      },
    });
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
    clearTimeout(this.#networkTimer);
    this.#reconciler.stop();
    await this.#options.bgp.stop();
  }

  /** What this node should do, as last computed. */
  get intent(): NodeIntent | undefined {
    return this.#intent;
  }

  get status(): RouteStatus {
    return this.#reconciler.status;
  }

  /** Computes the intent soon; many calls before that make one computation. */
  schedule(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (!this.#isStopped) this.#recompute();
    });
  }

  /** A pod is about to get its routes. */
  willRoute(pod: PodInterface): void {
    this.#pending.add(pod.hostName, pod.netns, pod.addresses);
    this.#replacePods();
  }

  hasRemoved(hostName: string): void {
    if (this.#pending.remove(hostName)) this.#replacePods();
  }

  /** Announces blocks that this node has just claimed, before the datastore's watch tells of them. */
  async blocksClaimed(blocks: readonly Prefix[]): Promise<void> {
    for (const block of blocks) {
      this.#claimed.set(Prefix.key(block), { node: this.#options.node, block, state: "confirmed" });
    }
    this.#recompute();
    await this.#reconciler.settled();
  }

  #recompute(): void {
    const { view, node, routerId, metrics } = this.#options;
    // A view with holes would look like a cluster whose nodes and pools were deleted.
    if (!view.isComplete || this.#isStopped) return;
    const stop = metrics.intentSeconds.startTimer();
    const settings = { sha256, ...(routerId === undefined ? {} : { routerId }) };
    const intent = nodeIntent({
      node,
      cluster: view.resources,
      affinities: this.#affinities(),
      endpoints: view.endpoints,
      settings,
    });
    stop();
    this.#intent = intent;
    this.#tellProblems(intent);
    const speaksBgp = this.#options.backend === "bgp";
    const blackholes = speaksBgp ? intent.kernel.blackholes.map(blackholeRoute) : [];
    this.#reconciler.replace("blocks", blackholes);
    this.#reconciler.complete("blocks");
    this.#replacePods();
    this.#reconciler.complete("pods");
    this.#program(intent.kernel.programming);
    this.#options.bgp.apply(speaksBgp ? intent.bgp : undefined);
    metrics.clusterHosts.set(view.resources.nodes.length);
    metrics.activeLocalEndpoints.set(view.endpoints.length);
  }

  #affinities(): readonly BlockAffinity[] {
    const known = this.#options.view.affinities;
    for (const { block } of known) this.#claimed.delete(Prefix.key(block));
    return this.#claimed.size === 0 ? known : [...known, ...this.#claimed.values()];
  }

  #replacePods(): void {
    const routes = this.#pending.merge(this.#intent?.kernel.podRoutes ?? []);
    // Before the datastore was read, what it knows of earlier pods is unknown: only add.
    if (this.#intent === undefined) this.#reconciler.update("pods", routes.map(podRoute));
    else this.#reconciler.replace("pods", routes.map(podRoute));
  }

  /** Decides anew about learned routes when a pool's mode or the node's subnet changed. */
  #program(policy: ProgrammingPolicy): void {
    const text = JSON.stringify([policy, [...policy.subnets]], (_key, value: unknown) =>
      typeof value === "bigint" ? String(value) : value,
    );
    if (text === this.#programming) return;
    this.#programming = text;
    const routes: readonly DesiredRoute[] = this.#bgpRoutes.under(policy);
    this.#reconciler.replace("bgp", routes);
  }

  #tellProblems({ problems }: NodeIntent): void {
    const text = JSON.stringify(problems);
    if (text === this.#problems) return;
    this.#problems = text;
    for (const { about, message } of problems)
      this.#options.log.warn({ about, problem: message }, "resource problem");
  }

  #hear(notice: KernelNotice): void {
    const matters =
      notice.kind === "overrun" || notice.changes.some((change) => this.#mayMoveNextHops(change));
    if (!matters || this.#networkTimer !== undefined) return;
    this.#networkTimer = setTimeout(() => {
      this.#networkTimer = undefined;
      this.#options.resolver.forget();
      this.#options.bgp.networkChanged();
    }, networkDelayMs);
  }

  /** Pods come and go without moving a next hop. */
  #mayMoveNextHops(change: Change): boolean {
    const prefix = this.#options.interfacePrefix;
    if (change.kind === "link") return !change.link.name.startsWith(prefix);
    if (change.kind === "address") return true;
    if (change.kind !== "route") return false;
    const { protocol, table, destination } = change.route;
    const isHost = destination.length === (destination.family === 4 ? 32 : 128);
    return protocol !== RouteProtocol.RTPROT_BIRD && table === RouteTable.RT_TABLE_MAIN && !isHost;
  }

  #observe(status: RouteStatus): void {
    if (this.#isStopped) return;
    const { metrics } = this.#options;
    metrics.kernelRoutes.set(status.wantedCount);
    metrics.kernelRouteFailures.set(status.failures.length);
  }
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
