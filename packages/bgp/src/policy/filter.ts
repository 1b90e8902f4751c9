/** Internal or external, as seen from the session that a filter stands on. */
export type PeerType = "iBGP" | "eBGP";

/** What becomes of a route. "continue" leaves it to the next rule, or after the last to the next filter. */
export type FilterAction = "accept" | "reject" | "continue";

/** Bounds that both hold; absent is open. */
export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
}

/** Which AS paths; all that is given holds. An AS set is one place, filled by any of its members. */
export interface AsPathMatch {
  /** The nearest AS numbers, nearest first. */
  readonly beginsWith?: readonly number[];
  /** These, one after the other, anywhere. */
  readonly contains?: readonly number[];
  /** These and no others; empty for a route of our own AS. */
  readonly exactly?: readonly number[];
  /** The route started in one of these. */
  readonly origins?: readonly number[];
  /** As the decision counts it: a set is one (RFC 4271 §9.1.2.2 a). */
  readonly length?: NumberRange;
  /**
   * A regular expression over the path's text, as routers have it: `_65001_`, `^65001 .*`, `^$`. `_` is an end or a
   * space or brace; an AS set reads `{1 2}`. Found anywhere unless anchored. Time is linear in the path's length.
   */
  readonly pattern?: string;
}

/**
 * Which communities, of all three kinds by their form: `65001:100` or a well-known name (RFC 1997), `65001:1:2`
 * (RFC 8092), `rt:65001:100`, `soo:…` or `0x` with sixteen digits (RFC 4360). `*` stands for any last part.
 */
export interface CommunityMatch {
  readonly any?: readonly string[];
  readonly all?: readonly string[];
  readonly none?: readonly string[];
}

/** Which routes; all that is given holds, and nothing given is every route. */
export interface RouteMatch {
  readonly family?: 4 | 6;
  /** In one of these: `10.0.0.0/8` exactly, `10.0.0.0/8 ge 16 le 24` by length inside it, `10.0.0.0/8+` it and all inside. */
  readonly prefixes?: readonly string[];
  /** In none of these. */
  readonly notPrefixes?: readonly string[];
  readonly asPath?: AsPathMatch;
  readonly communities?: CommunityMatch;
  /** A route without one counts as 100. */
  readonly localPref?: NumberRange;
  /** A route without one counts as 0 (RFC 4271 §9.1.2.2 c). */
  readonly med?: NumberRange;
  /** The next hop is one of these or inside one; never a local route's without one. */
  readonly nextHops?: readonly string[];
  /** The peer that the filter stands before. */
  readonly peerType?: PeerType;
  /** Where the route came from; on import always a peer. */
  readonly source?: "local" | "peers";
  /** It came from one of these peers. */
  readonly sourcePeers?: readonly string[];
  /** It came from an internal or from an external peer. */
  readonly sourceType?: PeerType;
  /** The link that leads to the next hop; `*` and `?` stand for any text and any character. */
  readonly interfaces?: readonly string[];
}

/** How communities change: replaced, then taken away, then added. */
export interface CommunityChange {
  /** These and no others, of any kind. */
  readonly set?: readonly string[];
  /** `65001:*` takes away all of that AS. */
  readonly remove?: readonly string[];
  readonly add?: readonly string[];
}

/** What a rule changes on a route; in the order written here. */
export interface RouteChange {
  readonly localPref?: number;
  /** "none" takes it away. */
  readonly med?: number | "none";
  readonly communities?: CommunityChange;
  /** In the order in which they will stand in the path. */
  readonly prependAsPath?: readonly number[];
  /** An address; or, on export, "self" and "keep" whatever the peer's own setting is. */
  readonly nextHop?: string;
}

export interface FilterRule {
  /** For people. */
  readonly name?: string;
  readonly match?: RouteMatch;
  readonly set?: RouteChange;
  readonly action: FilterAction;
}

/** Route policy as plain data: JSON and YAML carry it unchanged. The first rule that accepts or rejects decides. */
export interface Filter {
  readonly rules: readonly FilterRule[];
  /** For routes that no rule decided about. */
  readonly otherwise: FilterAction;
}

/** One thing wrong with a filter. */
export interface FilterProblem {
  /** `rules[2].match.prefixes[0]`. */
  readonly path: string;
  readonly found: string;
  /** What would be accepted there. */
  readonly expected: string;
}

/** A filter that cannot be compiled; `checkFilter` tells the same beforehand. */
export class FilterError extends Error {
  readonly code = "invalid";
  readonly problems: readonly FilterProblem[];

  constructor(problems: readonly FilterProblem[]) {
    super(problems.map((one) => `${one.path}: ${one.found} is not ${one.expected}`).join("; "));
    this.name = "FilterError";
    this.problems = problems;
  }
}
