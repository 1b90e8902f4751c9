/** Code points of the IANA BGP registries, with the RFC that assigned each. */

/** RFC 4271 §4.1, RFC 2918 §3. */
export const MessageType = { open: 1, update: 2, notification: 3, keepalive: 4, routeRefresh: 5 } as const;

/** RFC 4271 §4.5, RFC 7313 §5, RFC 9687 §3. */
export const ErrorCode = {
  messageHeader: 1,
  openMessage: 2,
  updateMessage: 3,
  holdTimerExpired: 4,
  finiteStateMachine: 5,
  cease: 6,
  routeRefresh: 7,
  sendHoldTimerExpired: 8,
} as const;

/** RFC 4271 §6.1. */
export const HeaderError = { connectionNotSynchronized: 1, badMessageLength: 2, badMessageType: 3 } as const;

/** RFC 4271 §6.2, RFC 5492 §5, RFC 9234 §4.2. */
export const OpenError = {
  unspecific: 0,
  unsupportedVersion: 1,
  badPeerAs: 2,
  badBgpIdentifier: 3,
  unsupportedOptionalParameter: 4,
  unacceptableHoldTime: 6,
  unsupportedCapability: 7,
  roleMismatch: 11,
} as const;

/** RFC 4271 §6.3. */
export const UpdateError = {
  malformedAttributeList: 1,
  unrecognizedWellKnownAttribute: 2,
  missingWellKnownAttribute: 3,
  attributeFlags: 4,
  attributeLength: 5,
  invalidOrigin: 6,
  invalidNextHop: 8,
  optionalAttribute: 9,
  invalidNetworkField: 10,
  malformedAsPath: 11,
} as const;

/** RFC 6608 §3: which state an unexpected message met. */
export const FsmError = { unspecific: 0, openSent: 1, openConfirm: 2, established: 3 } as const;

/** RFC 4486 §3, RFC 8538 §3. */
export const CeaseCode = {
  maximumPrefixes: 1,
  administrativeShutdown: 2,
  peerDeconfigured: 3,
  administrativeReset: 4,
  connectionRejected: 5,
  otherConfigurationChange: 6,
  connectionCollision: 7,
  outOfResources: 8,
  /** RFC 8538 §3. */
  hardReset: 9,
} as const;

/** RFC 7313 §5. */
export const RouteRefreshError = { invalidMessageLength: 1 } as const;

/** RFC 2918 §3 and RFC 7313 §4: what a ROUTE-REFRESH says. */
export const RefreshKind = { request: 0, begin: 1, end: 2 } as const;

export const CapabilityCode = {
  /** RFC 4760 §8. */
  multiprotocol: 1,
  /** RFC 2918 §2. */
  routeRefresh: 2,
  /** RFC 8950 §4. */
  extendedNextHop: 5,
  /** RFC 8654 §3. */
  extendedMessage: 6,
  /** RFC 9234 §4.1. */
  role: 9,
  /** RFC 4724 §3. */
  gracefulRestart: 64,
  /** RFC 6793 §3. */
  fourOctetAs: 65,
  /** RFC 7911 §4. */
  addPath: 69,
  /** RFC 7313 §3.1. */
  enhancedRouteRefresh: 70,
  /** RFC 9494 §3. */
  longLivedGracefulRestart: 71,
} as const;

/** RFC 5492 §4: the only optional parameter in use; RFC 9072 §2 gives 255 another meaning. */
export const OptionalParameter = { capabilities: 2, extendedLength: 255 } as const;

export const AttributeFlag = {
  optional: 0x80,
  transitive: 0x40,
  partial: 0x20,
  extendedLength: 0x10,
} as const;

export const AttributeCode = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  multiExitDisc: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  /** RFC 1997. */
  communities: 8,
  /** RFC 4456 §8. */
  originatorId: 9,
  /** RFC 4456 §8. */
  clusterList: 10,
  /** RFC 4760 §3. */
  mpReachNlri: 14,
  /** RFC 4760 §4. */
  mpUnreachNlri: 15,
  /** RFC 4360. */
  extendedCommunities: 16,
  /** RFC 6793 §3. */
  as4Path: 17,
  /** RFC 6793 §3. */
  as4Aggregator: 18,
  /** RFC 8092. */
  largeCommunities: 32,
  /** RFC 9234 §5. */
  onlyToCustomer: 35,
} as const;

/** RFC 4271 §4.3 and RFC 5065 §3. */
export const SegmentType = { asSet: 1, asSequence: 2, confedSequence: 3, confedSet: 4 } as const;

/** RFC 4271 §5.1.1; a lower number is preferred. */
export const Origin = { igp: 0, egp: 1, incomplete: 2 } as const;
export type Origin = (typeof Origin)[keyof typeof Origin];

export const Afi = { ipv4: 1, ipv6: 2 } as const;

export const Safi = { unicast: 1, multicast: 2 } as const;

/** RFC 1997 §2 and later: communities that every speaker obeys. */
export const WellKnownCommunity = {
  noExport: 0xffffff01,
  noAdvertise: 0xffffff02,
  noExportSubconfed: 0xffffff03,
  /** RFC 9494 §4.6: kept beyond its peer's restart time, so the last choice. */
  llgrStale: 0xffff0006,
  /** RFC 9494 §4.7: never to be kept so long. */
  noLlgr: 0xffff0007,
  /** RFC 8326 §5. */
  gracefulShutdown: 0xffff0000,
  /** RFC 7999 §5. */
  blackhole: 0xffff029a,
} as const;

/** RFC 6793 §9: stands for a four-octet AS number where only two octets fit. */
export const asTrans = 23456;
