import { type PathAttributes } from "../wire/path-attributes.ts";
import { changeOf } from "./change-route.ts";
import { type Condition } from "./condition.ts";
import { conditionsOf } from "./conditions.ts";
import { FilterReader } from "./filter-reader.ts";
import { type FilterSession } from "./filter-session.ts";
import {
  type Filter,
  type FilterAction,
  FilterError,
  type FilterProblem,
  type FilterRule,
} from "./filter.ts";

/** More rules than this are refused: every route may have to pass them all. */
export const maxFilterRules = 10_000;

/** A rule, ready to be asked. */
export interface CompiledRule {
  readonly conditions: readonly Condition[];
  readonly change: ((value: PathAttributes) => PathAttributes) | undefined;
  readonly action: FilterAction;
}

/** All that is wrong with a filter; empty for one that can be used. */
export function checkFilter(filter: Filter): readonly FilterProblem[] {
  const reader = new FilterReader();
  // Nothing that a session says makes a filter right or wrong.
  readRules(filter, { direction: "export", peerType: "eBGP" }, reader);
  return reader.problems;
}

/** The rules of a filter on a session. Throws `FilterError` when there is anything wrong with it. */
export function compileRules(filter: Filter, session: FilterSession): readonly CompiledRule[] {
  const reader = new FilterReader();
  const rules = readRules(filter, session, reader);
  if (reader.problems.length > 0) throw new FilterError(reader.problems);
  return rules;
}

function readRules(filter: Filter, session: FilterSession, reader: FilterReader): readonly CompiledRule[] {
  if (filter.rules.length > maxFilterRules) {
    reader.refuse("rules", `a list of ${filter.rules.length}`, `at most ${maxFilterRules} rules`);
    return [];
  }
  return filter.rules.map((rule, index) => readRule(rule, session, reader.at(`rules[${index}]`)));
}

function readRule(rule: FilterRule, session: FilterSession, reader: FilterReader): CompiledRule {
  const { match = {}, set, action } = rule;
  if (set !== undefined && action === "reject") {
    reader.refuse("set", "a change of a route that is rejected", "used with accept or continue");
  }
  return {
    conditions: conditionsOf(match, session, reader.at("match")),
    change: set === undefined ? undefined : changeOf(set, session, reader.at("set")),
    action,
  };
}
