/**
 * Answers about a whole cluster: both ends of every session joined and judged, why a node has or lacks a route, what a
 * change of resources would do. Pure but for reading the datastore: what nodes report comes in as data.
 *
 * Not here: asking nodes (`@caracal/questions`), what one node should do (`@caracal/intent`), printing.
 */
export { clusterIntents } from "./cluster/cluster-intents.ts";
export { clusterTunnels } from "./cluster/cluster-tunnels.ts";
export { type ClusterSnapshot, readCluster } from "./cluster/read-cluster.ts";
export { type ClusterSession, clusterSessions, type SessionEnd } from "./sessions/cluster-session.ts";
export { type SessionVerdict, sessionVerdict } from "./sessions/session-verdict.ts";
export { type Impact, impactOf, isHarmful, type RouteMove } from "./plan/impact.ts";
export type { PlannedCluster } from "./plan/kernel-routes.ts";
export { type NodeStory, type RouteFacts, routeStory } from "./routes/route-story.ts";
export { findTargets, type RouteTarget, type TargetLookup } from "./routes/route-target.ts";
export {
  lostRoutes,
  missingDirectly,
  missingThrough,
  planReflectors,
  reflectorLabel,
  type ReflectorPlan,
  reflectorPeerName,
} from "./plan/reflector-plan.ts";
export { TooManySessionsError } from "./plan/cluster-run.ts";
export {
  commonFamily,
  endNames,
  findEnd,
  type EndLookup,
  recordedPlaces,
  type TraceEnd,
} from "./trace/find-end.ts";
export {
  type PacketSpec,
  sourcePort,
  traceReport,
  type TraceReport,
  type TraceRequest,
} from "./trace/trace-report.ts";
export type {
  Fork,
  LossReason,
  OtherWay,
  OuterHeaders,
  TraceHop,
  TraceStep,
  TraceVerdict,
  Walk,
} from "./trace/trace-result.ts";
export { type Place, type PlaceName, placeKey, placeText, type World } from "./trace/world.ts";
export {
  compareLive,
  type LiveObservation,
  type LivePoint,
  type LiveResult,
  type LiveSighting,
} from "./trace/compare-live.ts";
