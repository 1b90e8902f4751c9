import { IpAddress, Prefix } from "@caracal/net";
import {
  AsPath,
  type AsPathMatch,
  type CommunityMatch,
  type Filter,
  type FilterRule,
  type FilterSession,
  type PathAttributes,
  type PolicyRoute,
  type RouteChange,
  type RouteMatch,
} from "../src/index.ts";

/** What a filter means, written down a second time as plainly as possible: no tables, no sharing, text throughout. */
export function interpret(
  filters: readonly Filter[],
  session: FilterSession,
  route: PolicyRoute,
): PathAttributes | undefined {
  let now = route;
  for (const filter of filters) {
    const rules: readonly FilterRule[] = [...filter.rules, { action: filter.otherwise }];
    for (const { match = {}, set = {}, action } of rules) {
      if (!matches(match, session, now)) continue;
      if (action === "reject") return undefined;
      now = { ...now, attributes: change(set, now.attributes) };
      if (action === "accept") return now.attributes;
    }
  }
  return now.attributes;
}

function matches(
  match: RouteMatch,
  session: FilterSession,
  { prefix, attributes, source }: PolicyRoute,
): boolean {
  const { localPref = 100, med = 0, nextHop } = attributes;
  const type = source.kind === "local" ? undefined : source.external ? "eBGP" : "iBGP";
  const answers = [
    match.family === undefined || match.family === prefix.family,
    match.peerType === undefined || match.peerType === session.peerType,
    match.source === undefined || (match.source === "local") === (source.kind === "local"),
    match.sourceType === undefined || match.sourceType === type,
    match.sourcePeers === undefined || (source.kind === "peer" && match.sourcePeers.includes(source.name)),
    match.prefixes === undefined || match.prefixes.some((text) => inPattern(text, prefix)),
    match.notPrefixes === undefined || !match.notPrefixes.some((text) => inPattern(text, prefix)),
    within(localPref, match.localPref),
    within(med, match.med),
    match.nextHops === undefined ||
      (nextHop !== undefined && match.nextHops.some((text) => inPattern(`${text}+`, hostOf(nextHop)))),
    pathMatches(match.asPath ?? {}, attributes.asPath),
    communitiesMatch(match.communities ?? {}, communityTexts(attributes)),
  ];
  return answers.every(Boolean);
}

function within(value: number, range: { readonly min?: number; readonly max?: number } | undefined): boolean {
  return value >= (range?.min ?? -Infinity) && value <= (range?.max ?? Infinity);
}

function hostOf(address: IpAddress): Prefix {
  return Prefix.of(address, IpAddress.family(address) === 4 ? 32 : 128);
}

function inPattern(text: string, prefix: Prefix): boolean {
  const outer = Prefix.parse(text.replace("+", "").split(" ")[0] ?? "");
  if (outer === undefined || !Prefix.covers(outer, prefix)) return false;
  const ge = / ge (\d+)/.exec(text)?.[1];
  const le = / le (\d+)/.exec(text)?.[1];
  if (ge === undefined && le === undefined) return text.endsWith("+") || prefix.length === outer.length;
  return prefix.length >= Number(ge ?? outer.length) && prefix.length <= Number(le ?? 128);
}

function pathMatches(match: AsPathMatch, path: AsPath): boolean {
  // Every way to pick one member of each set; a path of sequences has one.
  let ways: number[][] = [[]];
  for (const one of path) {
    const steps = one.kind === "set" ? one.asns.map((asn) => [asn]) : [[...one.asns]];
    ways = ways.flatMap((way) => steps.map((step) => [...way, ...step]));
  }
  const text = (asns: readonly number[]): string => asns.map((asn) => `,${asn},`).join("");
  const some = (test: (way: string) => boolean): boolean => ways.some((way) => test(text(way)));
  const last = path.at(-1);
  return (
    (match.beginsWith === undefined || some((way) => way.startsWith(text(match.beginsWith ?? [])))) &&
    (match.contains === undefined || some((way) => way.includes(text(match.contains ?? [])))) &&
    (match.exactly === undefined || some((way) => way === text(match.exactly ?? []))) &&
    (match.origins === undefined ||
      (last?.kind === "sequence" && match.origins.includes(last.asns.at(-1) ?? 0))) &&
    within(ways[0]?.length ?? 0, match.length) &&
    (match.pattern === undefined ||
      new RegExp(match.pattern.replaceAll("_", "(?:^|[ {}]|$)")).test(AsPath.format(path)))
  );
}

function communityTexts(value: PathAttributes): string[] {
  return [
    ...(value.communities ?? []).map((one) => `${Math.floor(one / 65536)}:${one % 65536}`),
    ...(value.extendedCommunities ?? []).map((one) => `rt:${(one >> 32n) & 0xffffn}:${one & 0xffffffffn}`),
    ...(value.largeCommunities ?? []).map((one) => one.join(":")),
  ];
}

function covers(pattern: string, text: string): boolean {
  const wanted = pattern.split(":");
  const found = text.split(":");
  return (
    wanted.length === found.length && wanted.every((part, index) => part === "*" || part === found[index])
  );
}

/** `rt:…` has as many parts as a large community, but begins with a word. */
function communitiesMatch(match: CommunityMatch, texts: readonly string[]): boolean {
  const has = (pattern: string): boolean => texts.some((text) => covers(pattern, text));
  return (
    (match.any === undefined || match.any.some(has)) &&
    (match.all === undefined || match.all.every(has)) &&
    (match.none === undefined || !match.none.some(has))
  );
}

function change(set: RouteChange, value: PathAttributes): PathAttributes {
  const { communities: _1, extendedCommunities: _2, largeCommunities: _3, med, ...rest } = value;
  const { set: replaced, remove = [], add = [] } = set.communities ?? {};
  const texts = (replaced === undefined ? communityTexts(value) : [...new Set(replaced)]).filter(
    (text) => !remove.some((pattern) => covers(pattern, text)),
  );
  for (const text of add) if (!texts.includes(text)) texts.push(text);
  const newMed = set.med === "none" ? undefined : (set.med ?? med);
  const nextHop = set.nextHop === undefined ? undefined : IpAddress.parse(set.nextHop);
  const prepended = [...(set.prependAsPath ?? [])].toReversed();
  return {
    ...rest,
    ...(set.localPref === undefined ? {} : { localPref: set.localPref }),
    ...(newMed === undefined ? {} : { med: newMed }),
    ...(nextHop === undefined ? {} : { nextHop }),
    ...communityAttributes(texts),
    asPath: prepended.reduce((path, asn) => AsPath.prepend(path, asn), value.asPath),
  };
}

/** Communities by their texts: `1:2`, `1:2:3`, `rt:1:2`. */
export function communityAttributes(texts: readonly string[]): Partial<PathAttributes> {
  const numbers = texts.map((text) => text.split(":").map(Number));
  const standard = numbers.filter((one) => one.length === 2).map(([a = 0, b = 0]) => a * 65536 + b);
  const large = numbers
    .filter((one) => one.length === 3 && !Number.isNaN(one[0]))
    .map(([a = 0, b = 0, c = 0]) => [a, b, c] as const);
  const extended = numbers
    .filter((one) => Number.isNaN(one[0]))
    .map(([, asn = 0, value = 0]) => (0x0002n << 48n) | (BigInt(asn) << 32n) | BigInt(value));
  return {
    ...(standard.length === 0 ? {} : { communities: standard }),
    ...(extended.length === 0 ? {} : { extendedCommunities: extended }),
    ...(large.length === 0 ? {} : { largeCommunities: large }),
  };
}
