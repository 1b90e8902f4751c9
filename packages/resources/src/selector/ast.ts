/** A parsed selector. Chains of `&&` and `||` are flat lists, and double negation is already gone. */
export type Selector =
  | { readonly kind: "all" }
  | { readonly kind: "global" }
  | { readonly kind: "has"; readonly label: string }
  | {
      readonly kind: "compare";
      readonly operator: CompareOperator;
      readonly label: string;
      readonly value: string;
    }
  | {
      readonly kind: "in";
      readonly negated: boolean;
      readonly label: string;
      readonly values: readonly string[];
    }
  | { readonly kind: "not"; readonly operand: Selector }
  | { readonly kind: "and" | "or"; readonly operands: readonly Selector[] };

export type CompareOperator = "==" | "!=" | "contains" | "starts with" | "ends with";
