import { type PathAttributes } from "../wire/path-attributes.ts";
import { type Condition } from "./condition.ts";
import { type FilterReader } from "./filter-reader.ts";
import { type NumberRange } from "./filter.ts";

/** A number of the attributes inside bounds. */
export function rangeCondition(
  field: string,
  range: NumberRange,
  value: (attributes: PathAttributes) => number,
  reader: FilterReader,
): Condition {
  reader.range(field, range);
  const { min = 0, max = 0xffffffff } = range;
  return {
    field,
    wanted: min === max ? String(min) : `${min} to ${max}`,
    holds: ({ attributes }) => {
      const found = value(attributes);
      return found >= min && found <= max;
    },
    found: ({ attributes }) => String(value(attributes)),
  };
}
