import type { FilterIntent, FilterRuleIntent, PeerFilter } from "@caracal/intent";
import type { IpFamily } from "@caracal/net";
import { birdFunction, quoted } from "./bird-text.ts";

type Direction = "import" | "export";

/** BIRD refuses longer names. */
const longestSymbol = 64;

/** The functions of the filters that peers of a family name: what a function decides ends the filter that calls it. */
export function filterFunctions(filters: readonly PeerFilter[], family: IpFamily): readonly string[] {
  return filters.flatMap((filter) =>
    (["import", "export"] as const).flatMap((direction) => {
      const { rules } = filter[direction][family];
      if (rules.length === 0) return [];
      const name = functionName(filter.name, direction, family);
      return [...birdFunction(`${name}(bool internal_peer)`, rules.map(ruleText)), ""];
    }),
  );
}

/** The calls that a peer's filter begins with; a filter without rules of the family has no function. */
export function filterCalls(
  names: readonly string[],
  filters: readonly PeerFilter[],
  { direction, family, isInternal }: { direction: Direction; family: IpFamily; isInternal: boolean },
): readonly string[] {
  return names.flatMap((name) => {
    const found: FilterIntent | undefined = filters.find((one) => one.name === name)?.[direction][family];
    if (found === undefined || found.rules.length === 0) return [];
    return [`${functionName(name, direction, family)}(${String(isInternal)});`];
  });
}

/** `'bgp_<name>_importFilterV4'`, cut and marked with a hash of the whole name where that is too long. */
function functionName(filter: string, direction: Direction, family: IpFamily): string {
  const [start, end] = ["bgp_", `_${direction}FilterV${family}`];
  const room = longestSymbol - start.length - end.length;
  const hash = `_${fnv1a(filter).toString(16).padStart(8, "0")}`;
  const name = filter.length <= room ? filter : `${filter.slice(0, room - hash.length)}${hash}`;
  return `'${start}${name}${end}'`;
}

/** The 32-bit hash of Fowler, Noll and Vo (FNV-1a) over UTF-16 code units: names are ASCII. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash;
}

function ruleText({ match, set, action }: FilterRuleIntent): string {
  const conditions = conditionsOf(match);
  const body = [...changesOf(set), `${action};`].join(" ");
  return conditions.length === 0 ? body : `if (${conditions.join("&&")}) then { ${body} }`;
}

function conditionsOf(match: FilterRuleIntent["match"]): readonly string[] {
  const { prefixes, notPrefixes, source, interfaces, peerType, communities, asPath, localPref } = match;
  return [
    ...(prefixes ?? []).map((pattern) => `(${prefixTest(pattern, "=", "~")})`),
    ...(notPrefixes ?? []).map((pattern) => `(${prefixTest(pattern, "!=", "!~")})`),
    ...(source === undefined
      ? []
      : [`((defined(source))&&(source ${source === "peers" ? "~" : "!~"} [ RTS_BGP ]))`]),
    ...(interfaces ?? []).map((name) => `((defined(ifname))&&(ifname ~ ${quoted(name)}))`),
    ...(peerType === undefined ? [] : [peerType === "iBGP" ? "(internal_peer)" : "(!internal_peer)"]),
    ...(communities === undefined ? [] : [`(${communities.any.map(communityTest).join("||")})`]),
    ...(asPath === undefined ? [] : [`(bgp_path ~ [= ${asPath.beginsWith.join(" ")} * =])`]),
    ...(localPref === undefined ? [] : [`((defined(bgp_local_pref))&&(bgp_local_pref = ${localPref.min}))`]),
  ];
}

/** `10.0.0.0/8` is that network; `10.0.0.0/8 ge 16 le 24` is what is inside, by length. */
function prefixTest(pattern: string, exact: string, inside: string): string {
  const ranged = /^(\S+) ge ([0-9]+) le ([0-9]+)$/.exec(pattern);
  if (ranged === null) return `net ${exact} ${pattern}`;
  const [, prefix, min, max] = ranged;
  return `net ${inside} [ ${prefix}{${min},${max}} ]`;
}

function communityTest(community: string): string {
  return `(${pair(community)} ~ ${listOf(community)})`;
}

function changesOf(set: FilterRuleIntent["set"]): readonly string[] {
  const { communities, prependAsPath = [], localPref } = set ?? {};
  return [
    ...(communities?.add ?? []).map((one) => addCommunity(one)),
    // Each goes before what is there, so that the last shall come first.
    ...prependAsPath.toReversed().map((asn) => `bgp_path.prepend(${asn});`),
    ...(localPref === undefined ? [] : [`bgp_local_pref = ${localPref};`]),
  ];
}

/** `bgp_community.add((65001, 100));` or the same for a large community. */
export function addCommunity(community: string): string {
  return `${listOf(community)}.add(${pair(community)});`;
}

function pair(community: string): string {
  return `(${community.split(":").join(", ")})`;
}

function listOf(community: string): string {
  return community.split(":").length === 2 ? "bgp_community" : "bgp_large_community";
}
