import { type IpAddress, type IpFamily, type Ipv4, type Prefix } from "@caracal/net";
import { type ExportCounts } from "../export/group-member.ts";
import { type RouteSource } from "../export/policy.ts";
import { routeSource } from "../export/exported-routes.ts";
import { type Decision, type DecisionReason } from "../rib/decision.ts";
import { type AttributeTable } from "../rib/attribute-table.ts";
import { type NextHops } from "../rib/next-hops.ts";
import { type PrefixSlot } from "../rib/prefix-slots.ts";
import { type Rib } from "../rib/rib.ts";
import { type PeerIndex, RouteFlag, type RouteRow } from "../rib/route-rows.ts";
import { type Role } from "../session/role.ts";
import { type Millis, type SessionState, sendHoldMs } from "../session/session-config.ts";
import { takesIpv4OverIpv6 } from "../session/negotiated.ts";
import { type Capability } from "../wire/capability.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { type MaxPrefixes } from "./max-prefixes.ts";
import { type ImportCounts, type Peer } from "./peer.ts";
import { type StaleTime } from "./route-keeper.ts";
import { type ImportRefusal, importRefusal } from "./import-refusal.ts";

/** A timer as BIRD shows it: what is left of what. */
export interface TimerSnapshot {
  readonly leftMs: Millis;
  readonly ofMs: Millis;
}

/** What a show command tells of one peer. */
export interface PeerSnapshot {
  readonly name: string;
  readonly address: IpAddress;
  readonly port: number;
  readonly asn: number;
  readonly localAsn: number;
  readonly external: boolean;
  readonly passive: boolean;
  readonly reflectorClient: boolean;
  /** The range that the peer is of; absent for one that is configured. */
  readonly range?: string;
  /** What we are to the peer (RFC 9234), if that is configured. */
  readonly role?: Role;
  /** BIRD's protocol state: "up" with an Established session, else "start". */
  readonly protocolState: "up" | "start";
  readonly state: SessionState;
  readonly since: Millis;
  /** `Socket: Connection refused`; empty while Established. */
  readonly lastError: string;
  /** Only while Established. */
  readonly session: SessionSnapshot | undefined;
  /** RFC 8212: what does not pass, as no policy says what may; absent where nothing is missing. */
  readonly missingPolicies?: readonly ("import" | "export")[];
  readonly importedCount: number;
  readonly exportedCount: number;
  readonly preferredCount: number;
  readonly staleCount: number;
  /** For each family whose routes outlive their session: how, and for how long still; without end after it expired. */
  readonly stale?: readonly StaleSnapshot[];
  /** Absent: the peer may say as much as it likes. */
  readonly prefixLimit?: PrefixLimitSnapshot;
  readonly imports: ImportCounts;
  readonly exports: ExportCounts;
}

export interface StaleSnapshot {
  readonly family: IpFamily;
  readonly phase: StaleTime["phase"];
  readonly leftMs?: Millis;
}

export interface PrefixLimitSnapshot extends MaxPrefixes {
  /** In the current session. */
  readonly announced: Readonly<Record<IpFamily, number>>;
}

export interface SessionSnapshot {
  readonly neighborId: Ipv4;
  readonly sourceAddress: IpAddress;
  /** The peer's, in BIRD's words: `refresh restart-able AS4 add-path-rx add-path-tx`. */
  readonly neighborCapabilities: readonly string[];
  readonly families: readonly IpFamily[];
  readonly as4: boolean;
  readonly addPathReceive: boolean;
  readonly addPathSend: boolean;
  /** What the peer says it is to us (RFC 9234). */
  readonly neighborRole?: Role;
  /** The longest message that either end may send. */
  readonly maxMessageBytes: number;
  /** Absent: the ends agreed on none. */
  readonly hold: TimerSnapshot | undefined;
  readonly keepalive: TimerSnapshot | undefined;
  /** How long the connection may stand still with something to send; absent: for ever. */
  readonly sendHoldMs?: Millis;
}

/** One path to a prefix. */
export interface RouteSnapshot {
  readonly prefix: Prefix;
  readonly source: RouteSource;
  /** The peer's address; absent for a local route. */
  readonly from: IpAddress | undefined;
  readonly pathId: number;
  /** After import policy; before it for a route that was not accepted. */
  readonly attributes: PathAttributes;
  /** What the peer said, where import policy made something else of it. */
  readonly received?: PathAttributes;
  readonly best: boolean;
  /** Why the route takes no part, if so. */
  readonly state: "valid" | "unreachable" | "filtered" | "looped" | "leaked";
  /** What decided so: of a filtered, looped or leaked route, and of a valid one that is not the best. */
  readonly why?: RouteReason;
  /** It is as good as the best one and takes part of the traffic. */
  readonly shares?: true;
  readonly stale: boolean;
  /** Interior cost of the next hop; absent when it cannot be reached or is the speaker itself. */
  readonly igpMetric: number | undefined;
  /** Seconds on the driver's clock. */
  readonly sinceS: number;
}

/** Why a route is not the best one. */
export type RouteReason = DecisionReason | ImportRefusal | "import policy";

/** What a snapshot of routes is made from. */
export interface SnapshotContext {
  readonly attributes: AttributeTable;
  readonly nextHops: NextHops;
  readonly decision: Decision;
  readonly routerId: Ipv4;
  readonly peer: (index: PeerIndex) => Peer | undefined;
}

export interface RouteCounts {
  imported: number;
  preferred: number;
  stale: number;
}

/** Counts all peers' routes in one walk. */
export function countRoutes(ribs: readonly Rib[]): Map<PeerIndex, RouteCounts> {
  const counts = new Map<PeerIndex, RouteCounts>();
  for (const rib of ribs) {
    const { rows } = rib;
    for (let row = 1; row < rows.bound; row += 1) {
      const slot = rows.slot(row);
      if (slot === 0) continue;
      let one = counts.get(rows.peer(row));
      if (one === undefined) {
        one = { imported: 0, preferred: 0, stale: 0 };
        counts.set(rows.peer(row), one);
      }
      if (rows.accepted(row) !== 0) one.imported += 1;
      if (rib.best(slot) === row) one.preferred += 1;
      if (rows.has(row, RouteFlag.stale)) one.stale += 1;
    }
  }
  return counts;
}

export function snapshotPeer(
  peer: Peer,
  routes: RouteCounts | undefined,
  exported: { readonly exported: number; readonly counts: ExportCounts },
  now: Millis,
): PeerSnapshot {
  const { config, session } = peer;
  const isUp = session.state === "Established";
  const missingPolicies = (["import", "export"] as const).filter((direction) => peer.lacksPolicy(direction));
  return {
    name: config.name,
    address: config.address,
    port: config.port,
    asn: config.asn,
    localAsn: peer.localAsn,
    external: peer.external,
    passive: config.passive,
    reflectorClient: config.reflectorClient,
    ...(peer.range === undefined ? {} : { range: peer.range.name }),
    ...(peer.role === undefined ? {} : { role: peer.role }),
    protocolState: isUp ? "up" : "start",
    state: session.state,
    since: peer.since,
    lastError: isUp ? "" : session.lastError,
    session: snapshotSession(peer, now),
    ...(missingPolicies.length === 0 ? {} : { missingPolicies }),
    importedCount: routes?.imported ?? 0,
    preferredCount: routes?.preferred ?? 0,
    staleCount: routes?.stale ?? 0,
    ...(peer.stale.size === 0 ? {} : { stale: snapshotStale(peer, now) }),
    ...(config.maxPrefixes === undefined
      ? {}
      : { prefixLimit: { ...config.maxPrefixes, announced: { ...peer.announced } } }),
    exportedCount: exported.exported,
    imports: { ...peer.imports },
    exports: exported.counts,
  };
}

function snapshotStale(peer: Peer, now: Millis): StaleSnapshot[] {
  return [...peer.stale].map(([family, { phase, until }]) => ({
    family,
    phase,
    ...(until === Infinity ? {} : { leftMs: Math.max(0, until - now) }),
  }));
}

/** All paths to a prefix, the best first. */
export function snapshotRoutes(rib: Rib, slot: PrefixSlot, context: SnapshotContext): RouteSnapshot[] {
  const { attributes, nextHops, decision, peer } = context;
  const { rows } = rib;
  const list: RouteSnapshot[] = [];
  const isAlone = rows.next(rib.first(slot)) === 0;
  const lost = isAlone ? none : decision.explain(rib, slot);
  if (rib.isMultipath(slot)) decision.decide(rib, slot);
  const sharing = rib.isMultipath(slot) ? [...decision.equal] : [];
  for (let row = rib.first(slot); row !== 0; row = rows.next(row)) {
    const received = rows.received(row);
    const id = rows.accepted(row) === 0 ? received : rows.accepted(row);
    const value = attributes.get(id);
    const from = peer(rows.peer(row));
    const metric = value.nextHop === undefined ? undefined : nextHops.metric(value.nextHop);
    const isReachable = from === undefined || metric === undefined || metric !== Infinity;
    const why = lost.get(row) ?? refusal(rib, row, from, context);
    const route: RouteSnapshot = {
      prefix: rib.slots.prefix(slot),
      source: routeSource(from?.facts),
      from: from?.config.address,
      pathId: rows.pathId(row),
      attributes: value,
      ...(received === id ? {} : { received: attributes.get(received) }),
      best: rib.best(slot) === row,
      state: routeState(rib, row, isReachable),
      ...(why === undefined ? {} : { why }),
      ...(sharing.includes(row) ? { shares: true } : {}),
      stale: rows.has(row, RouteFlag.stale),
      igpMetric: metric === Infinity ? undefined : metric,
      sinceS: rows.sinceS(row),
    };
    if (route.best) list.unshift(route);
    else list.push(route);
  }
  return list;
}

const none: ReadonlyMap<RouteRow, DecisionReason> = new Map();

/** Why import did not accept a route. */
function refusal(
  rib: Rib,
  row: RouteRow,
  from: Peer | undefined,
  { attributes, routerId }: SnapshotContext,
): RouteReason | undefined {
  if (from === undefined) return undefined;
  if (rib.rows.accepted(row) !== 0) return undefined;
  return importRefusal(from, rib.rows.received(row), attributes, routerId) ?? "import policy";
}

function routeState(rib: Rib, row: RouteRow, isReachable: boolean): RouteSnapshot["state"] {
  if (rib.rows.has(row, RouteFlag.looped)) return "looped";
  if (rib.rows.has(row, RouteFlag.leaked)) return "leaked";
  if (rib.rows.has(row, RouteFlag.filtered)) return "filtered";
  return isReachable ? "valid" : "unreachable";
}

function snapshotSession(peer: Peer, now: Millis): SessionSnapshot | undefined {
  const { negotiated } = peer;
  const connection = peer.session.established;
  if (negotiated === undefined || connection === undefined) return undefined;
  const sendHold = sendHoldMs(peer.config.timers, negotiated.holdTimeMs);
  const timer = (at: Millis | undefined, ofMs: Millis): TimerSnapshot | undefined =>
    at === undefined ? undefined : { leftMs: Math.max(0, at - now), ofMs };
  return {
    neighborId: negotiated.remoteId,
    sourceAddress: negotiated.localAddress,
    neighborCapabilities: capabilityWords(negotiated.capabilities),
    families: negotiated.families,
    as4: negotiated.as4,
    addPathReceive: negotiated.addPathReceive.length > 0,
    addPathSend: negotiated.addPathSend.length > 0,
    ...(negotiated.remoteRole === undefined ? {} : { neighborRole: negotiated.remoteRole }),
    maxMessageBytes: negotiated.maxMessageBytes,
    hold: timer(connection.holdAt, negotiated.holdTimeMs),
    keepalive: timer(connection.keepaliveAt, negotiated.keepaliveMs),
    ...(sendHold === undefined ? {} : { sendHoldMs: sendHold }),
  };
}

function capabilityWords(capabilities: readonly Capability[]): string[] {
  const has = (kind: Capability["kind"]): boolean => capabilities.some((one) => one.kind === kind);
  const addPath = capabilities.find((one) => one.kind === "addPath")?.families ?? [];
  const restart = capabilities.find((one) => one.kind === "gracefulRestart");
  const longLived = capabilities.find((one) => one.kind === "longLivedGracefulRestart");
  const words: readonly (readonly [string, boolean])[] = [
    ["refresh", has("routeRefresh")],
    ["enhanced-refresh", has("enhancedRouteRefresh")],
    ["restart-able", restart !== undefined && restart.families.length > 0],
    ["restart-aware", restart !== undefined && restart.families.length === 0],
    ["llgr-able", longLived !== undefined && longLived.families.length > 0],
    ["llgr-aware", longLived !== undefined && longLived.families.length === 0],
    ["AS4", has("fourOctetAs")],
    ["extended-next-hop", capabilities.some(takesIpv4OverIpv6)],
    ["add-path-rx", addPath.some((one) => one.receive)],
    ["add-path-tx", addPath.some((one) => one.send)],
    ["ext-messages", has("extendedMessage")],
  ];
  return words.filter(([, isOn]) => isOn).map(([word]) => word);
}
