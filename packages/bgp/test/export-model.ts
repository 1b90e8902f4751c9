import { IpAddress, type Ipv4 } from "@caracal/net";
import { type ExportSource, type GroupTraits } from "../src/export/export-rules.ts";
import { AsPath } from "../src/wire/as-path.ts";
import { type PathAttributes } from "../src/wire/path-attributes.ts";

/** What a group is told for a route, on values, as plainly as the RFCs say it: what the rewriter must equal. */
export function exportModel(
  value: PathAttributes,
  before: PathAttributes,
  source: ExportSource | undefined,
  traits: GroupTraits,
): PathAttributes | undefined {
  const keeps = traits.nextHop === "keep" || (traits.nextHop === "default" && !traits.external);
  const { nextHop, linkLocalNextHop, ...rest } = value;
  const isKept = keeps && nextHop !== undefined && IpAddress.family(nextHop) === traits.family;
  const hop = isKept ? { nextHop, linkLocalNextHop } : { nextHop: traits.selfNextHop };
  if (hop.nextHop === undefined) return undefined;
  const told = traits.external ? external(rest, before, source, traits) : internal(rest, source, traits);
  return defined({ ...told, ...hop });
}

type WithoutNextHop = Omit<PathAttributes, "nextHop" | "linkLocalNextHop">;

function external(
  { localPref: _1, originatorId: _2, clusterList: _3, med, extendedCommunities, ...rest }: WithoutNextHop,
  before: PathAttributes,
  source: ExportSource | undefined,
  traits: GroupTraits,
): WithoutNextHop {
  const crossing = extendedCommunities?.filter((one) => ((one >> 62n) & 1n) === 0n) ?? [];
  return {
    ...rest,
    asPath: AsPath.prepend(rest.asPath, traits.localAsn),
    ...(med !== undefined && (source === undefined || med !== before.med) ? { med } : {}),
    ...(crossing.length === 0 ? {} : { extendedCommunities: crossing }),
  };
}

function internal(
  value: WithoutNextHop,
  source: ExportSource | undefined,
  traits: GroupTraits,
): WithoutNextHop {
  const told = { ...value, localPref: value.localPref ?? 100 };
  if (source === undefined || source.external) return told;
  return {
    ...told,
    originatorId: value.originatorId ?? source.routerId,
    clusterList: [...new Set(clusters(source, traits)), ...(value.clusterList ?? [])],
  };
}

/** Of the ends that are clients; a route between two others is not reflected, and its list is of no interest. */
function clusters(source: ExportSource, traits: GroupTraits): readonly Ipv4[] {
  const both = [traits, source].filter(({ reflectorClient }) => reflectorClient);
  return (both.length === 0 ? [traits] : both).map(({ clusterId }) => clusterId);
}

/** Absent and undefined are the same to a comparison. */
function defined(
  value: {
    readonly [K in keyof PathAttributes]: PathAttributes[K] | undefined;
  } & Pick<PathAttributes, "origin" | "asPath">,
): PathAttributes {
  const { linkLocalNextHop, nextHop, ...rest } = value;
  const kept: Record<string, unknown> = { ...rest, nextHop, linkLocalNextHop };
  for (const key of Object.keys(kept)) if (kept[key] === undefined) delete kept[key];
  return { ...kept, origin: value.origin, asPath: value.asPath };
}
