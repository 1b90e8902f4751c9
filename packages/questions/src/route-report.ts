import { isArrayOf, isObject } from "./json-shape.ts";

/** What a daemon answers to `route.report`: all that it knows of the routes to one destination. */
export interface RouteReport {
  readonly node: string;
  /** The longest prefix that BGP has for the destination; absent: it has none. */
  readonly prefix?: string;
  /** Why the prefix is the node's own, if it is. */
  readonly origin?: "block" | "pod" | "service";
  /** Every path that the daemon's own speaker has to `prefix`, the best one first; none where BIRD speaks in its place. */
  readonly paths: readonly PathReport[];
  /** The daemon programs `prefix` by itself, whatever BGP says: how packets for it go on. */
  readonly own?: "tunnel" | "direct" | "blackhole";
  /** What the node's programming policy says of the best path. */
  readonly programming?: {
    readonly kind: "direct" | "tunnel" | "skip";
    readonly reason?: string;
    readonly by?: string;
    /** Who takes packets out of the tunnel, where the next hop does not: a switch, say. */
    readonly end?: string;
  };
  /** Kernel routes to `prefix` itself, in all tables. */
  readonly kernel: readonly KernelRouteReport[];
  /** Where a packet to the destination would go now, as `ip route get` says it; absent: nowhere. */
  readonly lookup?: string;
  /** Why the kernel did not take the route, or has another one in its place. */
  readonly kernelFailure?: string;
  /** For each session, whether the route is told and what decides. */
  readonly exports: readonly ExportReport[];
}

export interface PathReport {
  /** The session that it came by; absent: the node's own. */
  readonly peer?: string;
  readonly nextHop?: string;
  /** As BIRD prints it. */
  readonly asPath: string;
  readonly localPref?: number;
  readonly originatorId?: string;
  readonly clusterList: readonly string[];
  readonly isBest: boolean;
  readonly isStale: boolean;
  readonly state: "valid" | "unreachable" | "filtered" | "looped" | "leaked";
  /** For a filtered path: what filtered it. */
  readonly policy?: PolicyReport;
}

/** What decided about a route on its way in or out. */
export interface PolicyReport {
  readonly isAccepted: boolean;
  /** `BGPFilter(no-pods) rule 2`, or the node's own export rule. */
  readonly by: string;
}

export interface ExportReport {
  readonly peer: string;
  readonly isTold: boolean;
  readonly because: string;
}

export interface KernelRouteReport {
  /** As `ip route` prints it. */
  readonly text: string;
  readonly protocol: number;
}

/** A report that came as JSON; `undefined` for anything else. */
export function readRouteReport(value: unknown): RouteReport | undefined {
  return isRouteReport(value) ? value : undefined;
}

function isRouteReport(value: unknown): value is RouteReport {
  return (
    isObject(value) &&
    typeof value["node"] === "string" &&
    isArrayOf(value["paths"], isObject) &&
    isArrayOf(value["kernel"], isObject) &&
    isArrayOf(value["exports"], isObject)
  );
}
