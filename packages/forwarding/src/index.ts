/**
 * What one network namespace does with a packet, computed from its state: which route a packet takes and which ones it
 * beats, what the packet filter does to it. The state is plain data with a JSON form, so that it can come from another
 * machine, and can be cut down to what matters for the addresses in question.
 *
 * Standards: ip-rule(8), ip-route(8), nft(8) and its JSON form libnftables-json(5), rp_filter of RFC 3704.
 * Not here: reading the state (`linux`), the walk from one namespace to the next (`insight`).
 */
export { evaluateFilter } from "./filter/evaluate-filter.ts";
export type { FilterHook, FilterOutcome, FilterPacket, FilterTranslation } from "./filter/filter-packet.ts";
export { type NetworkState, type PacketFilter, emptyNetworkState } from "./network-state.ts";
export { networkStateJson, readNetworkState } from "./network-state-json.ts";
export { minProbeBytes, type Probe, probeMarkBytes, probePacket } from "./probe/probe-packet.ts";
export { type ProbePorts, readFrame, type SeenFrame, type SeenHeader } from "./probe/read-frame.ts";
export { type Interest, relevantState } from "./relevant-state.ts";
export {
  type Flow,
  type Lookup,
  lookUp,
  type RuleVerdict,
  tableName,
  type TableMatch,
} from "./route-lookup.ts";
export { routeText } from "./route-text.ts";
