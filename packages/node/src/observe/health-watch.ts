import type { PeerSnapshot } from "@caracal/bgp";
import type { NodeIntent } from "@caracal/intent";
import type { ClusterView } from "../cluster/cluster-view.ts";
import type { Routing } from "../routing/routing.ts";
import type { TunnelKeeper } from "../tunnels/tunnel-keeper.ts";
import { bgpReadiness } from "./bgp-readiness.ts";
import type { Health, HealthReport } from "./health.ts";
import type { Metrics } from "./metrics.ts";

/** How often readiness is looked at between questions. */
const lookMs = 500;

/** The states of the sessions of whatever speaks BGP, and why nothing does. */
export interface SessionStates {
  peers(): readonly Pick<PeerSnapshot, "address" | "state">[];
  readonly failure: string | undefined;
}

/** What health is read from. */
export interface HealthSources {
  readonly view: Pick<ClusterView, "staleBecause">;
  readonly routing: Pick<Routing, "intent" | "status" | "tunnels">;
  readonly tunnels: Pick<TunnelKeeper, "status" | "hasSettled">;
  readonly bgp: SessionStates;
  readonly packets: { readonly health: HealthReport };
  /** Without BGP there is no readiness of it. */
  readonly speaksBgp: boolean;
  readonly startedAtMs: number;
  readonly metrics: Metrics;
}

/** Keeps the health of datastore, kernel and BGP as it is. */
export class HealthWatch implements Disposable {
  readonly #health: Health;
  readonly #sources: HealthSources;
  readonly #timer: NodeJS.Timeout;

  constructor(health: Health, sources: HealthSources) {
    this.#health = health;
    this.#sources = sources;
    this.#timer = setInterval(() => this.look(), lookMs);
    this.look();
  }

  /** Looks now, for somebody who asks. */
  look(): void {
    const { view, routing, tunnels, bgp, packets, speaksBgp, startedAtMs, metrics } = this.#sources;
    const stale = view.staleBecause;
    this.#health.report("datastore", { live: true, ready: stale === undefined, detail: stale ?? "in sync" });
    this.#health.report("kernel", kernelReport(routing));
    this.#health.report("tunnels", tunnelReport(routing, tunnels));
    this.#health.report("nftables", packets.health);
    if (!speaksBgp) return;
    const peers = bgp.peers();
    const failure = bgp.failure ?? whyNoBgp(routing.intent);
    this.#health.report("bgp", bgpReadiness(peers, Date.now() - startedAtMs, failure));
    metrics.countPeers(peers.map((peer) => peer.state));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** Why the node has no speaker although it is one of the cluster's: it has no router ID, say. */
function whyNoBgp(intent: NodeIntent | undefined): string | undefined {
  if (intent === undefined || intent.bgp !== undefined) return undefined;
  const about = `Node(${intent.node})`;
  const problem = intent.problems.find((one) => one.about === about);
  return `${about} ${problem?.message ?? "has no BGP"}`;
}

/** Ready when all that is wanted was tried: one route that the kernel refuses must not take a whole node out of service. */
function kernelReport({ intent, status }: Pick<Routing, "intent" | "status">): HealthReport {
  const { kernelFailure, wantedCount } = status;
  const [failure] = status.failures;
  const detail =
    kernelFailure ??
    (failure === undefined ? `${wantedCount} routes` : `${failure.key}: ${failure.errno} ${failure.detail}`);
  const ready = intent !== undefined && status.settled && kernelFailure === undefined;
  return { live: true, ready, detail };
}

/** Without its tunnels a node is cut off from others' pods. */
function tunnelReport(
  { tunnels: intent }: Pick<Routing, "tunnels">,
  { status, hasSettled }: Pick<TunnelKeeper, "status" | "hasSettled">,
): HealthReport {
  const names = (intent?.tunnels ?? []).map(({ name }) => name);
  if (names.length === 0) return { live: true, ready: true, detail: "none" };
  const [first] = status.problems;
  if (first === undefined && !hasSettled) return { live: true, ready: false, detail: "being made" };
  const detail = first === undefined ? names.join(", ") : `${first.device}: ${first.problem}`;
  return { live: true, ready: first === undefined, detail };
}
