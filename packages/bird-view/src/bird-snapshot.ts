import type { IpAddress, Ipv4, Prefix } from "@caracal/net";

/**
 * What one family's routing looks like at one moment, in BIRD's terms: all that the view prints. The daemon fills it from
 * its sessions and tables; nothing here is read again while a reply is under way. Times are milliseconds since 1970.
 */
export interface BirdSnapshot {
  /** As the banner says it: `v0.3.3+birdv1.6.8`. */
  readonly version: string;
  readonly routerId: Ipv4;
  readonly nowMs: number;
  readonly bootedAtMs: number;
  readonly configuredAtMs: number;
  /** Set while restarted sessions are awaited: how many, and how long it may take. */
  readonly recovery?: { readonly waitingCount: number; readonly timer: BirdTimer };
  /** In the order they are shown. */
  readonly protocols: readonly BirdProtocol[];
  /** Routes of one prefix stand together, the best one first. */
  readonly routes: readonly BirdRoute[];
}

/** A timer's seconds left and whole length. */
export interface BirdTimer {
  readonly leftSeconds: number;
  readonly totalSeconds: number;
}

/** One protocol instance. `bgp` is there exactly for kind BGP. */
export interface BirdProtocol {
  /** `static1`, `Mesh_192_168_49_3`. */
  readonly name: string;
  readonly kind: "Static" | "Kernel" | "Device" | "Direct" | "BGP";
  readonly state: "down" | "start" | "up" | "stop";
  readonly sinceMs: number;
  readonly description?: string;
  /** Of the routes it brings, unless a filter says otherwise. */
  readonly preference: number;
  readonly inputFilter: string;
  readonly outputFilter: string;
  /** Not shown for a protocol that is down. */
  readonly routes: BirdRouteCounts;
  readonly changes: BirdChangeCounts;
  readonly bgp?: BirdBgpSession;
}

/** Routes held now. */
export interface BirdRouteCounts {
  readonly imported: number;
  readonly exported: number;
  readonly preferred: number;
}

/** Route changes since the protocol came up; a count that BIRD never keeps is left out. */
export interface BirdChangeCounts {
  readonly importUpdates: {
    readonly received: number;
    readonly rejected: number;
    readonly filtered: number;
    readonly ignored: number;
    readonly accepted: number;
  };
  readonly importWithdraws: {
    readonly received: number;
    readonly rejected: number;
    readonly ignored: number;
    readonly accepted: number;
  };
  readonly exportUpdates: {
    readonly received: number;
    readonly rejected: number;
    readonly filtered: number;
    readonly accepted: number;
  };
  readonly exportWithdraws: { readonly received: number; readonly accepted: number };
}

/** `Passive` is an idle session that only waits for the neighbour; `Down` one whose protocol is down. */
export type BirdBgpState =
  | "Idle"
  | "Connect"
  | "Active"
  | "OpenSent"
  | "OpenConfirm"
  | "Established"
  | "Close"
  | "Passive"
  | "Down";

/** A BGP session as `show protocols all` tells it. */
export interface BirdBgpSession {
  readonly state: BirdBgpState;
  readonly neighborAddress: IpAddress;
  /** Of a link-local neighbour. */
  readonly neighborInterface?: string;
  readonly neighborAsn: number;
  /** Class and text: `Socket: Connection refused`, `Received: Administrative shutdown`, `BGP Error: Hold timer expired`. */
  readonly lastError?: string;
  /** The neighbour restarts and its routes are kept meanwhile. */
  readonly isNeighborRestarting?: boolean;
  /** While the next attempt is put off after an error. */
  readonly errorWait?: BirdTimer;
  /** While the next connect is awaited. */
  readonly connectDelay?: BirdTimer;
  /** Exactly while the protocol is up. */
  readonly established?: BirdEstablishedSession;
}

/** The part of a session that an OPEN exchange brings. */
export interface BirdEstablishedSession {
  readonly neighborId: Ipv4;
  /** BIRD's words, in its order: refresh enhanced-refresh restart-able llgr-aware AS4 add-path-rx add-path-tx. */
  readonly neighborCapabilities: readonly string[];
  /** BIRD's words, in its order: internal or external, then multihop route-reflector AS4 add-path-rx add-path-tx. */
  readonly session: readonly string[];
  readonly sourceAddress: IpAddress;
  readonly holdTimer: BirdTimer;
  readonly keepaliveTimer: BirdTimer;
}

/** Where a route leads. */
export type BirdVia =
  | { readonly kind: "gateway"; readonly gateway: IpAddress; readonly interface: string }
  | { readonly kind: "device"; readonly interface: string }
  | { readonly kind: "blackhole" | "unreachable" | "prohibited" }
  | {
      readonly kind: "multipath";
      readonly paths: readonly {
        readonly gateway: IpAddress;
        readonly interface: string;
        readonly weight: number;
      }[];
    };

/** One route of the table. */
export interface BirdRoute {
  readonly prefix: Prefix;
  readonly via: BirdVia;
  /** Name of the protocol it came from. */
  readonly protocol: string;
  readonly source: "static" | "kernel" | "device" | "BGP";
  readonly sinceMs: number;
  /** The neighbour that told of it, where it is not the gateway. */
  readonly from?: IpAddress;
  readonly preference: number;
  readonly isBest: boolean;
  /** The kernel refused it. */
  readonly hasSyncError?: boolean;
  /** Kept from a restarting neighbour. */
  readonly isStale?: boolean;
  /** To the BGP next hop; `unresolvable` when there is no route to it. */
  readonly igpMetric?: number | "unknown" | "unresolvable";
  /** Exactly for source BGP. */
  readonly bgp?: BirdBgpAttributes;
  /** Of an alien route learned from the kernel. */
  readonly kernel?: { readonly source: number; readonly metric: number };
}

/** A step of an AS path. */
export interface BirdAsSegment {
  readonly kind: "sequence" | "set";
  readonly asns: readonly number[];
}

/** Path attributes that the view names (RFC 4271 §5, RFC 1997, RFC 4456, RFC 8092). */
export interface BirdBgpAttributes {
  readonly origin: "IGP" | "EGP" | "Incomplete";
  readonly asPath: readonly BirdAsSegment[];
  /** One address, or for IPv6 the global and the link-local one. */
  readonly nextHops: readonly IpAddress[];
  readonly med?: number;
  readonly localPref?: number;
  readonly isAtomicAggregate?: boolean;
  readonly aggregator?: { readonly asn: number; readonly address: Ipv4 };
  readonly communities?: readonly (readonly [number, number])[];
  /** Each as its eight octets. */
  readonly extendedCommunities?: readonly bigint[];
  readonly largeCommunities?: readonly (readonly [number, number, number])[];
  readonly originatorId?: Ipv4;
  readonly clusterList?: readonly Ipv4[];
}
