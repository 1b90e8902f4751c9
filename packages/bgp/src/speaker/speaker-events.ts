import { type IpAddress, type IpFamily, type Ipv4, type Prefix } from "@caracal/net";
import { type RouteSource } from "../export/policy.ts";
import { type DecisionOptions } from "../rib/decision.ts";
import { type NamedPolicy } from "../policy/named-policy.ts";
import { type Resolution } from "../rib/next-hops.ts";
import { type ConnectionId, type Millis, type SessionState } from "../session/session-config.ts";
import { type LargeCommunity, type PathAttributes } from "../wire/path-attributes.ts";
import { type MaxPrefixes } from "./max-prefixes.ts";
import { type PeerRange } from "./dynamic-peers.ts";
import { type PeerConfig } from "./peer-config.ts";
import { type RefusalReason } from "./refusals.ts";

/** The speaker as a whole. */
export interface SpeakerConfig {
  readonly routerId: Ipv4;
  readonly asn: number;
  /** This process takes the place of one that may have been killed, and the kernel kept its routes (RFC 4724 §4.1). */
  readonly restarting: boolean;
  /** The longest wait for the peers' End-of-RIB (RFC 4724 §4.1: Selection_Deferral_Timer). */
  readonly selectionDeferralMs: Millis;
  /** Whether "bestRoutes" effects are wanted; a speaker that only relays does without, which is quicker. */
  readonly tellsBestRoutes: boolean;
  /** How long a returned peer's old routes are kept without its End-of-RIB (RFC 4724 §4.2). */
  readonly staleRoutesMs: Millis;
}

/** What a speaker is unless told otherwise. */
export const speakerDefaults: Omit<SpeakerConfig, "routerId" | "asn"> = {
  restarting: false,
  selectionDeferralMs: 30_000,
  staleRoutesMs: 120_000,
  tellsBestRoutes: true,
};

/** A prefix that this speaker is the source of. */
export interface LocalRoute {
  readonly prefix: Prefix;
  /** Absent: the speaker itself, by each session's own address. */
  readonly nextHop?: IpAddress;
  readonly med?: number;
  readonly localPref?: number;
  readonly communities?: readonly number[];
  readonly largeCommunities?: readonly LargeCommunity[];
}

/** Everything that happens to a speaker: plain data, which `formatEvent` writes as a line and `parseEvent` reads. */
export type SpeakerEvent =
  /** The peers are now these; only what differs is touched. */
  | {
      readonly kind: "peers";
      readonly peers: readonly PeerConfig[];
      /** Whoever connects from one of these is a peer too; absent: nobody. */
      readonly ranges?: readonly PeerRange[];
    }
  /** The policies are now these; routes that a changed one can affect are decided about again, without a session's reset. */
  | { readonly kind: "policies"; readonly policies: readonly NamedPolicy[] }
  /** The local routes are now these. */
  | { readonly kind: "localRoutes"; readonly routes: readonly LocalRoute[] }
  /** An outgoing connection stands. */
  | { readonly kind: "connected"; readonly connection: ConnectionId; readonly localAddress: IpAddress }
  /** Somebody connected. The peer is found by its address, then by its range; an unknown one is refused. */
  | {
      readonly kind: "accepted";
      readonly connection: ConnectionId;
      readonly localAddress: IpAddress;
      readonly remoteAddress: IpAddress;
    }
  | { readonly kind: "failed"; readonly connection: ConnectionId; readonly reason: string }
  /** Bytes are read during the call only. */
  | { readonly kind: "received"; readonly connection: ConnectionId; readonly bytes: Uint8Array }
  /** The queue of a connection is full, or has room again. */
  | { readonly kind: "congested"; readonly connection: ConnectionId; readonly full: boolean }
  /** Ties are broken so from now on. */
  | { readonly kind: "bestPath"; readonly options: DecisionOptions }
  /** None of the bytes that wait in a connection's queue has been taken for a while, or some have been again. */
  | { readonly kind: "stalled"; readonly connection: ConnectionId; readonly stalled: boolean }
  /** More waits in a connection's queue than there is room for. */
  | { readonly kind: "overflowed"; readonly connection: ConnectionId }
  /** Next hops may resolve differently from now on. */
  | { readonly kind: "resolution" }
  /** `message` is for the other end's operator (RFC 9003). */
  | { readonly kind: "reset"; readonly peer: string; readonly message?: string }
  /** Gracefully: without a NOTIFICATION, so that peers keep our routes until we are back. */
  | { readonly kind: "stop"; readonly graceful: boolean; readonly message?: string }
  | { readonly kind: "tick" };

/** What a speaker wants done, in order. */
export type SpeakerEffect =
  | {
      readonly kind: "connect";
      readonly connection: ConnectionId;
      readonly address: IpAddress;
      readonly port: number;
      readonly sourceAddress: IpAddress | undefined;
    }
  /** The same array may go to several connections. */
  | { readonly kind: "send"; readonly connection: ConnectionId; readonly bytes: Uint8Array }
  /** After all that was sent; no further events of this connection are wanted. */
  | { readonly kind: "close"; readonly connection: ConnectionId }
  | { readonly kind: "bestRoutes"; readonly changes: readonly BestRouteChange[] }
  /** All peers have said what they have, or the wait is over: what was not named is gone. Once in a speaker's life. */
  | { readonly kind: "initialSync" }
  | { readonly kind: "log"; readonly fact: SpeakerFact };

export interface BestNextHop {
  readonly address: IpAddress;
  readonly resolution: Resolution;
}

/** What to do with packets for a prefix. Repeats are possible: the receiver compares. */
export type BestRouteChange =
  | {
      readonly kind: "reach";
      readonly prefix: Prefix;
      readonly source: RouteSource;
      readonly attributes: PathAttributes;
      /** Of the best route first, then of those that are as good; empty for a local route to the speaker itself. */
      readonly nextHops: readonly BestNextHop[];
      /** RFC 7999 §3.3: packets are to be dropped instead. */
      readonly discards?: true;
    }
  | { readonly kind: "unreach"; readonly prefix: Prefix };

/** What a log or a metric may want to know. */
export type SpeakerFact =
  | {
      readonly kind: "sessionState";
      readonly peer: string;
      readonly from: SessionState;
      readonly to: SessionState;
      readonly reason: string;
    }
  | {
      readonly kind: "refused";
      readonly remoteAddress: IpAddress;
      readonly reason: RefusalReason;
      /** With those that nothing was told of since the last time. */
      readonly count: number;
    }
  /** An UPDATE with a fault that RFC 7606 deals with. */
  | {
      readonly kind: "attributeFault";
      readonly peer: string;
      readonly attribute: number;
      readonly action: "withdraw" | "discard";
      readonly what: string;
    }
  /** A refresh began where the first exchange is not over (RFC 7313 §4). */
  | { readonly kind: "refreshIgnored"; readonly peer: string; readonly family: IpFamily }
  /** A refresh is over: these routes were not told again. */
  | {
      readonly kind: "unrefreshedRoutesRemoved";
      readonly peer: string;
      readonly family: IpFamily;
      readonly count: number;
    }
  /** A peer is near its limit of prefixes, or beyond it. */
  | {
      readonly kind: "prefixLimit";
      readonly peer: string;
      readonly family: IpFamily;
      readonly count: number;
      readonly limit: number;
      readonly stage: "near" | "reached";
      readonly action: MaxPrefixes["action"];
    }
  /** A peer names a policy that is not there, or whose filters cannot be compiled: nothing passes. */
  | {
      readonly kind: "policyMissing";
      readonly peer: string;
      readonly direction: "import" | "export";
      readonly policy: string;
      readonly why: "unknown" | "invalid";
    }
  | { readonly kind: "staleRoutesKept"; readonly peer: string; readonly untilMs: Millis }
  /** The restart time is over, and what is left is the last choice from now on (RFC 9494). */
  | {
      readonly kind: "longLivedRoutesKept";
      readonly peer: string;
      readonly family: IpFamily;
      readonly count: number;
      readonly untilMs: Millis;
    }
  | { readonly kind: "staleRoutesRemoved"; readonly peer: string; readonly count: number };
