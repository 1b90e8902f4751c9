import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** The daemon's Prometheus metrics: Felix's names where Felix has the thing, `caracal_` otherwise. */
export class Metrics {
  readonly #registry = new Registry();
  readonly activeLocalEndpoints: Gauge;
  readonly clusterHosts: Gauge;
  readonly bgpPeers: Gauge<"state">;
  readonly bgpRoutes: Gauge;
  readonly kernelRoutes: Gauge;
  readonly kernelRouteFailures: Gauge;
  readonly storeConnected: Gauge;
  readonly ipamLeakCandidates: Gauge;
  readonly ipamLeaks: Gauge;
  readonly ipamReclaimed: Counter;
  readonly ipamSurplusHandles: Gauge;
  readonly ipamHandlesCorrected: Counter;
  readonly intentSeconds: Histogram;
  readonly cniRequestSeconds: Histogram<"command" | "outcome">;

  constructor() {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers });
    this.activeLocalEndpoints = gauge("felix_active_local_endpoints", "Workload endpoints on this node.");
    this.clusterHosts = gauge("felix_cluster_num_hosts", "Nodes in the cluster.");
    this.bgpRoutes = gauge("caracal_bgp_routes", "Prefixes with a best BGP route.");
    this.kernelRoutes = gauge("caracal_kernel_routes", "Routes that this node wants in its kernel.");
    this.kernelRouteFailures = gauge(
      "caracal_kernel_route_failures",
      "Wanted routes that the kernel refuses.",
    );
    this.ipamLeakCandidates = gauge(
      "ipam_allocations_gc_candidates",
      "Addresses of this node's pods that nobody seems to have, for less than the grace time.",
    );
    this.ipamLeaks = gauge("caracal_ipam_leaked_addresses", "Addresses of this node's pods that nobody has.");
    this.ipamReclaimed = new Counter({
      name: "ipam_allocations_gc_reclamations",
      help: "Leaked addresses that were given back.",
      registers,
    });
    this.ipamSurplusHandles = gauge(
      "caracal_ipam_surplus_handles",
      "IPAM handles found by this node that count addresses which no block gives them.",
    );
    this.ipamHandlesCorrected = new Counter({
      name: "caracal_ipam_handles_corrected",
      help: "IPAM handles that were deleted or made to count what they have.",
      registers,
    });
    this.storeConnected = gauge("caracal_store_connected", "1 while the datastore answers.");
    this.bgpPeers = new Gauge({
      name: "caracal_bgp_peers",
      help: "BGP peers by state of their session.",
      labelNames: ["state"],
      registers,
    });
    this.intentSeconds = new Histogram({
      name: "felix_calc_graph_update_time_seconds",
      help: "Time to compute this node's intent from the resources.",
      buckets: [0.0001, 0.001, 0.01, 0.1, 1],
      registers,
    });
    this.cniRequestSeconds = new Histogram({
      name: "caracal_cni_request_seconds",
      help: "Time to answer a CNI request.",
      labelNames: ["command", "outcome"],
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30],
      registers,
    });
  }

  /** Sets the gauge of peers from the states of their sessions. */
  countPeers(states: readonly string[]): void {
    this.bgpPeers.reset();
    for (const state of states) this.bgpPeers.inc({ state });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Prometheus text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
