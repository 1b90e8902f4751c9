/**
 * A BGP-4 speaker as a pure machine: events and time go in, effects and one deadline come out. Sockets and the clock are
 * `@caracal/bgp-tcp`'s.
 *
 * Standards: RFC 4271 (messages, finite state machine, collision, decision), 4760 (IPv4 and IPv6 unicast), 2545, 5492
 * (with a second try for peers that know no capabilities), 9072 (both ways), 6793 (four-octet AS and AS_TRANS), 6286, 6608,
 * 7607, 7606 (revised error handling), 2918 and 7313 (route refresh, with its marks), 8654 (messages of 65,535 bytes), 9687
 * (send hold timer), 9234 (roles and Only to Customer), 6472 (AS sets: none made, refused if so configured), 4724 and 8538
 * (graceful restart, both roles), 7911 (add-path), 4456 (reflection), 1997, 4360, 8092 (communities), 4486 (cease, maximum
 * prefixes) and 9003 (shutdown messages both ways), 9494 (long-lived graceful restart).
 * Next hops of IPv6 for IPv4 routes: 8950. What is told to whom: 8326 (graceful shutdown), 7999 (blackhole), 8212 (default
 * reject), 6996 (private AS numbers).
 * Connections themselves are `@caracal/bgp-tcp`'s: 2385 (TCP-MD5) and 5082 (GTSM).
 * Export for others to read: MRT table dumps (RFC 6396, 8050), BMP (RFC 7854, Adj-RIB-In).
 *
 * Route policy is plain data, compiled once (`Filter`). Not here: confederations (RFC 5065: refused), other address families.
 */
export { Origin, WellKnownCommunity } from "./iana.ts";
export { type Capability } from "./wire/capability.ts";
export { AsPath, type AsSegment } from "./wire/as-path.ts";
export { type LargeCommunity, type PathAttributes } from "./wire/path-attributes.ts";
export { type Policies, type Policy, type PolicyRoute, type RouteSource } from "./export/policy.ts";
export { type ExportRefusal } from "./export/export-rules.ts";
export { type ExportCounts } from "./export/group-member.ts";
export { rehearse } from "./speaker/rehearse.ts";
export { type DecisionOptions, type DecisionReason, type MultipathOptions } from "./rib/decision.ts";
export { type NextHopResolver, type Resolution, everythingReachable } from "./rib/next-hops.ts";
export {
  type ConnectionId,
  type Millis,
  type SessionState,
  type SessionTimers,
  defaultTimers,
} from "./session/session-config.ts";
export { type PrivateAsRemoval } from "./export/private-as.ts";
export { type Role } from "./session/role.ts";
export { type PeerConfig, type PeerInput, peerConfig } from "./speaker/peer-config.ts";
export {
  type PeerRange,
  type PeerRangeInput,
  type PeerTemplate,
  dynamicPeerName,
  peerRange,
} from "./speaker/dynamic-peers.ts";
export { type MaxPrefixes, maxPrefixesDefaults } from "./speaker/max-prefixes.ts";
export { type ImportCounts } from "./speaker/peer.ts";
export {
  type PeerSnapshot,
  type PrefixLimitSnapshot,
  type RouteReason,
  type RouteSnapshot,
  type SessionSnapshot,
  type StaleSnapshot,
  type TimerSnapshot,
} from "./speaker/snapshot.ts";
export {
  type BestNextHop,
  type BestRouteChange,
  type LocalRoute,
  type SpeakerConfig,
  type SpeakerEffect,
  type SpeakerEvent,
  type SpeakerFact,
  speakerDefaults,
} from "./speaker/speaker-events.ts";
export {
  type AdvertisedRoute,
  type Listing,
  type Listings,
  listingPausePrefixes,
} from "./speaker/listings.ts";
export { formatEvent, parseEvent } from "./speaker/event-lines.ts";
export { Recorder, RecordingError, type ReplayedEvent, replay } from "./speaker/recording.ts";
export { Speaker, type SpeakerPorts } from "./speaker/speaker.ts";
export { type TableSizes } from "./speaker/table-sizes.ts";
export { compileFilters } from "./policy/compile-filters.ts";
export { type LinkOf, type NamedPolicy, compilePolicies, compilePolicy } from "./policy/named-policy.ts";
export {
  type ConditionTrace,
  type FilterExplanation,
  type RuleTrace,
  explainFilter,
} from "./policy/explain-filter.ts";
export { checkFilter, maxFilterRules } from "./policy/filter-rules.ts";
export { type FilterSession } from "./policy/filter-session.ts";
export {
  type AsPathMatch,
  type CommunityChange,
  type CommunityMatch,
  type Filter,
  type FilterAction,
  FilterError,
  type FilterProblem,
  type FilterRule,
  type NumberRange,
  type PeerType,
  type RouteChange,
  type RouteMatch,
} from "./policy/filter.ts";
export { encodeTableDump, type TableDump } from "./mrt/table-dump.ts";
export { TerminationReason, encodeInitiation, encodeTermination } from "./bmp/bmp-messages.ts";
export { BmpMonitor } from "./bmp/bmp-monitor.ts";
