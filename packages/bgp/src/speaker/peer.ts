import { type IpFamily, Ipv4 } from "@caracal/net";
import { type ExportSource } from "../export/export-rules.ts";
import { type PeerIndex } from "../rib/route-rows.ts";
import { type Negotiated } from "../session/negotiated.ts";
import { type Millis, type SessionConfig } from "../session/session-config.ts";
import { type Role } from "../session/role.ts";
import { Session } from "../session/session.ts";
import { type PeerRange } from "./dynamic-peers.ts";
import { type LimitStage } from "./max-prefixes.ts";
import { type PeerConfig } from "./peer-config.ts";
import { PeerRefresh } from "./peer-refresh.ts";
import { type StaleTime } from "./route-keeper.ts";
import { type SpeakerConfig } from "./speaker-events.ts";

/** Counts of routes heard, in BIRD's words. */
export interface ImportCounts {
  updatesReceived: number;
  /** A route that has us in it already. */
  updatesRejected: number;
  updatesFiltered: number;
  /** The same as before. */
  updatesIgnored: number;
  updatesAccepted: number;
  withdrawsReceived: number;
  /** Of a route that was not there. */
  withdrawsIgnored: number;
  withdrawsAccepted: number;
}

/** One neighbour with its session and what the speaker remembers of it. */
export class Peer {
  readonly index: PeerIndex;
  readonly session: Session;
  config: PeerConfig;
  readonly localAsn: number;
  /** Of a peer that is one because it connected. */
  range: PeerRange | undefined;
  readonly #speakerAsn: number;
  readonly #routerId: Ipv4;
  /** Of the current session. */
  negotiated: Negotiated | undefined;
  /** When the state shown was entered. */
  since: Millis;
  readonly imports: ImportCounts = {
    updatesReceived: 0,
    updatesRejected: 0,
    updatesFiltered: 0,
    updatesIgnored: 0,
    updatesAccepted: 0,
    withdrawsReceived: 0,
    withdrawsIgnored: 0,
    withdrawsAccepted: 0,
  };
  /** Families whose routes outlive the session that they were said in. */
  readonly stale: Map<IpFamily, StaleTime> = new Map();
  /** Prefixes that the peer has said in this session and not withdrawn, whatever became of them. */
  readonly announced: Record<IpFamily, number> = { 4: 0, 6: 0 };
  /** Prefixes that its limit did not let in. */
  readonly blockedCounts: Record<IpFamily, number> = { 4: 0, 6: 0 };
  readonly limitStages: Record<IpFamily, LimitStage> = { 4: "below", 6: "below" };
  /** Families whose first exchange the peer has completed in this session. */
  readonly endOfRib: Set<IpFamily> = new Set();
  readonly refresh: PeerRefresh = new PeerRefresh();
  #remoteId: Ipv4 = Ipv4.of(0);

  constructor(
    index: PeerIndex,
    config: PeerConfig,
    speaker: SpeakerConfig,
    random: () => number,
    now: Millis,
    sessionName: string = config.name,
  ) {
    this.index = index;
    this.config = config;
    this.localAsn = config.localAsn ?? speaker.asn;
    this.#speakerAsn = speaker.asn;
    this.#routerId = speaker.routerId;
    this.since = now;
    this.session = new Session(sessionConfig(config, speaker, sessionName), random);
  }

  /** Whether it ever had a session, and so routes. */
  get wasUp(): boolean {
    return this.#remoteId !== 0;
  }

  get clusterId(): Ipv4 {
    return this.config.clusterId ?? this.#routerId;
  }

  get external(): boolean {
    return this.localAsn !== this.config.asn;
  }

  /** Our AS where the peer is to see it beside `localAsn`. */
  get innerAsn(): number | undefined {
    const isHidden = (this.config.localAsnMode ?? "replace-as") === "replace-as";
    return isHidden || !this.external || this.localAsn === this.#speakerAsn ? undefined : this.#speakerAsn;
  }

  /** What we are to the peer (RFC 9234): of another AS only. */
  get role(): Role | undefined {
    return this.external ? this.config.role : undefined;
  }

  /** RFC 8212 §2: nothing passes in this direction, as nobody said what may. */
  lacksPolicy(direction: "import" | "export"): boolean {
    const { requirePolicy, importPolicy, exportPolicy } = this.config;
    if (requirePolicy !== true || !this.external) return false;
    return (direction === "import" ? importPolicy : exportPolicy) === "";
  }

  /** A session is up. Says whether the peer has another identifier than in a session before. */
  begin(negotiated: Negotiated): boolean {
    const isOther = this.#remoteId !== 0 && this.#remoteId !== negotiated.remoteId;
    this.negotiated = negotiated;
    this.#remoteId = negotiated.remoteId;
    this.endOfRib.clear();
    for (const family of [4, 6] as const) {
      this.limitStages[family] = "below";
      this.blockedCounts[family] = 0;
    }
    return isOther;
  }

  /** What decision and export need to know; of the last session while there is none. */
  get facts(): ExportSource {
    const { name, address, reflectorClient, blackhole: discardsBlackhole = false } = this.config;
    const { external, clusterId } = this;
    const routerId = this.#remoteId;
    return { name, address, external, routerId, reflectorClient, clusterId, discardsBlackhole };
  }

  /** Whether the peer has said all that it had when the session began; one that never says so counts as done. */
  get isSynced(): boolean {
    const { negotiated, config } = this;
    if (config.shutdown !== undefined) return true;
    if (negotiated === undefined) return false;
    if (negotiated.gracefulRestart === undefined) return true;
    return negotiated.families.every((family) => this.endOfRib.has(family));
  }
}

function sessionConfig(config: PeerConfig, speaker: SpeakerConfig, name: string): SessionConfig {
  return {
    name,
    routerId: speaker.routerId,
    localAsn: config.localAsn ?? speaker.asn,
    peerAsn: config.asn,
    passive: config.passive,
    timers: config.timers,
    families: config.families,
    addPathReceive: config.addPathReceive,
    addPathSend: config.addPathSend,
    restartTimeS: config.restartTimeS,
    restartOnNotification: config.restartOnNotification,
    ...(config.longLivedTimeS === undefined ? {} : { longLivedTimeS: config.longLivedTimeS }),
    extendedNextHop: config.extendedNextHop === true,
    extendedMessages: config.extendedMessages,
    enhancedRefresh: config.enhancedRefresh,
    role: config.role,
    strictRole: config.strictRole,
  };
}
