import { type PolicyRoute } from "../export/policy.ts";
import { AsPath } from "../wire/as-path.ts";
import { AsPathPattern, maxPatternLength } from "./as-path-pattern.ts";
import { beginsWith, contains, isExactly, placesOf } from "./as-path-places.ts";
import { type Condition } from "./condition.ts";
import { type FilterReader } from "./filter-reader.ts";
import { type AsPathMatch } from "./filter.ts";
import { rangeCondition } from "./range-condition.ts";
import { remembered } from "./remembered.ts";

/** What a match asks of AS paths, the cheap things first. */
export function asPathConditions(match: AsPathMatch, reader: FilterReader): readonly Condition[] {
  const { length, origins, beginsWith: first, contains: inside, exactly, pattern } = match;
  const conditions: Condition[] = [];
  if (length !== undefined) {
    const condition = rangeCondition("length", length, ({ asPath }) => AsPath.length(asPath), reader);
    conditions.push({ ...condition, field: "asPath.length" });
  }
  if (origins !== undefined) {
    reader.some("origins", origins);
    reader.asns("origins", origins);
    const wanted = new Set(origins);
    conditions.push(
      pathCondition("origins", origins.join(", "), (path) => {
        const origin = AsPath.origin(path);
        return origin !== undefined && wanted.has(origin);
      }),
    );
  }
  if (first !== undefined) {
    conditions.push(placesCondition("beginsWith", first, beginsWith, reader));
    reader.some("beginsWith", first);
  }
  if (inside !== undefined) {
    conditions.push(placesCondition("contains", inside, contains, reader));
    reader.some("contains", inside);
  }
  if (exactly !== undefined) conditions.push(placesCondition("exactly", exactly, isExactly, reader));
  if (pattern !== undefined) conditions.push(...patternConditions(pattern, reader));
  return conditions;
}

function placesCondition(
  field: string,
  asns: readonly number[],
  compare: (places: ReturnType<typeof placesOf>, asns: readonly number[]) => boolean,
  reader: FilterReader,
): Condition {
  reader.asns(field, asns);
  return pathCondition(
    field,
    asns.join(" "),
    remembered((path: AsPath) => compare(placesOf(path), asns)),
  );
}

function patternConditions(text: string, reader: FilterReader): readonly Condition[] {
  const pattern = AsPathPattern.parse(text);
  if (pattern === undefined) {
    const expected = `a regular expression of at most ${maxPatternLength} characters over AS numbers, such as _65001_ or ^65001 .*`;
    reader.refuse("pattern", JSON.stringify(text), expected);
    return [];
  }
  const test = remembered((path: AsPath) => pattern.test(path));
  return [pathCondition("pattern", text, test)];
}

function pathCondition(field: string, wanted: string, holds: (path: AsPath) => boolean): Condition {
  return {
    field: `asPath.${field}`,
    wanted,
    holds: ({ attributes }: PolicyRoute) => holds(attributes.asPath),
    found: ({ attributes: { asPath } }) => (asPath.length === 0 ? "an empty path" : AsPath.format(asPath)),
  };
}
