import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ControlServer } from "@caracal/control";
import { ResourceClient, type Store, StoreError } from "@caracal/datastore";
import { Ipam, Nanos } from "@caracal/ipam";
import { LinuxKernel, Rtnetlink } from "@caracal/linux";
import { RouteProtocol } from "@caracal/netlink";
import { BirdState, birdVersion } from "./bird-state/bird-state.ts";
import type { BirdSnapshot } from "./bird-view/bird-snapshot.ts";
import { BirdSocket } from "./bird-view/bird-socket.ts";
import { ClusterView } from "./cluster/cluster-view.ts";
import { CniCode, CniError } from "./cni/cni-error.ts";
import { CniEngine } from "./cni/cni-engine.ts";
import { LinkRemover } from "./cni/link-remover.ts";
import { LinuxPodKernel } from "./cni/linux-pod-kernel.ts";
import type { NodeConfig } from "./config.ts";
import { AnnouncingPodKernel } from "./endpoints/announcing-pod-kernel.ts";
import { NodePodIpam } from "./endpoints/node-pod-ipam.ts";
import { nodeStatus } from "./node-status.ts";
import { bgpReadiness } from "./observe/bgp-readiness.ts";
import { Health } from "./observe/health.ts";
import { serveHealth, serveMetrics } from "./observe/http-endpoints.ts";
import type { Log } from "./observe/log.ts";
import { Metrics } from "./observe/metrics.ts";
import { BgpSupervisor } from "./routing/bgp-supervisor.ts";
import { KernelResolver } from "./routing/kernel-resolver.ts";
import { openSpeaker } from "./routing/open-speaker.ts";
import { Routing } from "./routing/routing.ts";
import { LocalHost } from "./startup/local-host.ts";
import { ensureNode, prepareCluster, type StartUp } from "./startup/prepare-cluster.ts";

/** Pause between attempts to reach a datastore that does not answer at start. */
const storeRetryMs = 1_000;
/** How often readiness is looked at between changes. */
const healthMs = 500;

export interface NodeDaemonOptions {
  readonly config: NodeConfig;
  readonly node: string;
  readonly store: Store;
  readonly log: Log;
}

/**
 * One node's daemon. It serves its control socket from the first moment (CNI calls are told to come back later), takes over
 * what an earlier run left in the kernel, and leaves forwarding as it is when it stops.
 */
export class NodeDaemon {
  readonly #options: NodeDaemonOptions;
  readonly #abort = new AbortController();
  readonly #startedAtMs = Date.now();
  readonly #health = new Health();
  readonly #metrics = new Metrics();
  readonly #host = new LocalHost();
  readonly #closers: (() => Promise<void> | void)[] = [];
  #engine: CniEngine | undefined;
  #status: (() => unknown) | undefined;
  #lookAtHealth: (() => void) | undefined;

  constructor(options: NodeDaemonOptions) {
    this.#options = options;
  }

  /** Runs until the signal aborts. Throws `StartUpError` and the errors of its sockets. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#abort.abort());
    try {
      await this.#start();
      await untilAborted(this.#abort.signal);
    } finally {
      this.#abort.abort();
      this.#options.log.info("stopping; routes stay in the kernel");
      for (const close of this.#closers.toReversed()) await close();
    }
  }

  async #start(): Promise<void> {
    const { config, node, log } = this.#options;
    mkdirSync(config.runDir, { recursive: true });
    mkdirSync(config.libDir, { recursive: true });
    this.#health.report("startup", { live: true, ready: false, detail: "starting" });
    await this.#serveControl();
    await this.#serveHttp();
    this.#host.enableForwarding();
    const startUp = this.#startUp();
    if (!(await this.#untilStoreAnswers(() => prepareCluster(startUp)))) return;
    writeNodeName(config.nodeNameFile, node);
    const view = this.#followCluster();
    const { routing, bgp, ...kernels } = this.#openRouting(view);
    this.#serveCni(view, routing);
    this.#watchHealth(view, routing, bgp);
    this.#status = () => nodeStatus(node, routing, bgp, this.#health);
    await this.#serveBird(
      new BirdState({
        routing,
        bgp,
        ...kernels,
        bootedAtMs: this.#startedAtMs,
        interfacePrefix: config.interfacePrefix,
      }),
    );
    if (config.backend === "bgp") this.#keepAddresses(startUp);
    this.#health.report("startup", { live: true, ready: true, detail: "started" });
    log.info({ tookMs: Date.now() - this.#startedAtMs }, "node started");
  }

  #startUp(): StartUp {
    const { config, node, store, log } = this.#options;
    const client = new ResourceClient(store, {
      now: () => `${new Date().toISOString().slice(0, 19)}Z`,
      uuid: randomUUID,
    });
    return { config, node, client, host: this.#host, log, uuid: randomUUID, randomBytes };
  }

  async #serveControl(): Promise<void> {
    const { config, log } = this.#options;
    const server = await ControlServer.listen({
      path: join(config.runDir, "control.sock"),
      onError: (error) => log.warn({ err: error }, "control request failed"),
      methods: {
        cni: (params, signal) => this.#cni(params, signal),
        health: () => {
          this.#lookAtHealth?.();
          return {
            isLive: this.#health.isLive,
            isReady: this.#health.isReady,
            notReadyBecause: this.#health.notReadyBecause,
            table: this.#health.table(),
          };
        },
        "node.status": () => {
          this.#lookAtHealth?.();
          return this.#status?.() ?? { node: this.#options.node, isReady: false };
        },
      },
    });
    this.#closers.push(() => server.close());
  }

  async #cni(params: unknown, signal: AbortSignal): Promise<unknown> {
    if (this.#engine === undefined) {
      const error = new CniError(CniCode.tryAgainLater, "the node daemon is starting");
      return { exitCode: 1, stdout: error.toJson("1.0.0") };
    }
    const command = commandOf(params);
    const stop = this.#metrics.cniRequestSeconds.startTimer({ command });
    const answer = await this.#engine.handle(params, signal);
    stop({ outcome: answer.exitCode === 0 ? "ok" : "error" });
    if (answer.exitCode !== 0) {
      this.#options.log.warn({ command, answer: answer.stdout, stack: answer.stderr }, "CNI call failed");
    }
    return answer;
  }

  async #serveHttp(): Promise<void> {
    const { config } = this.#options;
    const servers: Server[] = [];
    if (config.health !== undefined) servers.push(await serveHealth(this.#health, config.health));
    if (config.metrics !== undefined) servers.push(await serveMetrics(this.#metrics, config.metrics));
    this.#closers.push(() => {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    });
  }

  /** Repeats `work` while the datastore does not answer; false when the daemon was stopped meanwhile. */
  async #untilStoreAnswers(work: () => Promise<void>): Promise<boolean> {
    for (let attempt = 1; !this.#abort.signal.aborted; attempt += 1) {
      try {
        await work();
        return true;
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== "unavailable") throw error;
        this.#health.report("startup", {
          live: true,
          ready: false,
          detail: `waiting for the datastore: ${error.message}`,
        });
        if (attempt === 1 || attempt % 30 === 0) {
          this.#options.log.warn({ reason: error.message, attempt }, "waiting for the datastore");
        }
        await delay(storeRetryMs, undefined, { signal: this.#abort.signal }).catch(() => undefined);
      }
    }
    return false;
  }

  #followCluster(): ClusterView {
    const { node, store, log } = this.#options;
    const view: ClusterView = new ClusterView({
      node,
      store,
      onChange: () => this.#onClusterChange?.(),
      onStatus: (status, part) => {
        this.#metrics.storeConnected.set(view.isCurrent ? 1 : 0);
        if (status.kind === "away")
          log.warn({ part, reason: status.reason }, "datastore away; the last known state holds");
        else log.debug({ part, status: status.kind }, "datastore watch");
      },
    });
    const running = view.run(this.#abort.signal);
    this.#closers.push(() => running);
    return view;
  }

  #onClusterChange: (() => void) | undefined;

  #openRouting(view: ClusterView): {
    routing: Routing;
    bgp: BgpSupervisor;
    kernel: LinuxKernel;
    tables: Rtnetlink;
  } {
    const { config, node, log } = this.#options;
    const kernel = LinuxKernel.open();
    const tables = Rtnetlink.open();
    const resolver = new KernelResolver(tables);
    const isRestart = tables.routes({ protocol: RouteProtocol.RTPROT_BIRD }).length > 0;
    const bgp = new BgpSupervisor({
      open: (settings, listener) => openSpeaker(settings, listener, { resolver, log }),
      isRestart,
      log,
    });
    const { interfacePrefix, routerId } = config;
    const routing = new Routing({
      node,
      backend: config.backend,
      view,
      kernel,
      resolver,
      bgp,
      interfacePrefix,
      routerId,
      log,
      metrics: this.#metrics,
    });
    this.#onClusterChange = () => routing.schedule();
    routing.start();
    this.#closers.push(
      () => kernel.close(),
      () => tables.close(),
      () => routing.stop(),
    );
    return { routing, bgp, kernel, tables };
  }

  #serveCni(view: ClusterView, routing: Routing): void {
    const { config, node, store } = this.#options;
    const remover = new LinkRemover();
    const podKernel = new LinuxPodKernel((name) => remover.remove(name));
    const ipam = new Ipam({ store, node, now: () => Nanos.of(BigInt(Date.now()) * 1_000_000n) });
    this.#engine = new CniEngine({
      node,
      store,
      ipam: new NodePodIpam(ipam, node),
      kernel: new AnnouncingPodKernel(podKernel, routing),
      hooks: {
        blocksClaimed: (blocks) => routing.blocksClaimed(blocks),
        endpointAdded: () => Promise.resolve(),
        endpointRemoved: () => Promise.resolve(),
      },
      isReady: () => view.isDatastoreReady,
      sources: { now: () => new Date(), uuid: randomUUID },
      defaultMtu: () => readMtu(join(config.libDir, "mtu")),
    });
    this.#closers.push(
      () => podKernel[Symbol.dispose](),
      () => remover[Symbol.asyncDispose](),
    );
  }

  async #serveBird(state: BirdState): Promise<void> {
    this.#closers.push(() => state[Symbol.dispose]());
    for (const [family, name] of [
      [4, "bird.ctl"],
      [6, "bird6.ctl"],
    ] as const) {
      const path = join(this.#options.config.runDir, name);
      const snapshot = (): BirdSnapshot => state.snapshot(family);
      const socket = await BirdSocket.open({ path, version: birdVersion, snapshot });
      this.#closers.push(() => socket.close());
    }
  }

  #watchHealth(view: ClusterView, routing: Routing, bgp: BgpSupervisor): void {
    const look = (): void => {
      const stale = view.staleBecause;
      this.#health.report("datastore", {
        live: true,
        ready: stale === undefined,
        detail: stale ?? "in sync",
      });
      const { status } = routing;
      const [failure] = status.failures;
      const detail =
        failure === undefined
          ? `${status.wantedCount} routes`
          : `${failure.key}: ${failure.errno} ${failure.detail}`;
      this.#health.report("kernel", {
        live: true,
        ready: routing.intent !== undefined && status.settled,
        detail,
      });
      if (this.#options.config.backend === "none") return;
      const peers = bgp.peers();
      this.#health.report("bgp", bgpReadiness(peers, Date.now() - this.#startedAtMs, bgp.failure));
      this.#metrics.countPeers(peers.map((peer) => peer.state));
    };
    look();
    this.#lookAtHealth = look;
    const timer = setInterval(look, healthMs);
    this.#closers.push(() => clearInterval(timer));
  }

  /** Autodetected addresses may change while we run (facts: node start-up §3, monitor). */
  #keepAddresses(startUp: StartUp): void {
    const { config, log } = this.#options;
    const timer = setInterval(() => {
      ensureNode(startUp).catch((error: unknown) =>
        log.warn({ err: error }, "the Node resource was not refreshed"),
      );
    }, config.autodetectPollMs);
    this.#closers.push(() => clearInterval(timer));
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Whole or not at all: a reader never sees half a name. */
function writeNodeName(path: string, node: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.tmp`, node);
  renameSync(`${path}.tmp`, path);
}

function readMtu(path: string): number | undefined {
  try {
    const mtu = Number(readFileSync(path, "utf8").trim());
    return Number.isInteger(mtu) && mtu >= 68 ? mtu : undefined;
  } catch {
    return undefined;
  }
}

/** For a metric's label: only words that the protocol knows. */
function commandOf(params: unknown): string {
  const command =
    typeof params === "object" && params !== null && "command" in params ? params.command : undefined;
  return typeof command === "string" && /^(ADD|DEL|CHECK|VERSION|STATUS|GC)$/.test(command)
    ? command
    : "other";
}
