import type { BgpBelief } from "./bgp-peer.ts";
import { protocolPrefix } from "./bird-config.ts";

/** `10.1.0.0/16   via 10.0.0.1 on eth0 [us 10:00:00.000] * (100) [AS65001i]`, or BIRD 2's `unicast [us …]`. */
const pathLine = /^(\S*)\s+(?:via|unicast|unreachable|blackhole|multipath)\b.*?\[(\w+) [^\]]*\]( \*)?/;
const attributeLine = /^\tBGP\.(\S+?)(?: \[[^\]]*\])?: ?(.*)$/;

interface Path {
  readonly prefix: string;
  readonly from: string;
  readonly best: boolean;
  readonly attributes: Map<string, string>;
}

/** Reads `show route all` of BIRD 1.6 or 2; only routes of BGP count. */
export function readBirdRoutes(text: string): readonly BgpBelief[] {
  const paths: Path[] = [];
  let prefix = "";
  for (const line of text.split("\n")) {
    const [, first = "", from = "", star] = pathLine.exec(line) ?? [];
    const [, name, value = ""] = attributeLine.exec(line) ?? [];
    if (from !== "") {
      // A prefix stands only before its first path.
      if (first !== "") prefix = first;
      paths.push({
        prefix,
        from: from.replace(protocolPrefix, ""),
        best: star !== undefined,
        attributes: new Map(),
      });
    } else if (name !== undefined) {
      paths.at(-1)?.attributes.set(name, value.trim());
    }
  }
  return paths.filter(({ attributes }) => attributes.has("next_hop")).map(belief);
}

function belief({ prefix, from, best, attributes }: Path): BgpBelief {
  const number = (name: string): number | undefined =>
    attributes.has(name) ? Number(attributes.get(name)) : undefined;
  const tuples = (name: string): readonly string[] | undefined =>
    attributes
      .get(name)
      ?.matchAll(/\(([^)]*)\)/g)
      .map(([, parts = ""]) => parts.replaceAll(/, ?/g, ":"))
      .toArray()
      .toSorted();
  const optional = {
    localPref: number("local_pref"),
    med: number("med"),
    communities: tuples("community"),
    extendedCommunities: tuples("ext_community"),
    largeCommunities: tuples("large_community"),
    originatorId: attributes.get("originator_id"),
    clusterList: attributes.get("cluster_list")?.split(" "),
    aggregator: attributes.get("aggregator"),
    unknown: unknownAttributes(attributes),
  };
  return {
    prefix,
    from,
    best,
    // IPv6 may have two: the second is link-local.
    nextHop: attributes.get("next_hop")?.split(" ")[0] ?? "",
    origin: origins[attributes.get("origin") ?? ""] ?? "incomplete",
    // BIRD 1.6 writes a set as `{ 1 2 }`.
    asPath: attributes.get("as_path")?.replaceAll(/(?<=\{) | (?=\})/g, "") ?? "",
    ...present(optional),
  };
}

const origins: Readonly<Record<string, BgpBelief["origin"]>> = {
  IGP: "IGP",
  EGP: "EGP",
  Incomplete: "incomplete",
};

/** BIRD names them by their code in hexadecimal. */
function unknownAttributes(attributes: ReadonlyMap<string, string>): readonly string[] | undefined {
  const unknown = [...attributes].flatMap(([name, value]) =>
    /^[0-9a-f]{2}$/.test(name) ? [`${Number.parseInt(name, 16)}:${value.replaceAll(" ", "")}`] : [],
  );
  return unknown.length === 0 ? undefined : unknown;
}

/** Only what is there: `undefined` and empty lists are not. */
export function present<T extends Readonly<Record<string, unknown>>>(values: T): Present<T> {
  const entries = Object.entries(values).filter(
    ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  const kept: object = Object.fromEntries(entries);
  return isPart(kept, values) ? kept : {};
}

type Present<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

function isPart<T extends object>(part: object, whole: T): part is Present<T> {
  return Object.keys(part).every((key) => key in whole);
}
