import type { Selector } from "./ast.ts";

/** A label that must be there, with this value where one is given. */
export interface Requirement {
  readonly label: string;
  readonly value?: string;
}

/**
 * What labels must have for a selector to match: at least one of these, so an empty list never matches. `undefined` asks
 * for nothing. It is necessary and not sufficient: what fulfils it may still not match.
 */
export type Restriction = readonly Requirement[] | undefined;

/**
 * The restriction of a selector. Of a chain of `&&`, whose every operand restricts, the one that costs least is taken;
 * `cost` is how many selectors or label sets a requirement leaves to be tried.
 */
export function restrictionOf(selector: Selector, cost: (requirement: Requirement) => number): Restriction {
  return restrict(selector, false, cost);
}

/** The restriction of the selector, or of its negation, which is pushed down to the leaves. */
function restrict(
  selector: Selector,
  isNegated: boolean,
  cost: (requirement: Requirement) => number,
): Restriction {
  switch (selector.kind) {
    case "all":
    case "global":
      return isNegated ? [] : undefined;
    case "has":
      return isNegated ? undefined : [{ label: selector.label }];
    case "compare": {
      const { operator, label, value } = selector;
      if (operator === "==" || operator === "!=") {
        return (operator === "==") === isNegated ? undefined : [{ label, value }];
      }
      return isNegated ? undefined : [{ label }];
    }
    case "in": {
      const { label, values, negated } = selector;
      return negated === isNegated ? values.map((value) => ({ label, value })) : undefined;
    }
    case "not":
      return restrict(selector.operand, !isNegated, cost);
    case "and":
    case "or": {
      const operands = selector.operands.map((operand) => restrict(operand, isNegated, cost));
      // The negation of a chain is the other chain of the negated operands.
      return (selector.kind === "and") === isNegated ? unite(operands) : cheapest(operands, cost);
    }
  }
}

/** Any operand may match: what one asks for suffices. */
function unite(operands: readonly Restriction[]): Restriction {
  const all: Requirement[] = [];
  for (const operand of operands) {
    if (operand === undefined) return undefined;
    all.push(...operand);
  }
  return all;
}

/** Every operand must match, so any one restriction will do. */
function cheapest(operands: readonly Restriction[], cost: (requirement: Requirement) => number): Restriction {
  let best: { readonly restriction: Restriction; readonly sum: number } | undefined;
  for (const restriction of operands) {
    if (restriction === undefined) continue;
    const sum = restriction.reduce((total, requirement) => total + cost(requirement), 0);
    if (best === undefined || sum < best.sum) best = { restriction, sum };
  }
  return best?.restriction;
}

/** The labels that a selector asks about: a change of any other leaves its answer as it is. */
export function labelsOf(selector: Selector, found: Set<string> = new Set()): ReadonlySet<string> {
  switch (selector.kind) {
    case "all":
    case "global":
      break;
    case "has":
    case "compare":
    case "in":
      found.add(selector.label);
      break;
    case "not":
      labelsOf(selector.operand, found);
      break;
    case "and":
    case "or":
      for (const operand of selector.operands) labelsOf(operand, found);
  }
  return found;
}
