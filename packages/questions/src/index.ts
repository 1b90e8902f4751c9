/**
 * Asking nodes from anywhere: questions and answers that travel through the datastore, which every daemon and every
 * `calicoctl` reaches anyway, and the shapes of what daemons report.
 *
 * Not here: the daemon's own socket (`@caracal/control`), and what to conclude from the answers (`@caracal/insight`).
 */
export { AnswerDesk, type AnswerDeskOptions, type Answerer } from "./answer-desk.ts";
export { askNodes, type AskOptions } from "./ask-nodes.ts";
export { type Answer, type Question } from "./question.ts";
export {
  type KernelReport,
  type NodeStatus,
  type PacketReport,
  type PeerStatus,
  readNodeStatus,
} from "./node-status.ts";
export {
  type ExportReport,
  type KernelRouteReport,
  type PathReport,
  type PolicyReport,
  readRouteReport,
  type RouteReport,
} from "./route-report.ts";
export { readRouteTable, type RouteTable, type TableRoute } from "./route-table.ts";
export {
  type PodTraceState,
  readTraceInterest,
  readTraceState,
  type TraceInterest,
  traceInterestJson,
  type TraceState,
  traceStateJson,
  traceStateMethod,
} from "./trace-state.ts";
export {
  type PlacedSighting,
  probeMethods,
  type ProbeOpened,
  type ProbeOpening,
  probeOpeningJson,
  type ProbePod,
  type ProbeSending,
  probeSendingJson,
  probeWatchMs,
  readProbeOpened,
  readProbeOpening,
  readProbeSending,
  readSightings,
} from "./trace-probe.ts";
