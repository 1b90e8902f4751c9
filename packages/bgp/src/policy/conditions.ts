import { IpAddress, Prefix } from "@caracal/net";
import { type PolicyRoute, type RouteSource } from "../export/policy.ts";
import { defaultLocalPref } from "../rib/decision.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { asPathConditions } from "./as-path-conditions.ts";
import { communityConditions } from "./community-conditions.ts";
import { type Condition } from "./condition.ts";
import { type FilterReader } from "./filter-reader.ts";
import { type FilterSession } from "./filter-session.ts";
import { type PeerType, type RouteMatch } from "./filter.ts";
import { type PrefixPattern, PrefixSet, parsePrefixPattern } from "./prefix-set.ts";
import { rangeCondition } from "./range-condition.ts";

/** The conditions of a match, the cheap ones first; what is wrong in it is told to `reader`. */
export function conditionsOf(
  match: RouteMatch,
  session: FilterSession,
  reader: FilterReader,
): readonly Condition[] {
  return [
    ...familyConditions(match),
    ...peerTypeConditions(match, session),
    ...sourceConditions(match, reader),
    ...prefixConditions(match, reader),
    ...rangeConditions(match, reader),
    ...(match.communities === undefined
      ? []
      : communityConditions(match.communities, reader.at("communities"))),
    ...(match.asPath === undefined ? [] : asPathConditions(match.asPath, reader.at("asPath"))),
    ...nextHopConditions(match, session, reader),
  ];
}

function familyConditions({ family }: RouteMatch): readonly Condition[] {
  if (family === undefined) return [];
  return [
    {
      field: "family",
      wanted: String(family),
      holds: ({ prefix }) => prefix.family === family,
      found: ({ prefix }) => String(prefix.family),
    },
  ];
}

/** The peer of a session stays the same, so the answer is known when the filter is compiled. */
function peerTypeConditions({ peerType }: RouteMatch, session: FilterSession): readonly Condition[] {
  if (peerType === undefined) return [];
  const isSame = peerType === session.peerType;
  return [{ field: "peerType", wanted: peerType, holds: () => isSame, found: () => session.peerType }];
}

function sourceConditions(match: RouteMatch, reader: FilterReader): readonly Condition[] {
  const { source, sourcePeers, sourceType } = match;
  const conditions: Condition[] = [];
  if (source !== undefined) {
    const kind = source === "local" ? "local" : "peer";
    conditions.push({
      field: "source",
      wanted: source,
      holds: (route) => route.source.kind === kind,
      found: ({ source: found }) => describeSource(found),
    });
  }
  if (sourceType !== undefined) {
    conditions.push({
      field: "sourceType",
      wanted: sourceType,
      holds: (route) => typeOf(route.source) === sourceType,
      found: ({ source: found }) => typeOf(found) ?? "local",
    });
  }
  if (sourcePeers !== undefined) {
    reader.some("sourcePeers", sourcePeers);
    const names = new Set(sourcePeers);
    conditions.push({
      field: "sourcePeers",
      wanted: sourcePeers.join(", "),
      holds: (route) => route.source.kind === "peer" && names.has(route.source.name),
      found: ({ source: found }) => describeSource(found),
    });
  }
  return conditions;
}

function describeSource(source: RouteSource): string {
  return source.kind === "peer" ? source.name : "local";
}

function typeOf(source: RouteSource): PeerType | undefined {
  if (source.kind === "local") return undefined;
  return source.external ? "eBGP" : "iBGP";
}

function prefixConditions(match: RouteMatch, reader: FilterReader): readonly Condition[] {
  const found = ({ prefix }: PolicyRoute): string => Prefix.format(prefix);
  return (["prefixes", "notPrefixes"] as const).flatMap((field) => {
    const texts = match[field];
    if (texts === undefined) return [];
    const set = new PrefixSet(readPrefixes(field, texts, reader));
    const isWanted = field === "prefixes";
    return [
      {
        field,
        wanted: summary(texts),
        holds: ({ prefix }: PolicyRoute) => set.has(prefix) === isWanted,
        found,
      },
    ];
  });
}

function readPrefixes(field: string, texts: readonly string[], reader: FilterReader): PrefixPattern[] {
  const form = "a prefix, with `ge` and `le` lengths inside it or a `+` if wanted";
  return reader.parseAll(field, texts, parsePrefixPattern, form);
}

function rangeConditions(match: RouteMatch, reader: FilterReader): readonly Condition[] {
  const fields = {
    localPref: ({ localPref }: PathAttributes) => localPref ?? defaultLocalPref,
    med: ({ med }: PathAttributes) => med ?? 0,
  } as const;
  return (["localPref", "med"] as const).flatMap((field) => {
    const range = match[field];
    if (range === undefined) return [];
    return [rangeCondition(field, range, fields[field], reader)];
  });
}

function nextHopConditions(
  match: RouteMatch,
  session: FilterSession,
  reader: FilterReader,
): readonly Condition[] {
  const { nextHops, interfaces } = match;
  const conditions: Condition[] = [];
  if (nextHops !== undefined) {
    const parsed = reader.parseAll("nextHops", nextHops, Prefix.parse, "an address or a prefix");
    const set = new PrefixSet(
      parsed.map((prefix) => ({ prefix, min: prefix.length, max: prefix.family === 4 ? 32 : 128 })),
    );
    conditions.push({
      field: "nextHops",
      wanted: summary(nextHops),
      holds: ({ attributes: { nextHop } }) => nextHop !== undefined && set.hasAddress(nextHop),
      found: ({ attributes: { nextHop } }) => (nextHop === undefined ? "none" : IpAddress.format(nextHop)),
    });
  }
  if (interfaces !== undefined) {
    const globs = reader.parseAll("interfaces", interfaces, globOf, "an interface name, `*` and `?` allowed");
    const linkOf = (route: PolicyRoute): string | undefined => session.linkOf?.(route);
    conditions.push({
      field: "interfaces",
      wanted: interfaces.join(", "),
      holds: (route) => {
        const link = linkOf(route);
        return link !== undefined && globs.some((glob) => glob.test(link));
      },
      found: (route) => linkOf(route) ?? "none",
    });
  }
  return conditions;
}

function globOf(text: string): RegExp | undefined {
  // The kernel's names have at most 15 characters, so backtracking is bounded.
  if (!/^[A-Za-z0-9_.@*?-]{1,15}$/.test(text)) return undefined;
  const source = text.replaceAll(".", "\\.").replaceAll(/\*+/g, ".*").replaceAll("?", ".");
  return new RegExp(`^${source}$`);
}

/** A large set is named by its beginning. */
function summary(texts: readonly string[]): string {
  const shown = 3;
  const rest = texts.length - shown;
  return rest > 0 ? `${texts.slice(0, shown).join(", ")} and ${rest} more` : texts.join(", ");
}
