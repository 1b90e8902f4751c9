import {
  type DecisionOptions,
  defaultTimers,
  type LocalRoute,
  type MultipathOptions,
  type PeerInput,
  type PeerRangeInput,
  type PeerType,
  type SessionTimers,
} from "@caracal/bgp";
import type { BmpStationAddress, PeerTransport } from "@caracal/bgp-tcp";
import { IpAddress, type IpFamily } from "@caracal/net";
import { policyName } from "../policy-book.ts";
import type { RestartFile } from "./lifetime-keys.ts";
import { neighborName } from "./list-rules.ts";
import type { ListenFile, NeighborFile, SpeakerFile, StaticFile, StationFile } from "./speaker-file.ts";

type NeighborKey = Exclude<keyof NeighborFile, "name" | "address" | "asn">;

/** What the rest of the file makes of a neighbour. */
interface Surroundings {
  readonly peerType: PeerType;
  readonly sendHoldMs: number | undefined;
}

/** What every key of a neighbour means to the BGP core. */
const neighborMapping: {
  readonly [K in NeighborKey]: (value: NeighborFile[K], around: Surroundings) => Partial<PeerInput>;
} = {
  // These two are a range's: see mapRanges.
  prefix: () => ({}),
  maxNeighbors: () => ({}),
  port: (port) => ({ port }),
  passive: (passive) => ({ passive }),
  shutdown: (shutdown) => (shutdown === false ? {} : { shutdown }),
  localAsn: (localAsn) => (localAsn === undefined ? {} : { localAsn }),
  localAsnMode: (localAsnMode) => (localAsnMode === undefined ? {} : { localAsnMode }),
  allowOwnAs: (allowLocalAs) => ({ allowLocalAs }),
  removePrivateAs: privateAsRemoval,
  gracefulShutdown: (gracefulShutdown) => (gracefulShutdown ? { gracefulShutdown } : {}),
  blackhole: (blackhole) => (blackhole ? { blackhole } : {}),
  role: (role) => (role === undefined ? {} : { role }),
  strictRole: (strictRole) => ({ strictRole }),
  // These two are the sockets' business: see mapTransports.
  password: () => ({}),
  ttlSecurity: () => ({}),
  holdTimeMs: (holdTimeMs, { sendHoldMs }) => ({ timers: timers(holdTimeMs, sendHoldMs) }),
  // Among the timers.
  sendHoldTimeMs: () => ({}),
  routeReflectorClient: (reflectorClient) => ({ reflectorClient }),
  clusterId: (clusterId) => (clusterId === undefined ? {} : { clusterId }),
  nextHop: (nextHop) => ({ nextHop }),
  addPaths: ({ send, receive }) => ({
    addPathReceive: receive,
    addPathSend: send !== "none",
    ...(typeof send === "number" ? { addPathLimit: send } : {}),
  }),
  advertisementIntervalMs: (advertisementIntervalMs) =>
    advertisementIntervalMs === 0 ? {} : { advertisementIntervalMs },
  extendedMessages: (extendedMessages) => ({ extendedMessages }),
  enhancedRefresh: (enhancedRefresh) => ({ enhancedRefresh }),
  extendedNextHop: (extendedNextHop) => (extendedNextHop ? { extendedNextHop } : {}),
  gracefulRestart: restartTime,
  families: (families) => (families === undefined ? {} : { families }),
  import: (filter, { peerType }) =>
    filter === undefined ? {} : { importPolicy: policyName(filter, { direction: "import", peerType }) },
  export: (filter, { peerType }) =>
    filter === undefined ? {} : { exportPolicy: policyName(filter, { direction: "export", peerType }) },
  maxPrefixes: (maxPrefixes) => (maxPrefixes === undefined ? {} : { maxPrefixes }),
};

/** What of the file as a whole matters to its neighbours. */
interface SpeakerWide {
  readonly listen: readonly ListenFile[];
  readonly asn: number;
  readonly requirePolicy: boolean;
  readonly refuseAsSets: boolean;
}

/** The neighbours in the core's words. */
export function mapNeighbors(neighbors: readonly NeighborFile[], wide: SpeakerWide): readonly PeerInput[] {
  return neighbors.flatMap((neighbor): PeerInput[] => {
    const { address, asn } = neighbor;
    if (address === undefined) return [];
    return [{ ...settingsOf(neighbor, address, wide), name: neighborName(neighbor), address, asn }];
  });
}

/** The neighbours that are known by a prefix only. */
export function mapRanges(neighbors: readonly NeighborFile[], wide: SpeakerWide): readonly PeerRangeInput[] {
  return neighbors.flatMap((neighbor): PeerRangeInput[] => {
    const { prefix, asn, maxNeighbors } = neighbor;
    if (prefix === undefined) return [];
    const template = { ...settingsOf(neighbor, prefix.address, wide), asn };
    const most = maxNeighbors === undefined ? {} : { maxPeers: maxNeighbors };
    return [{ name: neighborName(neighbor), prefix, template, ...most }];
  });
}

function settingsOf(
  neighbor: NeighborFile,
  address: IpAddress,
  { listen, asn: speakerAsn, requirePolicy, refuseAsSets }: SpeakerWide,
): Partial<PeerInput> {
  const peerType = neighbor.asn === (neighbor.localAsn ?? speakerAsn) ? "iBGP" : "eBGP";
  const settings: Partial<PeerInput>[] = mappedKeys.map((key) =>
    mapKey(key, neighbor, { peerType, sendHoldMs: neighbor.sendHoldTimeMs }),
  );
  const family = IpAddress.family(address);
  const own = ownAddress(listen, family, address);
  const other = ownAddress(listen, family === 4 ? 6 : 4, address);
  if (own !== undefined) settings.push({ sourceAddress: own });
  if (other !== undefined) settings.push({ otherFamilyAddress: other });
  if (requirePolicy) settings.push({ requirePolicy });
  if (refuseAsSets) settings.push({ refuseAsSets });
  return merge(settings);
}

/** Monitoring stations in the words of the sockets. */
export function mapStations(stations: readonly StationFile[]): readonly BmpStationAddress[] {
  return stations.map(({ address, port, sourceAddress }) => ({
    address,
    port,
    ...(sourceAddress === undefined ? {} : { sourceAddress }),
  }));
}

/** How ties between routes are broken. */
export function mapBestPath({ bestPath, multipath }: SpeakerFile): DecisionOptions {
  const { ebgp, ibgp, asPath } = multipath ?? { asPath: "any" };
  const shared: MultipathOptions = {
    ...(ebgp === undefined ? {} : { external: ebgp }),
    ...(ibgp === undefined ? {} : { internal: ibgp }),
    ...(asPath === "same" ? { sameAsPath: true } : {}),
  };
  return { ...bestPath, ...(multipath === undefined ? {} : { multipath: shared }) };
}

/** How the connections with each neighbour are protected, by its name. */
export function mapTransports(neighbors: readonly NeighborFile[]): ReadonlyMap<string, PeerTransport> {
  const transports = new Map<string, PeerTransport>();
  for (const neighbor of neighbors) {
    const { password, ttlSecurity = false } = neighbor;
    const transport: PeerTransport = {
      ...(password === undefined ? {} : { password }),
      // `true` is a peer on the same link.
      ...(ttlSecurity === false ? {} : { ttlSecurityHops: ttlSecurity === true ? 1 : ttlSecurity }),
    };
    if (Object.keys(transport).length > 0) transports.set(neighborName(neighbor), transport);
  }
  return transports;
}

/** Routes of our own in the core's words. One with a next hop is told with it, a blackhole with ourselves. */
export function mapStatics(statics: readonly StaticFile[]): readonly LocalRoute[] {
  return statics.map(({ prefix, nextHop, communities = [] }) => {
    const standard = communities.flatMap((one) => (one.kind === "standard" ? [one.value] : []));
    const large = communities.flatMap((one) => (one.kind === "large" ? [one.value] : []));
    return {
      prefix,
      ...(nextHop === undefined ? {} : { nextHop }),
      ...(standard.length === 0 ? {} : { communities: standard }),
      ...(large.length === 0 ? {} : { largeCommunities: large }),
    };
  });
}

const mappedKeys: readonly NeighborKey[] = Object.keys(neighborMapping).filter(isNeighborKey);

function isNeighborKey(key: string): key is NeighborKey {
  return Object.hasOwn(neighborMapping, key);
}

function mapKey<K extends NeighborKey>(
  key: K,
  neighbor: NeighborFile,
  around: Surroundings,
): Partial<PeerInput> {
  return neighborMapping[key](neighbor[key], around);
}

function merge(parts: readonly Partial<PeerInput>[]): Partial<PeerInput> {
  return parts.reduce((whole, part) => ({ ...whole, ...part }), {});
}

/** The first attempt comes at once; three keepalives fit into the hold time (RFC 4271 §4.4). */
function timers(holdTimeMs: number, sendHoldMs: number | undefined): SessionTimers {
  return {
    ...defaultTimers,
    connectDelayMs: 0,
    holdTimeMs,
    keepaliveMs: Math.floor(holdTimeMs / 3),
    ...(sendHoldMs === undefined ? {} : { sendHoldMs }),
  };
}

function privateAsRemoval(which: NeighborFile["removePrivateAs"]): Partial<PeerInput> {
  if (which === "none") return {};
  const isAll = which === "all" || which === "all-replace";
  const replaces = which === "all-replace" || which === "leading-replace";
  return { removePrivateAs: { which: isAll ? "all" : "leading", replaces } };
}

/** The core's default stands for `true`; only a key that is there without a value switches it off. */
function restartTime(wanted: boolean | number | RestartFile): Partial<PeerInput> {
  if (typeof wanted === "number") return { restartTimeS: wanted };
  if (wanted === false) return Object.fromEntries([["restartTimeS", undefined]]);
  if (wanted === true) return {};
  const { notification, ...times } = wanted;
  return { ...times, restartOnNotification: notification };
}

/**
 * Our end of a session, where the file settles it: who listens on one address of a family is known to its neighbours by
 * that address, so it must also call from there.
 */
function ownAddress(listen: readonly ListenFile[], family: IpFamily, peer: IpAddress): IpAddress | undefined {
  const own = listen.filter(({ address }) => address === undefined || IpAddress.family(address) === family);
  const [only] = own;
  if (only?.address === undefined || own.length > 1) return undefined;
  // From a loopback address nothing can be reached but the machine itself.
  return isLoopback(only.address) && !isLoopback(peer) ? undefined : only.address;
}

function isLoopback(address: IpAddress): boolean {
  return IpAddress.isIpv4(address) ? address >>> 24 === 127 : address === 1n;
}
