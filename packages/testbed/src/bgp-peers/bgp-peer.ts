import type { Namespace } from "../namespace.ts";
import type { Program } from "../program.ts";
import type { Testbed } from "../testbed.ts";

/** A route that a router is the source of, with all that it says about it. */
export interface BgpSample {
  readonly prefix: string;
  readonly origin?: "IGP" | "EGP" | "incomplete";
  /** What stands in the path behind the router's own AS. */
  readonly asPath?: readonly number[];
  readonly localPref?: number;
  readonly med?: number;
  /** `65001:1`. */
  readonly communities?: readonly string[];
  /** `rt:65001:1`. */
  readonly extendedCommunities?: readonly string[];
  /** `65001:1:2`. */
  readonly largeCommunities?: readonly string[];
}

/** What a router believes about one path to a prefix. Absent is not there; lists are sorted where order means nothing. */
export interface BgpBelief {
  readonly prefix: string;
  /** The neighbour's name. */
  readonly from: string;
  readonly best: boolean;
  readonly nextHop: string;
  readonly origin: "IGP" | "EGP" | "incomplete";
  /** `65001 65002 {1 2}`. */
  readonly asPath: string;
  readonly localPref?: number;
  readonly med?: number;
  readonly communities?: readonly string[];
  readonly extendedCommunities?: readonly string[];
  readonly largeCommunities?: readonly string[];
  readonly originatorId?: string;
  readonly clusterList?: readonly string[];
  readonly aggregator?: string;
  /** Attributes that the router does not know: code and bytes in hexadecimal, such as `213:c0ffee`. */
  readonly unknown?: readonly string[];
}

/** One session, in words that all routers have. */
export interface BgpNeighborSettings {
  readonly name: string;
  readonly address: string;
  readonly asn: number;
  /** Our end. */
  readonly local: string;
  /** The family of the address, unless told. */
  readonly families: readonly (4 | 6)[];
  /** Our end in the family that the session does not run over. */
  readonly otherFamilyLocal: string;
  readonly isPassive?: boolean;
  readonly password?: string;
  /** RFC 5082: how many hops away the neighbour may be. */
  readonly ttlSecurityHops?: number;
  readonly holdTimeS?: number;
  readonly reflectorClient?: boolean;
  readonly addPaths?: "send" | "receive" | "both";
  readonly gracefulRestart?: boolean;
  /** Does without RFC 6793. */
  readonly twoOctetAs?: boolean;
  readonly nextHopSelf?: boolean;
  /** IPv4 routes have IPv6 next hops (RFC 8950). */
  readonly extendedNextHop?: boolean;
}

/** A router, in words that all have. */
export interface BgpRouterSettings {
  readonly routerId: string;
  readonly asn: number;
  readonly neighbors: readonly BgpNeighborSettings[];
  readonly routes: readonly BgpSample[];
  /** Routes are put into the kernel's main table too, where the router can do that. */
  readonly programsKernel?: boolean;
}

/** Prefixes that a router is to refuse, or not to tell. */
export interface BgpRefusals {
  readonly import: readonly string[];
  readonly export: readonly string[];
}

/** A running router. */
export interface BgpPeer {
  /** Of now: a restart makes a new one. */
  readonly program: Program;
  /** What it learned from neighbours, by its own show command. */
  readonly beliefs: () => Promise<readonly BgpBelief[]>;
  /** Whether its session with the neighbour of this name is Established, in its own words. */
  readonly isUp: (neighbor: string) => Promise<boolean>;
  /** Changes what it refuses from and does not tell to all neighbours, without a session reset. */
  readonly refuse: (refusals: BgpRefusals) => Promise<void>;
  /** Kills it without warning. */
  readonly kill: () => Promise<void>;
  /** Starts it again after `kill`, recovering. */
  readonly revive: () => Promise<void>;
}

/** What not every router can do. */
export type BgpAbility =
  | "both families on one session"
  | "own next hop of the other family"
  | "extended next hop"
  | "kernel routes"
  | "own routes at once after a restart"
  | "long attributes in full"
  | "two-octet AS"
  | "AS4_PATH merge"
  | "reflection to non-clients"
  | "withdrawal by filter"
  | "calls from both ends"
  | "unknown attributes";

/** A program that speaks BGP, and how a test talks with it. */
export interface BgpPeerKind {
  readonly name: string;
  /** Why it cannot be had here. */
  readonly skip: string | false;
  /** What it cannot do, with why. */
  readonly lacks: Partial<Record<BgpAbility, string>>;
  readonly start: (bed: Testbed, namespace: Namespace, settings: BgpRouterSettings) => Promise<BgpPeer>;
}

/** The family of an address or prefix as text. */
export function familyOf(text: string): 4 | 6 {
  return text.includes(":") ? 6 : 4;
}
