import { type PolicyRoute } from "../export/policy.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { carries, formatCommunities, parseCommunity } from "./community.ts";
import { type Condition } from "./condition.ts";
import { type FilterReader } from "./filter-reader.ts";
import { type CommunityMatch } from "./filter.ts";

/** How a problem names what a community may look like. */
export const communityForm =
  "a community: 65001:100, 65001:1:2, rt:65001:100, soo:65001:100, 0x and sixteen digits, or a well-known name";

/** What a match asks of a route's communities. */
export function communityConditions(match: CommunityMatch, reader: FilterReader): readonly Condition[] {
  return (["any", "all", "none"] as const).flatMap((field) => {
    const texts = match[field];
    if (texts === undefined) return [];
    const patterns = reader.parseAll(field, texts, parseCommunity, communityForm);
    const holds = {
      any: (value: PathAttributes) => patterns.some((one) => carries(value, one)),
      all: (value: PathAttributes) => patterns.every((one) => carries(value, one)),
      none: (value: PathAttributes) => !patterns.some((one) => carries(value, one)),
    }[field];
    return [
      {
        field: `communities.${field}`,
        wanted: texts.join(", "),
        holds: ({ attributes }: PolicyRoute) => holds(attributes),
        found: ({ attributes }: PolicyRoute) => formatCommunities(attributes) || "none",
      },
    ];
  });
}
