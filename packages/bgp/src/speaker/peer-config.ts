import { type IpAddress, type IpFamily, type Ipv4 } from "@caracal/net";
import { type PrivateAsRemoval } from "../export/private-as.ts";
import { type Role } from "../session/role.ts";
import { type SessionTimers, defaultTimers } from "../session/session-config.ts";
import { type MaxPrefixes } from "./max-prefixes.ts";

/** One neighbour, as plain data. Policies are named, so that a configuration can be stored and compared. */
export interface PeerConfig {
  /** Unique; peers are compared by it when the list changes. */
  readonly name: string;
  readonly address: IpAddress;
  readonly port: number;
  readonly asn: number;
  /** Our AS number towards this peer; absent: the speaker's. */
  readonly localAsn?: number;
  /** What our end of an outgoing connection is bound to; absent: the system chooses. */
  readonly sourceAddress?: IpAddress;
  /** The next hop "self" in the family that the session itself does not run over. */
  readonly otherFamilyAddress?: IpAddress;
  readonly passive: boolean;
  /** No session: it is shut down, with this message to the other end's operator (RFC 9003), which may be empty. */
  readonly shutdown?: string;
  readonly timers: SessionTimers;
  readonly families: readonly IpFamily[];
  readonly addPathReceive: boolean;
  readonly addPathSend: boolean;
  /** With `addPathSend`, so many routes of each prefix, the best ones; absent: all. */
  readonly addPathLimit?: number;
  /** The least time between two rounds of changes that the peer is told (RFC 4271 §9.2.1.1); absent: none. */
  readonly advertisementIntervalMs?: number;
  /** Seconds that the peer may keep our routes while we are away (RFC 4724); absent: no graceful restart. */
  readonly restartTimeS?: number;
  /** Routes outlive a NOTIFICATION and a silence as well, where the peer agrees (RFC 8538); a hard reset drops them. */
  readonly restartOnNotification: boolean;
  /**
   * Seconds that routes of a peer that asks for it are kept after its restart time, and ours by it (RFC 9494); absent:
   * not at all, while what others keep is understood.
   */
  readonly longLivedTimeS?: number;
  /** Tell what was kept so long to internal peers that know nothing of it, as their last choice (RFC 9494 §4.6). */
  readonly longLivedPartial: boolean;
  /** IPv4 routes may have IPv6 next hops both ways, where the peer agrees (RFC 8950). */
  readonly extendedNextHop?: boolean;
  /** Messages of up to 65,535 bytes, where the peer can do with them too (RFC 8654). */
  readonly extendedMessages: boolean;
  /** The answer to a route refresh has a beginning and an end, where the peer can do with them too (RFC 7313). */
  readonly enhancedRefresh: boolean;
  /** What we are to this external peer (RFC 9234), which decides where routes from it, and to it, may go; absent: anywhere. */
  readonly role?: Role;
  /** No session with a peer that does not say its role. */
  readonly strictRole: boolean;
  /** Routes with a set in their path are not used (RFC 6472). */
  readonly refuseAsSets?: boolean;
  /** "default": external peers get our address, internal ones what we got. */
  readonly nextHop: "default" | "self" | "keep";
  /** RFC 4456: what other internal peers say is told to this one, and the reverse. */
  readonly reflectorClient: boolean;
  /** Absent: the router identifier. */
  readonly clusterId?: Ipv4;
  /** How often our AS may stand in a path from this peer. */
  readonly allowLocalAs: number;
  /**
   * How our AS behind `localAsn` shows: "replace-as" not at all, "no-prepend" in what the peer is told, "prepend" also in
   * what it says, where `localAsn` goes in front. Absent: "replace-as".
   */
  readonly localAsnMode?: "replace-as" | "no-prepend" | "prepend";
  /** Private AS numbers are kept from an external peer. */
  readonly removePrivateAs?: PrivateAsRemoval;
  /** RFC 8326: the session is about to go, so its routes become the last choice at both ends. */
  readonly gracefulShutdown?: boolean;
  /** RFC 7999: traffic for routes that this peer marks so is discarded. */
  readonly blackhole?: boolean;
  /** RFC 8212: without a policy nothing comes from, or goes to, an external peer. */
  readonly requirePolicy?: boolean;
  /** Absent: as many as it likes. */
  readonly maxPrefixes?: MaxPrefixes;
  readonly importPolicy: string;
  readonly exportPolicy: string;
}

/** What a peer is by itself, and what Calico's defaults make of the rest. */
export type PeerInput = Partial<PeerConfig> & Pick<PeerConfig, "name" | "address" | "asn">;

/** Fills in Calico's defaults: both families' timers, add-path and graceful restart on, no policy. */
export function peerConfig(input: PeerInput): PeerConfig {
  return {
    port: 179,
    passive: false,
    timers: defaultTimers,
    families: [typeof input.address === "number" ? 4 : 6],
    addPathReceive: true,
    addPathSend: true,
    restartTimeS: 120,
    restartOnNotification: true,
    longLivedPartial: false,
    extendedMessages: true,
    enhancedRefresh: true,
    strictRole: false,
    nextHop: "default",
    reflectorClient: false,
    allowLocalAs: 0,
    importPolicy: "",
    exportPolicy: "",
    ...input,
  };
}

/** What a change of a peer's configuration costs. */
export type PeerChange = "none" | "soft" | "reset";

/** Only what stands in OPEN, or decides who talks to whom, costs the session. */
export function comparePeers(before: PeerConfig, after: PeerConfig): PeerChange {
  const hard = (peer: PeerConfig): string =>
    JSON.stringify([
      String(peer.address),
      peer.port,
      peer.asn,
      peer.localAsn,
      String(peer.sourceAddress),
      peer.families,
      peer.addPathReceive,
      peer.addPathSend,
      peer.restartTimeS,
      peer.restartOnNotification,
      peer.longLivedTimeS,
      peer.extendedMessages,
      peer.extendedNextHop === true,
      peer.enhancedRefresh,
      peer.role,
      peer.strictRole,
      peer.timers.holdTimeMs,
      peer.timers.keepaliveMs,
      // Seen in the kernel, where nothing else tells that a route means something else now.
      peer.blackhole === true,
    ]);
  if (hard(before) !== hard(after)) return "reset";
  return fingerprint(before) === fingerprint(after) ? "none" : "soft";
}

/** Whether another answer may come of what the peer has said. */
export function importsDiffer(before: PeerConfig, after: PeerConfig): boolean {
  const inputs = (peer: PeerConfig): string =>
    JSON.stringify([
      peer.importPolicy,
      peer.clusterId,
      peer.allowLocalAs,
      peer.localAsnMode,
      peer.gracefulShutdown === true,
      peer.requirePolicy === true,
      peer.refuseAsSets === true,
    ]);
  return inputs(before) !== inputs(after);
}

function fingerprint(peer: PeerConfig): string {
  const entries = Object.entries(peer).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(entries, (_key, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}
