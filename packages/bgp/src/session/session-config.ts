import { type IpFamily, type Ipv4 } from "@caracal/net";
import { type Role } from "./role.ts";

/** Milliseconds on the driver's clock; only differences mean anything. */
export type Millis = number;

/** Names one TCP connection between core and driver. Any text that is unique while the connection lives. */
export type ConnectionId = string;

/** The states of RFC 4271 §8.2.2. */
export type SessionState = "Idle" | "Connect" | "Active" | "OpenSent" | "OpenConfirm" | "Established";

export interface SessionTimers {
  /** From start to the first attempt to connect; 0 connects at once. */
  readonly connectDelayMs: number;
  /** The longest time between attempts, and for one attempt (RFC 4271 §8: ConnectRetryTime). */
  readonly connectRetryMs: number;
  /** The first retry comes after this; each further one doubles it up to `connectRetryMs`. */
  readonly connectRetryMinMs: number;
  /** How long Idle lasts after a protocol error; doubles with each (RFC 4271 §8: IdleHoldTime, DampPeerOscillations). */
  readonly errorWaitMinMs: number;
  readonly errorWaitMaxMs: number;
  /** Proposed in OPEN; 0 means no keepalives, else at least 3000. The lower of both ends' counts. */
  readonly holdTimeMs: number;
  /** How often to say KEEPALIVE at the proposed hold time; scaled down with it. */
  readonly keepaliveMs: number;
  /**
   * How long a connection may stand still while bytes wait to be sent (RFC 9687 §3.1: SendHoldTime); 0: for ever; absent:
   * eight minutes, or twice the hold time if that is more.
   */
  readonly sendHoldMs?: number;
  /** How long a connection may stay without the peer's OPEN (RFC 4271 §8.2.2: "a large value"). */
  readonly openWaitMs: number;
}

/** RFC 9687 §3.1: the least that the send hold time is unless it is set. */
const leastSendHoldMs = 480_000;

/** What is left of a session with a peer that knows no capabilities; `undefined` when nothing is (RFC 5492 §3). */
export function withoutCapabilities(config: SessionConfig): SessionConfig | undefined {
  if (!config.families.includes(4) || config.localAsn > 0xffff || config.strictRole === true)
    return undefined;
  const { name, routerId, localAsn, peerAsn, passive, timers } = config;
  return {
    name,
    routerId,
    localAsn,
    peerAsn,
    passive,
    timers,
    families: [4],
    addPathReceive: false,
    addPathSend: false,
    restartTimeS: undefined,
    saysCapabilities: false,
  };
}

/** The send hold time that counts for a connection with this hold time; `undefined`: none. */
export function sendHoldMs(timers: SessionTimers, holdTimeMs: number): number | undefined {
  const wanted = timers.sendHoldMs ?? Math.max(leastSendHoldMs, 2 * holdTimeMs);
  return wanted === 0 ? undefined : wanted;
}

/** Calico's timers with BIRD's hold time. */
export const defaultTimers: SessionTimers = {
  connectDelayMs: 2000,
  connectRetryMs: 5000,
  connectRetryMinMs: 250,
  errorWaitMinMs: 5000,
  errorWaitMaxMs: 30_000,
  holdTimeMs: 240_000,
  keepaliveMs: 80_000,
  openWaitMs: 240_000,
};

/** What one session needs to know; what it says in OPEN follows from it. */
export interface SessionConfig {
  /** Prefix of the names of outgoing connections. */
  readonly name: string;
  readonly routerId: Ipv4;
  readonly localAsn: number;
  readonly peerAsn: number;
  /** Wait for the peer to connect (RFC 4271 §8.1.1: PassiveTcpEstablishment). */
  readonly passive: boolean;
  readonly timers: SessionTimers;
  readonly families: readonly IpFamily[];
  readonly addPathReceive: boolean;
  readonly addPathSend: boolean;
  /** Offered in OPEN; absent: no graceful restart in either role. */
  readonly restartTimeS: number | undefined;
  /** Offer to keep routes over a NOTIFICATION or a silence too (RFC 8538); absent: yes. */
  readonly restartOnNotification?: boolean;
  /** How long the peer may keep our routes after that (RFC 9494); absent: we only understand what others keep. */
  readonly longLivedTimeS?: number;
  /** Offer to take and tell IPv6 next hops of IPv4 routes (RFC 8950). */
  readonly extendedNextHop?: boolean;
  /** Absent: yes. */
  readonly saysCapabilities?: false;
  /** Offer messages of up to 65,535 bytes (RFC 8654). */
  readonly extendedMessages?: boolean;
  /** Offer to mark where the answer to a route refresh begins and ends (RFC 7313). */
  readonly enhancedRefresh?: boolean;
  /** What we are to this peer (RFC 9234 §4.1); absent: not said. Of no meaning inside an AS. */
  readonly role?: Role | undefined;
  /** A peer that does not say its role is refused (RFC 9234 §4.2). */
  readonly strictRole?: boolean;
}
