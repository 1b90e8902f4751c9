import { type PolicyRoute } from "../export/policy.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { compileRules } from "./filter-rules.ts";
import { type FilterSession } from "./filter-session.ts";
import { type Filter, type FilterAction } from "./filter.ts";

/** What one condition asked and what the route had. */
export interface ConditionTrace {
  /** `prefixes`, `asPath.pattern`. */
  readonly field: string;
  readonly wanted: string;
  readonly found: string;
  readonly holds: boolean;
}

/** What one rule made of the route. */
export interface RuleTrace {
  /** Index among the filter's rules. */
  readonly rule: number;
  readonly name?: string;
  /** Up to the first that does not hold. */
  readonly conditions: readonly ConditionTrace[];
  /** What the rule did; "pass" when a condition does not hold. */
  readonly outcome: FilterAction | "pass";
}

/** How a filter decided about a route. */
export interface FilterExplanation {
  /** "continue": the filter leaves it to what comes after. */
  readonly verdict: FilterAction;
  /** The rule that decided; absent when none did and `otherwise` holds. */
  readonly rule?: number;
  /** After the changes of all rules that applied. */
  readonly attributes: PathAttributes;
  /** The rules that were asked, in order. */
  readonly trace: readonly RuleTrace[];
}

/** Decides about one route as the compiled policy would, and says how. Throws `FilterError` for a filter with problems. */
export function explainFilter(filter: Filter, route: PolicyRoute, session: FilterSession): FilterExplanation {
  const trace: RuleTrace[] = [];
  let now = route;
  for (const [index, rule] of compileRules(filter, session).entries()) {
    const conditions: ConditionTrace[] = [];
    for (const { field, wanted, holds, found } of rule.conditions) {
      conditions.push({ field, wanted, found: found(now), holds: holds(now) });
      if (conditions.at(-1)?.holds === false) break;
    }
    const isPassed = conditions.at(-1)?.holds === false;
    const name = filter.rules[index]?.name;
    trace.push({
      rule: index,
      ...(name === undefined ? {} : { name }),
      conditions,
      outcome: isPassed ? "pass" : rule.action,
    });
    if (isPassed) continue;
    if (rule.action !== "reject" && rule.change !== undefined) {
      now = { ...now, attributes: rule.change(now.attributes) };
    }
    if (rule.action !== "continue") {
      return { verdict: rule.action, rule: index, attributes: now.attributes, trace };
    }
  }
  return { verdict: filter.otherwise, attributes: now.attributes, trace };
}
