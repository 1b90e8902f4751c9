import { type Policy, type PolicyRoute } from "../export/policy.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { type CompiledRule, compileRules } from "./filter-rules.ts";
import { type FilterSession } from "./filter-session.ts";
import { type Filter } from "./filter.ts";

/**
 * Filters, one after the other, as the speaker's policy. A route that none decides about goes to `last`, or is accepted.
 * Throws `FilterError` for a filter with problems.
 *
 * Attributes that nothing changes are passed on as the same object and cost no allocation; equal inputs of a rule give one
 * shared output.
 */
export function compileFilters(filters: readonly Filter[], session: FilterSession, last?: Policy): Policy {
  const rules = filters.flatMap((filter): readonly CompiledRule[] => [
    ...compileRules(filter, session),
    ...(filter.otherwise === "continue" ? [] : [{ ...everyRoute, action: filter.otherwise }]),
  ]);
  if (rules.length === 0 && last !== undefined) return last;
  return (route) => decide(rules, route, last);
}

const everyRoute = { conditions: [], change: undefined } as const;

function decide(
  rules: readonly CompiledRule[],
  route: PolicyRoute,
  last: Policy | undefined,
): PathAttributes | undefined {
  let now = route;
  for (const { conditions, change, action } of rules) {
    if (!holdAll(conditions, now)) continue;
    if (action === "reject") return undefined;
    const attributes = change === undefined ? now.attributes : change(now.attributes);
    if (action === "accept") return attributes;
    if (attributes !== now.attributes) now = { ...now, attributes };
  }
  return last === undefined ? now.attributes : last(now);
}

function holdAll(rule: CompiledRule["conditions"], route: PolicyRoute): boolean {
  for (const condition of rule) if (!condition.holds(route)) return false;
  return true;
}
