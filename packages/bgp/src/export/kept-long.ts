import { WellKnownCommunity } from "../iana.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";

/**
 * RFC 9494 §4.6: an internal peer that does not know LLGR_STALE gets such a route with the lowest preference, and not for
 * other ASes.
 */
export function keptLongAsLastChoice(value: PathAttributes): PathAttributes {
  const { communities = [] } = value;
  if (!communities.includes(WellKnownCommunity.llgrStale)) return value;
  const others = communities.filter((one) => one !== WellKnownCommunity.noExport);
  return { ...value, localPref: 0, communities: [...others, WellKnownCommunity.noExport] };
}

/** RFC 9494 §4.3: whatever a policy does to communities, this one stays. */
export function withMarkOf(before: PathAttributes, after: PathAttributes): PathAttributes {
  if (after === before || before.communities?.includes(WellKnownCommunity.llgrStale) !== true) return after;
  const { communities = [] } = after;
  if (communities.includes(WellKnownCommunity.llgrStale)) return after;
  return { ...after, communities: [...communities, WellKnownCommunity.llgrStale] };
}
