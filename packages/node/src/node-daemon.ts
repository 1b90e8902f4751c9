import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ControlServer } from "@caracal/control";
import { LinuxShaping, NftRuleset, systemClock } from "@caracal/linux";
import { AnswerDesk, probeMethods, traceStateMethod } from "@caracal/questions";
import { type IpAddress, type IpFamily, Prefix } from "@caracal/net";
import { ResourceClient, type Store, StoreError } from "@caracal/datastore";
import { type NodeMtus, packetIntents } from "@caracal/intent";
import { Ipam, Nanos } from "@caracal/ipam";
import type { BirdBackend } from "./bird-backend/bird-backend.ts";
import { endLeftBirds } from "./bird-backend/left-birds.ts";
import { BirdState, birdVersion } from "./bird-state/bird-state.ts";
import { BirdSocket } from "@caracal/bird-view";
import { PodShaping } from "./qos/pod-shaping.ts";
import { ClusterView, pause } from "./cluster/cluster-view.ts";
import type { CniEngine } from "./cni/cni-engine.ts";
import { DeletionBacklog } from "./cni/deletion-backlog.ts";
import { EarlyCalls } from "./cni/early-calls.ts";
import { LinkRemover } from "./cni/link-remover.ts";
import { LinuxPodKernel } from "./cni/linux-pod-kernel.ts";
import type { Backend, NodeConfig } from "./config.ts";
import type { CniAnswer } from "./cni/cni-call.ts";
import { CniCallLog } from "./endpoints/cni-call-log.ts";
import { openCniEngine, type Pods } from "./endpoints/open-cni-engine.ts";
import { CniService } from "./endpoints/cni-service.ts";
import { KnownPods } from "./endpoints/known-pods.ts";
import { EndpointStatusFiles } from "./endpoints/endpoint-status-files.ts";
import { type MtuSources, mtuSourcesOf, readMtuSources } from "./mtu/mtu-sources.ts";
import { IpamAudit } from "./ipam-audit/ipam-audit.ts";
import { PodMtuFile } from "./mtu/pod-mtu-file.ts";
import { HostSettings } from "./host-settings/host-settings.ts";
import { OwnAddresses } from "./host-settings/own-addresses.ts";
import { PodMacs } from "./host-settings/pod-macs.ts";
import { podInterfaces } from "./host-settings/wanted-settings.ts";
import { waysOut } from "./host-settings/ways-out.ts";
import { Health } from "./observe/health.ts";
import { HealthWatch, type SessionStates } from "./observe/health-watch.ts";
import { serveHealth, serveMetrics } from "./observe/http-endpoints.ts";
import type { Log } from "./observe/log.ts";
import { Metrics } from "./observe/metrics.ts";
import { StoreStatusLog } from "./observe/store-status-log.ts";
import { birdSessions, nodeStatus, type Sessions, speakerSessions } from "./reports/node-status.ts";
import { routeReport, type RouteReportSources } from "./reports/route-report.ts";
import { routeTable } from "./reports/route-table.ts";
import { TraceProbes } from "./reports/trace-probes.ts";
import { traceState } from "./reports/trace-state.ts";
import { lingerMs } from "./routing/encapsulation-memory.ts";
import { type OpenRouting, openRouting } from "./routing/open-routing.ts";
import type { Routing } from "./routing/routing.ts";
import { PacketFilter } from "./packets/packet-filter.ts";
import { packetReport } from "./packets/packet-report.ts";
import { recheckMsOf } from "./packets/recheck-ms.ts";
import { AddressMonitor } from "./startup/address-monitor.ts";
import { checkBgpPort } from "./startup/check-bgp-port.ts";
import { LocalHost } from "./startup/local-host.ts";
import { writeNodeName } from "./startup/node-files.ts";
import { ensureNode, prepareCluster, type StartUp } from "./startup/prepare-cluster.ts";
import { untilStoreAnswers } from "./startup/until-store-answers.ts";
import { TunnelAddresses } from "./tunnel-addresses/tunnel-addresses.ts";
import type { TunnelKeeper } from "./tunnels/tunnel-keeper.ts";
import { TunnelAddressKeeper } from "./tunnel-addresses/tunnel-address-keeper.ts";

/** While the datastore does not answer at start, one line in so many attempts, a second each. */
const attemptsPerLine = 30;

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
  /** Aborts with its reason when a part fails that cannot be without. */
  readonly #fault = new AbortController();
  readonly #stack = new AsyncDisposableStack();
  readonly #startedAtMs = Date.now();
  readonly #health = new Health();
  readonly #metrics = new Metrics();
  readonly #host = new LocalHost();
  readonly #cni: CniService;
  #firstMtuSources: MtuSources = { pools: [], settings: {} };
  /** The Node resource tells them to the others. */
  #mtus: NodeMtus | undefined;
  #engine: CniEngine | undefined;
  #addressMonitor: AddressMonitor | undefined;
  #tunnels: TunnelKeeper | undefined;
  #status: (() => unknown) | undefined;
  #healthWatch: HealthWatch | undefined;
  readonly #tunnelAddresses: TunnelAddresses;
  /** Since the watches run: before that, they have yet to list what was claimed. */
  #announce: ((blocks: readonly Prefix[]) => Promise<void>) | undefined;

  constructor(options: NodeDaemonOptions) {
    this.#options = options;
    const { node, log, store } = options;
    this.#tunnelAddresses = new TunnelAddresses({
      node,
      log,
      client: openClient(store),
      ipam: new Ipam({ store, node, now: nowNanos }),
      onBlocksClaimed: async (blocks) => this.#announce?.(blocks),
      encryptsHosts: options.config.felix.settings.wireguardHostEncryptionEnabled === true,
      lingerMs,
    });
    const calls = this.#stack.use(new CniCallLog({ clock: systemClock, now: () => new Date(), log }));
    const onServed = (params: unknown, answer: CniAnswer): void => calls.note(params, answer);
    this.#cni = new CniService({ log, metrics: this.#metrics, now: Date.now, onServed });
  }

  /** Runs until the signal aborts. Throws `StartUpError`, the errors of its sockets, and what broke it. Once only. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([signal, this.#fault.signal]);
    try {
      await this.#start(stop);
      await untilAborted(stop);
      this.#fault.signal.throwIfAborted();
    } finally {
      this.#options.log.info("stopping; routes stay in the kernel");
      this.#health.report("startup", { live: true, ready: false, detail: "stopping" });
      // Whatever follows the cluster ends with the daemon, also when it never came to wait for the signal.
      this.#fault.abort();
      await this.#stack.disposeAsync();
    }
  }

  async #start(stop: AbortSignal): Promise<void> {
    const { config, node, log } = this.#options;
    mkdirSync(config.runDir, { recursive: true });
    mkdirSync(config.libDir, { recursive: true });
    this.#health.report("startup", { live: true, ready: false, detail: "starting" });
    await this.#serveControl();
    await this.#serveHttp();
    // A daemon that is told to stop before it has begun leaves the host as it was.
    if (stop.aborted) return;
    const pods = this.#openPods();
    const knowsEndpoint = (namespace: string, name: string) => pods.known.has(namespace, name);
    const { podInterfacePrefix: interfacePrefix } = config;
    this.#cni.openEarly(new EarlyCalls({ node, interfacePrefix, knowsEndpoint, ...pods }));
    const startUp = this.#startUp();
    if (!(await this.#prepare(startUp, stop))) return;
    if (this.#firstMtuSources.settings.ipForwarding !== "Disabled") {
      const interfaces = this.#host.enableForwarding();
      if (interfaces.length > 0)
        log.info({ interfaces }, "router advertisements are still taken, by accept_ra 2");
    }
    writeNodeName(config.nodeNameFile, node);
    await this.#follow(stop, pods);
    if (config.backend !== "none") {
      const { autodetectPollMs: everyMs } = config;
      const refresh = (): Promise<void> => ensureNode(startUp);
      this.#addressMonitor = this.#stack.use(new AddressMonitor({ refresh, everyMs, log }));
      this.#addressMonitor.lookSoon();
    }
    this.#health.report("startup", { live: true, ready: true, detail: "started" });
    log.info({ tookMs: Date.now() - this.#startedAtMs }, "node started");
  }

  #startUp(): StartUp {
    const { config, node, store, log } = this.#options;
    const client = openClient(store);
    const mtus = (): NodeMtus | undefined => this.#mtus;
    return { config, node, client, host: this.#host, log, uuid: randomUUID, randomBytes, mtus };
  }

  /** Makes the datastore ready for this node, however long it takes to answer; false when the daemon was stopped. */
  #prepare(startUp: StartUp, signal: AbortSignal): Promise<boolean> {
    const prepare = async (): Promise<void> => {
      const { backend, runDir } = startUp.config;
      await endLeftBirds(runDir);
      if (speaksBgp(backend)) await checkBgpPort(startUp.client, startUp.node);
      await prepareCluster(startUp);
      await this.#takeTunnelAddresses();
      const { client, node, config } = startUp;
      this.#firstMtuSources = await readMtuSources(client, node, config.felix.settings);
    };
    return untilStoreAnswers(prepare, {
      signal,
      onAway: (reason, attempt) => {
        this.#cni.waitForStore(reason);
        const detail = `waiting for the datastore: ${reason}`;
        this.#health.report("startup", { live: true, ready: false, detail });
        if (attempt % attemptsPerLine === 1)
          this.#options.log.warn({ reason, attempt }, "waiting for the datastore");
      },
    });
  }

  /** Once at the start, so that tunnel devices have their addresses from the first. What IPAM refuses is tried again later. */
  async #takeTunnelAddresses(): Promise<void> {
    try {
      await this.#tunnelAddresses.ensure();
    } catch (error) {
      if (error instanceof StoreError) throw error;
      this.#options.log.warn({ err: error }, "the tunnel addresses could not be looked after at the start");
    }
  }

  async #serveControl(): Promise<void> {
    const { config, node, log } = this.#options;
    const health = this.#health;
    this.#stack.use(
      await ControlServer.listen({
        path: join(config.runDir, "control.sock"),
        onError: (error) => log.warn({ err: error }, "control request failed"),
        methods: {
          cni: (params, signal) => this.#cni.handle(params, signal),
          health: () => {
            this.#healthWatch?.look();
            const { isLive, isReady, notReadyBecause } = health;
            return { isLive, isReady, notReadyBecause, table: health.table() };
          },
          "node.status": () => {
            this.#healthWatch?.look();
            return this.#status?.() ?? { node, isReady: false };
          },
        },
      }),
    );
    this.#stack.defer(() => this.#cni.stop());
  }

  async #serveHttp(): Promise<void> {
    const { health, metrics } = this.#options.config;
    if (health !== undefined) this.#stack.use(await serveHealth(this.#health, health));
    if (metrics !== undefined) this.#stack.use(await serveMetrics(this.#metrics, metrics));
  }

  /** From here on the node does what the cluster's resources ask, and serves CNI. */
  async #follow(stop: AbortSignal, pods: Pods): Promise<void> {
    const { config, node, log } = this.#options;
    const mtuFile = this.#openMtuFile();
    const listener: { onChange: () => void } = { onChange: () => undefined };
    const view = this.#openView(stop, listener);
    const opened = this.#openRouting(view);
    const { routing, bgp, bird, tunnels } = opened;
    this.#tunnels = tunnels;
    if (this.#mtus !== undefined) tunnels.setMtus(this.#mtus);
    this.#keepHostSettings(view, opened);
    const own = this.#watchOwnAddresses(opened);
    const packets = this.#openPacketFilter(view, routing);
    const tunnelAddresses = this.#keepTunnelAddresses(view, routing);
    const kernel = new LinuxShaping(opened.tables);
    const statusFiles = this.#keepEndpointStatus(view, routing, packets);
    const shaping = this.#stack.use(new PodShaping({ kernel, clock: systemClock, log }));
    listener.onChange = () => {
      routing.schedule();
      packets.schedule();
      if (!view.isComplete) return;
      const { pools, settings } = mtuSourcesOf(view.resources, node, config.felix.settings);
      mtuFile.set(pools, settings);
      own.lookSoon();
      tunnelAddresses.hear(view.resources);
      const { endpoints } = view;
      shaping.set(endpoints);
      pods.known.set(endpoints);
      statusFiles.schedule();
    };
    this.#healthWatch = this.#stack.use(
      new HealthWatch(this.#health, {
        view,
        routing,
        tunnels,
        bgp: bird === undefined ? bgp : birdStates(bird),
        packets,
        speaksBgp: speaksBgp(config.backend),
        startedAtMs: this.#startedAtMs,
        metrics: this.#metrics,
      }),
    );
    const sessions = (): Sessions => {
      const found = bird === undefined ? speakerSessions(bgp) : birdSessions(bird);
      return { ...found, problems: [...found.problems, ...own.problems] };
    };
    const audit = this.#auditIpam(view, opened);
    this.#status = () => {
      const found = nodeStatus(
        node,
        { routing, tunnels, packets: packetReport(packets) },
        sessions(),
        this.#health,
      );
      return { ...found, troubles: [...(found.troubles ?? []), ...(audit?.troubles ?? [])] };
    };
    this.#answerQuestions({ ...opened, node, sessions: () => sessions().peers });
    await this.#serveBird(opened);
    this.#serveCni(view, routing, pods, statusFiles);
  }

  #openRouting(view: ClusterView): OpenRouting {
    const { config, node, log } = this.#options;
    const { backend, interfacePrefixes, routerId, felix } = config;
    const metrics = this.#metrics;
    return openRouting(
      { node, backend, view, interfacePrefixes, routerId, felix: felix.settings, log, metrics },
      config,
      this.#stack,
    );
  }

  #keepHostSettings(view: ClusterView, { routing, tables }: OpenRouting): void {
    const { node, config, log } = this.#options;
    const settings = () =>
      view.isComplete
        ? mtuSourcesOf(view.resources, node, config.felix.settings).settings
        : this.#firstMtuSources.settings;
    const pods = () => podInterfaces(routing.intent?.kernel.podRoutes ?? [], config.interfacePrefixes);
    const ways = () =>
      waysOut(routing.tunnels?.tunnels ?? [], routing.intent?.addresses ?? new Map(), tables);
    this.#stack.use(new HostSettings({ settings, pods, ways, log }));
    const isBusy = () => this.#cni.isBusy;
    this.#stack.use(new PodMacs({ pods: () => pods().keys(), isBusy, clock: systemClock, log }));
  }

  /** Leaked addresses, unless the node was told not to look for them. */
  #auditIpam(view: ClusterView, { tables }: OpenRouting): IpamAudit | undefined {
    const { node, store, log, config } = this.#options;
    const { mode, graceSeconds } = config.ipamAudit;
    if (mode === "off") return undefined;
    const audit = new IpamAudit({
      node,
      store,
      view,
      ipam: new Ipam({ store, node, now: nowNanos }),
      mode,
      graceSeconds,
      hasInterface: (name) => tables.link(name) !== undefined,
      interfacePrefix: config.podInterfacePrefix,
      mayWrite: () => view.isDatastoreReady,
      // Without an engine there is no call that could be under way.
      inTurnOf: (pod, work) => this.#engine?.inTurnOf(pod, work) ?? work(),
      forget: async (container, isGone) => (await this.#engine?.forget(container, isGone)) ?? false,
      now: nowNanos,
      log,
      metrics: this.#metrics,
    });
    const running = audit.run(this.#fault.signal).catch((error: unknown) => this.#fault.abort(error));
    this.#stack.defer(() => running);
    return audit;
  }

  #watchOwnAddresses({ kernel, tables, routing }: OpenRouting): OwnAddresses {
    const { node, log } = this.#options;
    const present = () => tables.addresses().map(({ address }) => address);
    const wanted = () => routing.intent?.bgp?.addresses ?? new Map<IpFamily, IpAddress>();
    const onLost = (): void => this.#addressMonitor?.lookSoon();
    return this.#stack.use(new OwnAddresses({ node, kernel, present, wanted, onLost, log }));
  }

  #keepTunnelAddresses(view: ClusterView, routing: Routing): TunnelAddressKeeper {
    const { node, log } = this.#options;
    this.#announce = (blocks) => routing.blocksClaimed(blocks);
    const ensure = async (): Promise<void> => {
      // Others send to the node once its tunnel address is known: by then it must take what they send.
      await this.#tunnels?.settled();
      await this.#tunnelAddresses.ensure();
    };
    const mayWrite = () => view.isDatastoreReady;
    return this.#stack.use(new TunnelAddressKeeper({ node, ensure, mayWrite, log }));
  }

  /** Whoever routes: NAT and the protection of tunnels are the node's own. */
  #openPacketFilter(view: ClusterView, routing: Routing): PacketFilter {
    const { node, log, config } = this.#options;
    const { interfacePrefixes, felix } = config;
    const ruleset = this.#stack.use(new NftRuleset());
    const intents = () =>
      view.isComplete
        ? packetIntents({
            node,
            cluster: view.resources,
            endpoints: view.endpoints,
            environment: felix.settings,
            lingering: routing.lingering,
          })
        : undefined;
    const recheckMs = () => recheckMsOf(mtuSourcesOf(view.resources, node, felix.settings).settings);
    return this.#stack.use(new PacketFilter({ ruleset, intents, interfacePrefixes, recheckMs, log }));
  }

  get #endpointStatusDirectory(): string {
    return join(this.#options.config.runDir, "endpoint-status");
  }

  #keepEndpointStatus(view: ClusterView, routing: Routing, packets: PacketFilter): EndpointStatusFiles {
    const { log } = this.#options;
    const directory = this.#endpointStatusDirectory;
    const endpoints = () => (view.isComplete ? view.endpoints : undefined);
    const isProgrammed = () => routing.status.settled && packets.status.every(({ isReady }) => isReady);
    return this.#stack.use(
      new EndpointStatusFiles({ directory, endpoints, isProgrammed, clock: systemClock, log }),
    );
  }

  /** What others ask of this node through the datastore. */
  #answerQuestions(sources: Omit<RouteReportSources, "speaksBgp">): void {
    const { node, store, config } = this.#options;
    const { bgp, tables } = sources;
    const speaker = config.backend === "bird" ? undefined : bgp;
    const probes = this.#stack.use(new TraceProbes());
    const desk = new AnswerDesk({
      store,
      node,
      sleep: pause,
      methods: {
        "node.status": () => this.#status?.(),
        "route.table": () => routeTable(node, speaker, tables),
        [traceStateMethod]: (params) => traceState(node, params),
        [probeMethods.open]: (params) => probes.open(params),
        [probeMethods.send]: (params) => probes.send(params),
        [probeMethods.close]: (params) => probes.close(params),
        "route.report": (params) =>
          routeReport({ ...sources, speaksBgp: speaksBgp(config.backend) }, wantedPrefix(params)),
      },
    });
    const running = desk.run(this.#fault.signal).catch((error: unknown) => this.#fault.abort(error));
    this.#stack.defer(() => running);
  }

  #openMtuFile(): PodMtuFile {
    const { config, log } = this.#options;
    const path = join(config.libDir, "mtu");
    const onMtus = (mtus: NodeMtus): void => {
      this.#mtus = mtus;
      this.#tunnels?.setMtus(mtus);
      this.#addressMonitor?.lookSoon();
    };
    return this.#stack.use(new PodMtuFile({ path, ...this.#firstMtuSources, log, onMtus }));
  }

  #openView(stop: AbortSignal, listener: { readonly onChange: () => void }): ClusterView {
    const { node, store, log } = this.#options;
    const status = new StoreStatusLog(log, this.#metrics, Date.now);
    const view: ClusterView = new ClusterView({
      node,
      store,
      onChange: () => listener.onChange(),
      onStatus: (news, part) => status.hear(news, part, view.isCurrent),
    });
    const running = view.run(stop).catch((error: unknown) => this.#fault.abort(error));
    this.#stack.defer(() => running);
    return view;
  }

  /** What pods are made of and taken away with, whatever the datastore says. */
  #openPods(): Pods {
    const { log, config } = this.#options;
    const { interfacePrefixes, libDir } = config;
    const remover = this.#stack.use(new LinkRemover());
    const kernel = new LinuxPodKernel(remover, undefined, interfacePrefixes);
    this.#stack.use(kernel);
    const known = this.#stack.use(new KnownPods({ path: join(libDir, "cni-pods"), clock: systemClock, log }));
    return { kernel, known, deletions: new DeletionBacklog(join(libDir, "cni-deletions")) };
  }

  #serveCni(view: ClusterView, routing: Routing, pods: Pods, statusFiles: EndpointStatusFiles): void {
    const { config, node, store, log } = this.#options;
    const { signal } = this.#fault;
    const endpointStatusDirectory = this.#endpointStatusDirectory;
    const from = { config, node, store, log, view, routing, statusFiles, endpointStatusDirectory, pods };
    const opened = openCniEngine(from);
    this.#engine = opened.engine;
    this.#cni.open(opened.engine);
    for (const run of opened.background) {
      const running = run(signal).catch((error: unknown) => this.#fault.abort(error));
      this.#stack.defer(() => running);
    }
    this.#stack.defer(() => this.#cni.drain());
  }

  /** BIRD's view of our speaker; a BIRD serves its own sockets. */
  async #serveBird({ routing, bgp, kernel, tables, bird }: OpenRouting): Promise<void> {
    const { backend, interfacePrefixes, runDir } = this.#options.config;
    if (bird !== undefined || !speaksBgp(backend)) return;
    const [interfacePrefix = "cali"] = interfacePrefixes;
    const bootedAtMs = this.#startedAtMs;
    const state = new BirdState({ routing, bgp, kernel, tables, bootedAtMs, interfacePrefix });
    this.#stack.use(state);
    for (const [family, name] of [
      [4, "bird.ctl"],
      [6, "bird6.ctl"],
    ] as const) {
      const path = join(runDir, name);
      const snapshot = () => state.snapshot(family);
      this.#stack.use(await BirdSocket.open({ path, version: birdVersion, snapshot }));
    }
  }
}

/** The `prefix` of a question. Throws an error that goes back to who asked. */
function wantedPrefix(params: unknown): Prefix {
  const text: unknown =
    typeof params === "object" && params !== null ? Reflect.get(params, "prefix") : undefined;
  const prefix = typeof text === "string" ? Prefix.parse(text) : undefined;
  if (prefix === undefined) throw new Error("the question has no prefix");
  return prefix;
}

function openClient(store: Store): ResourceClient {
  const now = (): string => `${new Date().toISOString().slice(0, 19)}Z`;
  return new ResourceClient(store, { now, uuid: randomUUID });
}

function nowNanos(): Nanos {
  return Nanos.of(BigInt(Date.now()) * 1_000_000n);
}

function speaksBgp(backend: Backend): boolean {
  return backend === "caracal" || backend === "bird";
}

/** BIRD's sessions as health sees them. */
function birdStates(bird: BirdBackend): SessionStates {
  return {
    peers: () => bird.peers().map(({ intent, state }) => ({ address: intent.address, state })),
    get failure() {
      return bird.failure;
    },
  };
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
