import type { Selector } from "./ast.ts";

/** The canonical text, from which Calico derives IP set names; parsing it gives the same selector. */
export function formatSelector(selector: Selector): string {
  switch (selector.kind) {
    case "all":
      return "all()";
    case "global":
      return "global()";
    case "has":
      return `has(${selector.label})`;
    case "compare":
      return `${selector.label} ${selector.operator} ${quote(selector.value)}`;
    case "in":
      return `${selector.label} ${selector.negated ? "not in" : "in"} {${selector.values.map(quote).join(", ")}}`;
    case "not":
      return `!${formatSelector(selector.operand)}`;
    case "and":
      return `(${selector.operands.map(formatSelector).join(" && ")})`;
    case "or":
      return `(${selector.operands.map(formatSelector).join(" || ")})`;
  }
}

/** There are no escapes: a value holds at most one of the two quotes. */
function quote(value: string): string {
  return value.includes('"') ? `'${value}'` : `"${value}"`;
}
