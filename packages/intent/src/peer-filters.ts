import { type IpFamily, Prefix } from "@caracal/net";
import type { BgpFilter, BgpFilterRule } from "@caracal/resources";
import { canonical } from "./communities.ts";

/** One rule in the speaker's terms: all of `match` holds, `set` is done, `action` ends it. */
export interface FilterRuleIntent {
  readonly match: {
    readonly prefixes?: readonly string[];
    readonly notPrefixes?: readonly string[];
    readonly source?: "local" | "peers";
    readonly interfaces?: readonly string[];
    readonly peerType?: "iBGP" | "eBGP";
    readonly communities?: { readonly any: readonly string[] };
    readonly asPath?: { readonly beginsWith: readonly number[] };
    readonly localPref?: { readonly min: number; readonly max: number };
  };
  readonly set?: {
    readonly communities?: { readonly add: readonly string[] };
    readonly prependAsPath?: readonly number[];
    readonly localPref?: number;
  };
  readonly action: "accept" | "reject";
}

/** A BGPFilter's rules of one family and direction. What no rule decides is left to what comes after. */
export interface FilterIntent {
  readonly rules: readonly FilterRuleIntent[];
  readonly otherwise: "continue";
}

/** A BGPFilter in the speaker's terms: plain data that compares as JSON. */
export interface PeerFilter {
  readonly name: string;
  readonly import: Readonly<Record<IpFamily, FilterIntent>>;
  readonly export: Readonly<Record<IpFamily, FilterIntent>>;
  /** What in it will not do what it seems to ask for. */
  readonly warnings: readonly string[];
}

/** LOCAL_PREF carries a route's kernel priority upside down, so that a better priority is preferred. */
const highestPriority = 0x7fffffff;
/** Priority of routes that nothing gives another: Calico's own routes. */
const normalPriority = 1024;

const known = new WeakMap<BgpFilter, PeerFilter>();

/** The filter of a resource, worked out once for each object. */
export function peerFilterOf(resource: BgpFilter): PeerFilter {
  const found = known.get(resource);
  if (found !== undefined) return found;
  const filter = derive(resource);
  known.set(resource, filter);
  return filter;
}

/** Whether a filter may let out what the node's own export rules would hold back. */
export function opensExport({ export: rules }: PeerFilter): boolean {
  return [rules[4], rules[6]].some((one) => one.rules.some(({ action }) => action === "accept"));
}

function derive({ metadata, spec }: BgpFilter): PeerFilter {
  const warnings: string[] = [];
  const convert = (field: keyof typeof spec): FilterIntent => ({
    rules: (spec[field] ?? []).flatMap((rule, index) => {
      const { conditions, warning } = prefixConditions(rule);
      if (warning !== undefined) warnings.push(`${field}[${index}] ${warning}`);
      return conditions === undefined ? [] : convertRule(rule, conditions, field.startsWith("export"));
    }),
    otherwise: "continue",
  });
  return {
    name: metadata.name,
    import: { 4: convert("importV4"), 6: convert("importV6") },
    export: { 4: convert("exportV4"), 6: convert("exportV6") },
    warnings,
  };
}

type Match = FilterRuleIntent["match"];

function convertRule(rule: BgpFilterRule, prefixes: Match, isExport: boolean): readonly FilterRuleIntent[] {
  const { asPathPrefix = [], communities, interface: link, peerType, priority, source } = rule;
  // RFC 7607 §2: AS 0 stands in no path, so nothing begins with it.
  if (asPathPrefix.includes(0)) return [];
  const set = changes(rule);
  const match: Match = {
    ...prefixes,
    ...(source === undefined ? {} : { source: "peers" }),
    ...(link === undefined ? {} : { interfaces: [link] }),
    ...(peerType === undefined ? {} : { peerType }),
    ...(communities === undefined ? {} : { communities: { any: communities.values.map(canonical) } }),
    ...(asPathPrefix.length === 0 ? {} : { asPath: { beginsWith: asPathPrefix } }),
  };
  const end = { ...(set === undefined ? {} : { set }), action: actions[rule.action] };
  if (priority === undefined) return [{ match, ...end }];
  const localPref = highestPriority - priority;
  const wanted = { match: { ...match, localPref: { min: localPref, max: localPref } }, ...end };
  // The node's own routes have no LOCAL_PREF before they are told, and the normal priority.
  const isOwn = isExport && priority === normalPriority && source === undefined;
  return isOwn ? [wanted, { match: { ...match, source: "local" }, ...end }] : [wanted];
}

const actions = { Accept: "accept", Reject: "reject" } as const;

/**
 * What `cidr`, `matchOperator` and `prefixLength` ask of the prefix; no conditions for a rule that no route can match. As in
 * BIRD, In is the CIDR and all inside it, a length makes it a range, and a single network never equals such a range.
 */
function prefixConditions({ cidr, matchOperator, prefixLength }: BgpFilterRule): {
  readonly conditions: Match | undefined;
  readonly warning?: string;
} {
  if (cidr === undefined || matchOperator === undefined) return { conditions: {} };
  const isNegated = matchOperator === "NotEqual" || matchOperator === "NotIn";
  const nothing = isNegated ? {} : undefined;
  const prefix = Prefix.parse(cidr);
  if (prefix === undefined) return { conditions: undefined, warning: `has a malformed cidr: ${cidr}` };
  const text = Prefix.format(prefix);
  const isExact = matchOperator === "Equal" || matchOperator === "NotEqual";
  if (isExact && prefixLength !== undefined) {
    const result = isNegated ? "every" : "no";
    const warning = `has prefixLength with ${matchOperator}, which matches ${result} route: use In or NotIn`;
    return { conditions: nothing, warning };
  }
  const longest = prefix.family === 4 ? 32 : 128;
  const min = Math.max(prefix.length, prefixLength?.min ?? prefix.length);
  const max = Math.min(longest, prefixLength?.max ?? longest);
  if (min > max) {
    return { conditions: nothing, warning: `has no prefix of ${text} with a length up to ${max}` };
  }
  const pattern = isExact ? text : `${text} ge ${min} le ${max}`;
  return { conditions: isNegated ? { notPrefixes: [pattern] } : { prefixes: [pattern] } };
}

/** All operations as one change: each ASN list goes before what earlier ones put there; the last priority counts. */
function changes({ operations = [] }: BgpFilterRule): FilterRuleIntent["set"] {
  const add = operations.flatMap(({ addCommunity }) =>
    addCommunity === undefined ? [] : [canonical(addCommunity.value)],
  );
  const prepend = operations
    .toReversed()
    .flatMap(({ prependASPath }) => prependASPath?.prefix ?? [])
    .filter((asn) => asn !== 0);
  const priority = operations.findLast(({ setPriority }) => setPriority !== undefined)?.setPriority?.value;
  const set = {
    ...(add.length === 0 ? {} : { communities: { add } }),
    ...(prepend.length === 0 ? {} : { prependAsPath: prepend }),
    ...(priority === undefined ? {} : { localPref: highestPriority - priority }),
  };
  return Object.keys(set).length === 0 ? undefined : set;
}
