import { readFileSync } from "node:fs";
import type { Listings, PeerInput, PeerSnapshot, NamedPolicy, RouteSnapshot } from "@caracal/bgp";
import { BgpListenError, BgpServer, systemClock } from "@caracal/bgp-tcp";
import { ControlError, ControlServer } from "@caracal/control";
import type { RouteStatus } from "@caracal/dataplane";
import { tcpOptions } from "@caracal/linux";
import type { IpFamily, IpAddress } from "@caracal/net";
import { formatProblem, readConfiguration, type SpeakerConfiguration } from "./config/read-config.ts";
import { controlMethods } from "./control-methods.ts";
import { difference } from "./difference.ts";
import type { KernelRoutes } from "./kernel/kernel-routes.ts";
import type { Log } from "./log.ts";
import { bmpOptions } from "./bmp-options.ts";
import { factLog, kernelWatch } from "./log-facts.ts";
import { policiesOf } from "./policy-book.ts";
import type { Refusal, ReloadOutcome, SpeakerView } from "./speaker-view.ts";

/** The file, or what the machine has to offer, does not allow to start; each reason is a line for a person. */
export class SpeakerStartError extends Error {
  override readonly name = "SpeakerStartError";
  readonly code = "start";
  readonly reasons: readonly string[];

  constructor(reasons: readonly string[], options?: ErrorOptions) {
    super(reasons.join("\n"), options);
    this.reasons = reasons;
  }
}

export interface SpeakerDaemonOptions {
  /** Path of the configuration file. */
  readonly file: string;
  readonly log: Log;
  /** Gets the lines of a recording, from each start of a speaker on. */
  readonly onRecord?: (line: string) => void;
}

/** Those that the file names, and those that may come. */
type Neighbors = Pick<SpeakerConfiguration, "peers" | "ranges">;

/** Of a speaker that has been told of none yet. */
const noNeighbors: Neighbors = { peers: [], ranges: [] };

/** A speaker that follows its file: one `BgpServer`, the kernel's routes and the control socket, changed by difference. */
export class SpeakerDaemon implements SpeakerView {
  readonly startedAtMs: number = Date.now();
  readonly #options: SpeakerDaemonOptions;
  #configuration: SpeakerConfiguration;
  #configuredAtMs = Date.now();
  #server: BgpServer | undefined;
  #unhear: (() => void) | undefined;
  #kernel: KernelRoutes | undefined;
  #control: ControlServer | undefined;
  #policies: readonly NamedPolicy[] = [];
  /** As the running speaker has them. */
  #peers: Neighbors = noNeighbors;
  /** Reloads and the stop come one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #leaving = Promise.withResolvers<void>();
  /** What neighbours are told when it leaves; absent: it does not. */
  #farewell: string | undefined;

  private constructor(options: SpeakerDaemonOptions, configuration: SpeakerConfiguration) {
    this.#options = options;
    this.#configuration = configuration;
  }

  /** Starts as the file says; throws `SpeakerStartError` and leaves nothing open if that cannot be. */
  static async start(options: SpeakerDaemonOptions): Promise<SpeakerDaemon> {
    const read = readFile(options.file);
    if (read.kind === "refused") throw new SpeakerStartError(read.reasons);
    const daemon = new SpeakerDaemon(options, read.configuration);
    try {
      // First of all, so that a second speaker with the same file goes no further.
      daemon.#control = await daemon.#openControl(read.configuration.control);
      await daemon.#openSpeaker(read.configuration);
    } catch (error) {
      await daemon.#close({ removeRoutes: false });
      throw startError(error);
    }
    const { asn, peers, control } = read.configuration;
    options.log("info", "BGP is listening", {
      asn,
      ports: daemon.#server?.ports,
      peers: peers.length,
      control,
    });
    return daemon;
  }

  get configuration(): SpeakerConfiguration {
    return this.#configuration;
  }

  get configuredAtMs(): number {
    return this.#configuredAtMs;
  }

  /** The ports listened on. */
  get ports(): readonly number[] {
    return this.#server?.ports ?? [];
  }

  peers(): readonly PeerSnapshot[] {
    return this.#server?.peers() ?? [];
  }

  routes(): readonly RouteSnapshot[] {
    return this.#server?.routes() ?? [];
  }

  get listings(): Listings | undefined {
    return this.#server?.listings;
  }

  get tables(): BgpServer["tables"] | undefined {
    return this.#server?.tables;
  }

  get sizes(): BgpServer["sizes"] {
    return this.#server?.sizes ?? { attributeSets: 0, routes4: 0, routes6: 0 };
  }

  linkOf(nextHop: IpAddress): string | undefined {
    const resolution = this.#kernel?.resolver.resolve(nextHop);
    return resolution?.reachable === true ? resolution.link : undefined;
  }

  get kernelStatus(): RouteStatus | undefined {
    return this.#kernel?.status;
  }

  /** Reads the file again and applies what differs. */
  async reload(): Promise<ReloadOutcome> {
    const outcome = this.#turn.then(() => this.#reload());
    this.#turn = outcome.catch(() => undefined);
    return await outcome;
  }

  reset(name: string, message: string | undefined): void {
    this.#server?.resetPeer(name, message);
  }

  refresh(name: string, family: IpFamily): boolean {
    return this.#server?.refreshPeer(name, family) === true;
  }

  leave(message: string | undefined): void {
    this.#farewell ??= message ?? "";
    // The answer to who asked for it goes out first.
    setImmediate(() => this.#leaving.resolve());
  }

  /** When somebody wants it to leave. */
  get leaving(): Promise<void> {
    return this.#leaving.promise;
  }

  /**
   * Without a NOTIFICATION, so that neighbours keep our routes until we are back, and the kernel keeps them too; unless it
   * is to leave.
   */
  async stop(): Promise<void> {
    await this.#turn;
    const message = this.#farewell;
    const isLeaving = message !== undefined;
    this.#options.log("info", isLeaving ? "leaving" : "stopping; routes stay in the kernel");
    await this.#stopSpeaker(isLeaving ? { graceful: false, message } : { graceful: true });
    await this.#close({ removeRoutes: isLeaving });
  }

  async #reload(): Promise<ReloadOutcome> {
    const read = readFile(this.#options.file);
    const outcome = read.kind === "refused" ? read : await this.#apply(read.configuration);
    if (outcome.kind === "refused") {
      this.#options.log("error", "reload refused; nothing has changed", { reasons: outcome.reasons });
    } else {
      this.#options.log("info", "reloaded", { ...outcome.difference });
    }
    return outcome;
  }

  async #apply(next: SpeakerConfiguration): Promise<ReloadOutcome> {
    const before = this.#configuration;
    const changes = difference(before, next);
    const oldControl = this.#control;
    try {
      if (changes.isControlChanged) this.#control = await this.#openControl(next.control);
    } catch (error) {
      return refusal(error);
    }
    if (changes.restartsBecause.length > 0) {
      const failure = await this.#restart(before, next);
      if (failure !== undefined) {
        if (changes.isControlChanged) await this.#control?.close();
        this.#control = oldControl;
        return failure;
      }
    } else {
      if (changes.isKernelChanged && next.kernel !== undefined) await this.#kernel?.move(next.kernel);
      this.#follow(next);
    }
    this.#configuration = next;
    this.#configuredAtMs = Date.now();
    // The answer to this very reload may still be on its way through the old socket.
    if (changes.isControlChanged) setImmediate(() => void oldControl?.close());
    return { kind: "applied", difference: changes };
  }

  /** Another router identifier, AS or socket needs another speaker; if it cannot start, the old one comes back. */
  async #restart(before: SpeakerConfiguration, next: SpeakerConfiguration): Promise<Refusal | undefined> {
    await this.#stopSpeaker({ graceful: false });
    try {
      await this.#openSpeaker(next);
      return undefined;
    } catch (error) {
      await this.#openSpeaker(before);
      return refusal(error);
    }
  }

  async #openSpeaker(configuration: SpeakerConfiguration): Promise<void> {
    const { routerId, asn, listen, stations, kernel: place } = configuration;
    const isFirst = this.#kernel === undefined;
    const kernel = await this.#openKernel(place);
    const server = new BgpServer({
      routerId,
      asn,
      listen,
      tellsBestRoutes: kernel !== undefined,
      restarting: isFirst && kernel?.hasLeftovers === true,
      // It is here for large tables: a quarter of a second now spares most of what the first one takes.
      rehearses: isFirst,
      ...(this.#options.onRecord === undefined ? {} : { onRecord: this.#options.onRecord }),
      ...(kernel === undefined ? {} : { resolver: kernel.resolver }),
      socketOptions: tcpOptions,
      onFact: factLog(this.#options.log, () => systemClock.now()),
      ...(stations.length === 0 ? {} : { bmp: bmpOptions(stations, this.#options.log) }),
    });
    if (kernel !== undefined) {
      this.#unhear = server.onBestRoutes((changes) => kernel.apply(changes));
      server.onInitialSync(() => kernel.complete());
    }
    await server.start();
    this.#server = server;
    this.#follow(configuration);
  }

  /** The kernel's routes for another speaker; without a place, those of an earlier one are taken away. */
  async #openKernel(place: SpeakerConfiguration["kernel"]): Promise<KernelRoutes | undefined> {
    if (place === undefined) {
      await this.#closeKernel({ removeRoutes: true });
      return undefined;
    }
    if (this.#kernel !== undefined) {
      await this.#kernel.move(place);
      this.#kernel.forget();
      return this.#kernel;
    }
    // Only who programs the kernel loads what talks to it.
    const { KernelRoutes } = await import("./kernel/kernel-routes.ts");
    this.#kernel = new KernelRoutes(place, {
      onNetworkChange: () => this.#server?.networkChanged(),
      onStatus: kernelWatch(this.#options.log),
    });
    return this.#kernel;
  }

  /** The kernel keeps the routes of a speaker that ends: that all are gone is not for it to hear. */
  async #stopSpeaker(how: { readonly graceful: boolean; readonly message?: string }): Promise<void> {
    this.#unhear?.();
    await this.#server?.stop(how);
    this.#server = undefined;
    this.#peers = noNeighbors;
  }

  /** What a running speaker takes over in place. */
  #follow(configuration: SpeakerConfiguration): void {
    const { origins, statics, peers, ranges, transports, filters, bestPath, stations } = configuration;
    this.#server?.setBestPath(bestPath);
    this.#server?.setBmpStations(stations);
    this.#kernel?.setStatics(statics);
    this.#server?.setOrigins(origins);
    const before = this.#policies;
    this.#policies = policiesOf(filters);
    const names = new Set(this.#policies.map(({ name }) => name));
    // To the core a name without a policy lets nothing pass: the old ones go when no neighbour names them any more.
    this.#server?.setPolicies([...before.filter(({ name }) => !names.has(name)), ...this.#policies]);
    // A speaker that has none yet would take "no peers" for all that there are, and think itself complete.
    if (this.#peers !== noNeighbors) {
      const between = withImportsOf(configuration, this.#peers);
      this.#server?.setPeers(between.peers, transports, between.ranges);
    }
    this.#server?.setPeers(peers, transports, ranges);
    this.#peers = { peers, ranges };
    this.#server?.setPolicies(this.#policies);
  }

  async #openControl(path: string | undefined): Promise<ControlServer | undefined> {
    if (path === undefined) return undefined;
    const { log } = this.#options;
    return await ControlServer.listen({
      path,
      methods: controlMethods(this),
      onError: (error) => log("warn", "control request failed", { reason: error.message }),
    });
  }

  async #close(options: { readonly removeRoutes: boolean }): Promise<void> {
    await this.#closeKernel(options);
    await this.#control?.close();
  }

  async #closeKernel(options: { readonly removeRoutes: boolean }): Promise<void> {
    await this.#kernel?.close(options);
    this.#kernel = undefined;
  }
}

/** The neighbours as they were, with the import filters that they will have. */
function withImportsOf(next: Neighbors, before: Neighbors): Neighbors {
  const imports = new Map([
    ...next.peers.map(({ name, importPolicy = "" }) => [name, importPolicy] as const),
    ...next.ranges.map(({ name, template }) => [name, template.importPolicy ?? ""] as const),
  ]);
  const policyOf = (name: string, { importPolicy = "" }: Pick<PeerInput, "importPolicy">): string =>
    imports.get(name) ?? importPolicy;
  return {
    peers: before.peers.map((peer) => ({ ...peer, importPolicy: policyOf(peer.name, peer) })),
    ranges: before.ranges.map((range) => ({
      ...range,
      template: { ...range.template, importPolicy: policyOf(range.name, range.template) },
    })),
  };
}

function readFile(
  file: string,
): { readonly kind: "ok"; readonly configuration: SpeakerConfiguration } | Refusal {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    return refusal(error);
  }
  const outcome = readConfiguration(text);
  if (outcome.kind === "ok") return outcome;
  return { kind: "refused", reasons: outcome.problems.map((problem) => formatProblem(file, problem)) };
}

/** What a person can mend becomes a refusal; a fault of the program goes on. */
function refusal(error: unknown): Refusal {
  if (!isForeseen(error)) throw error;
  return { kind: "refused", reasons: [error.message] };
}

function startError(error: unknown): unknown {
  return isForeseen(error) ? new SpeakerStartError([error.message], { cause: error }) : error;
}

function isForeseen(error: unknown): error is Error {
  if (error instanceof BgpListenError || error instanceof ControlError) return true;
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    /^E[A-Z]+$/.test(error.code)
  );
}
