import type { Selector } from "./ast.ts";

/** Labels of an endpoint, node, namespace or set. */
export type Labels = Readonly<Record<string, string>>;

/** Whether the labels match. `global()` is true here: conversion of policies gives it its meaning. */
export function matchesSelector(selector: Selector, labels: Labels): boolean {
  switch (selector.kind) {
    case "all":
    case "global":
      return true;
    case "has":
      return Object.hasOwn(labels, selector.label);
    case "compare":
      return compare(selector.operator, labelOf(labels, selector.label), selector.value);
    case "in": {
      const found = labelOf(labels, selector.label);
      // An absent label is not in any set.
      return (found !== undefined && selector.values.includes(found)) !== selector.negated;
    }
    case "not":
      return !matchesSelector(selector.operand, labels);
    case "and":
      return selector.operands.every((operand) => matchesSelector(operand, labels));
    case "or":
      return selector.operands.some((operand) => matchesSelector(operand, labels));
  }
}

function compare(
  operator: Extract<Selector, { kind: "compare" }>["operator"],
  found: string | undefined,
  value: string,
): boolean {
  // `!=` is the one comparison that an absent label satisfies.
  if (found === undefined) return operator === "!=";
  switch (operator) {
    case "==":
      return found === value;
    case "!=":
      return found !== value;
    case "contains":
      return found.includes(value);
    case "starts with":
      return found.startsWith(value);
    case "ends with":
      return found.endsWith(value);
  }
}

/** Own properties only: a label may be called `constructor`. */
function labelOf(labels: Labels, name: string): string | undefined {
  return Object.hasOwn(labels, name) ? labels[name] : undefined;
}
