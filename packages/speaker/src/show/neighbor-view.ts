import type {
  ExportCounts,
  ImportCounts,
  MaxPrefixes,
  PeerSnapshot,
  PrefixLimitSnapshot,
  Role,
  StaleSnapshot,
} from "@caracal/bgp";
import { IpAddress, Ipv4 } from "@caracal/net";

/** One neighbour, as `show` and `-o json` tell it. */
export interface NeighborView {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly asn: number;
  readonly localAsn: number;
  readonly type: "internal" | "external";
  readonly passive: boolean;
  /** The neighbour of the file, known by a prefix, that this one is of. */
  readonly range?: string;
  readonly routeReflectorClient: boolean;
  /** What we are to it, where that was said. */
  readonly role?: Role;
  readonly state: PeerSnapshot["state"];
  /** When that state was entered. */
  readonly since: string;
  /** Why the last session or attempt ended; empty while Established. */
  readonly lastError: string;
  /** RFC 8212: the directions in which nothing passes, as no filter says what may. */
  readonly missingPolicies?: readonly ("import" | "export")[];
  readonly routes: {
    readonly received: number;
    readonly best: number;
    readonly advertised: number;
    readonly stale: number;
  };
  /** Families whose routes outlive their session, how, and for how long still. */
  readonly stale?: readonly {
    readonly family: string;
    readonly phase: StaleSnapshot["phase"];
    readonly leftMs?: number;
  }[];
  readonly maxPrefixes?: MaxPrefixes & { readonly ipv4: number; readonly ipv6: number };
  /** Since the start. */
  readonly imports: ImportCounts;
  readonly exports: ExportCounts;
  /** While Established. */
  readonly session?: {
    readonly routerId: string;
    readonly localAddress: string;
    readonly families: readonly string[];
    readonly capabilities: readonly string[];
    readonly addPaths: "none" | "send" | "receive" | "both";
    /** What it says it is to us. */
    readonly neighborRole?: Role;
    readonly maxMessageBytes: number;
    /** 0: the ends agreed to do without. */
    readonly holdTimeMs: number;
    readonly keepaliveMs: number;
    /** How long the connection may stand still with something to send; 0: for ever. */
    readonly sendHoldTimeMs: number;
  };
}

export function neighborView(peer: PeerSnapshot): NeighborView {
  return {
    name: peer.name,
    address: IpAddress.format(peer.address),
    port: peer.port,
    asn: peer.asn,
    localAsn: peer.localAsn,
    type: peer.external ? "external" : "internal",
    passive: peer.passive,
    ...(peer.range === undefined ? {} : { range: peer.range }),
    routeReflectorClient: peer.reflectorClient,
    ...(peer.role === undefined ? {} : { role: peer.role }),
    state: peer.state,
    since: new Date(peer.since).toISOString(),
    lastError: peer.lastError,
    ...(peer.missingPolicies === undefined ? {} : { missingPolicies: peer.missingPolicies }),
    routes: {
      received: peer.importedCount,
      best: peer.preferredCount,
      advertised: peer.exportedCount,
      stale: peer.staleCount,
    },
    ...(peer.stale === undefined
      ? {}
      : { stale: peer.stale.map((one) => ({ ...one, family: `ipv${one.family}` })) }),
    ...(peer.prefixLimit === undefined ? {} : { maxPrefixes: limitView(peer.prefixLimit) }),
    imports: peer.imports,
    exports: peer.exports,
    ...(peer.session === undefined ? {} : { session: sessionView(peer.session) }),
  };
}

function limitView({ announced, ...limit }: PrefixLimitSnapshot): NonNullable<NeighborView["maxPrefixes"]> {
  return { ...limit, ipv4: announced[4], ipv6: announced[6] };
}

function sessionView(session: NonNullable<PeerSnapshot["session"]>): NonNullable<NeighborView["session"]> {
  const { addPathReceive, addPathSend } = session;
  const oneWay = addPathReceive ? "receive" : addPathSend ? "send" : "none";
  return {
    routerId: Ipv4.format(session.neighborId),
    localAddress: IpAddress.format(session.sourceAddress),
    families: session.families.map((family) => `ipv${family}`),
    capabilities: session.neighborCapabilities,
    addPaths: addPathReceive && addPathSend ? "both" : oneWay,
    ...(session.neighborRole === undefined ? {} : { neighborRole: session.neighborRole }),
    maxMessageBytes: session.maxMessageBytes,
    holdTimeMs: session.hold?.ofMs ?? 0,
    keepaliveMs: session.keepalive?.ofMs ?? 0,
    sendHoldTimeMs: session.sendHoldMs ?? 0,
  };
}
