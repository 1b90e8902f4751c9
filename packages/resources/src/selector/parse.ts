import type { CompareOperator, Selector } from "./ast.ts";

/** Where and why a selector does not parse; `offset` counts characters from 0. */
export interface SelectorError {
  readonly message: string;
  readonly offset: number;
}

export type SelectorParsing =
  | { readonly kind: "ok"; readonly selector: Selector }
  | { readonly kind: "bad"; readonly error: SelectorError };

/** Parentheses that may be open at once, more than fit into a resource's selector: deeper input is not recursed into. */
const maxDepth = 512;

/** Longest label name. */
const maxLabelLength = 512;

/** Parses a selector; blank text selects everything. Only spaces and tabs separate. */
export function parseSelector(text: string): SelectorParsing {
  const parser = new Parser(text);
  const found = parser.parse();
  return "message" in found ? { kind: "bad", error: found } : { kind: "ok", selector: found };
}

/** Recursive descent over the text; a failed step returns a `SelectorError`, which every caller passes up. */
class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Selector | SelectorError {
    this.#skipBlanks();
    if (this.#at === this.#text.length) return { kind: "all" };
    const selector = this.#or();
    if ("message" in selector || this.#at === this.#text.length) return selector;
    return this.#fail("expected && or || or the end");
  }

  #or(): Selector | SelectorError {
    return this.#chain("or", "||", () => this.#chain("and", "&&", () => this.#unary()));
  }

  #chain(kind: "and" | "or", symbol: string, next: () => Selector | SelectorError): Selector | SelectorError {
    const operands: Selector[] = [];
    do {
      const operand = next();
      if ("message" in operand) return operand;
      operands.push(operand);
    } while (this.#take(symbol));
    const [only] = operands;
    return operands.length === 1 && only !== undefined ? only : { kind, operands };
  }

  #unary(): Selector | SelectorError {
    let isNegated = false;
    while (this.#take("!")) isNegated = !isNegated;
    const operand = this.#atom();
    if ("message" in operand || !isNegated) return operand;
    return operand.kind === "not" ? operand.operand : { kind: "not", operand };
  }

  #atom(): Selector | SelectorError {
    if (this.#take("(")) return this.#group();
    if (this.#take("all(")) return this.#take(")") ? { kind: "all" } : this.#fail("expected ) after all(");
    if (this.#take("global(")) {
      return this.#take(")") ? { kind: "global" } : this.#fail("expected ) after global(");
    }
    const isHas = this.#take("has(");
    const label = this.#label();
    if (typeof label !== "string") return label;
    if (!isHas) return this.#comparison(label);
    return this.#take(")") ? { kind: "has", label } : this.#fail("expected ) after the label of has(");
  }

  #group(): Selector | SelectorError {
    if (++this.#depth > maxDepth) return this.#fail(`more than ${maxDepth} parentheses are open`);
    const inner = this.#or();
    this.#depth--;
    if ("message" in inner) return inner;
    return this.#take(")") ? inner : this.#fail("expected )");
  }

  #comparison(label: string): Selector | SelectorError {
    for (const { pattern, operator } of comparisons) {
      if (!this.#takePattern(pattern)) continue;
      const value = this.#string();
      return typeof value === "string" ? { kind: "compare", operator, label, value } : value;
    }
    for (const { pattern, negated } of memberships) {
      if (!this.#takePattern(pattern)) continue;
      const values = this.#set();
      return "message" in values ? values : { kind: "in", negated, label, values };
    }
    return this.#fail(`expected an operator after the label ${label}: ${operatorNames}`);
  }

  #set(): readonly string[] | SelectorError {
    if (!this.#take("{")) return this.#fail("expected {");
    const values = new Set<string>();
    while (!this.#take("}")) {
      const value = this.#string();
      if (typeof value !== "string") return value;
      values.add(value);
      if (this.#take(",")) continue;
      if (!this.#take("}")) return this.#fail("expected , or } in the set");
      break;
    }
    return [...values].toSorted();
  }

  #string(): string | SelectorError {
    const quote = this.#text[this.#at];
    if (quote !== "'" && quote !== '"') return this.#fail("expected a quoted text");
    const end = this.#text.indexOf(quote, this.#at + 1);
    if (end < 0) return this.#fail("the quoted text does not end");
    const value = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    this.#skipBlanks();
    return value;
  }

  #label(): string | SelectorError {
    const [label] = this.#match(/[a-zA-Z0-9_./-]+/y) ?? [];
    if (label === undefined) return this.#fail("expected a label, (, !, has(, all() or global()");
    if (label.length > maxLabelLength)
      return this.#fail(`the label has more than ${maxLabelLength} characters`);
    this.#advance(label.length);
    return label;
  }

  #take(symbol: string): boolean {
    if (!this.#text.startsWith(symbol, this.#at)) return false;
    this.#advance(symbol.length);
    return true;
  }

  #takePattern(pattern: RegExp): boolean {
    const found = this.#match(pattern);
    if (found === null) return false;
    this.#advance(found[0].length);
    return true;
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text);
  }

  #advance(length: number): void {
    this.#at += length;
    this.#skipBlanks();
  }

  #skipBlanks(): void {
    while (this.#text[this.#at] === " " || this.#text[this.#at] === "\t") this.#at++;
  }

  #fail(expectation: string): SelectorError {
    const rest = this.#text.slice(this.#at, this.#at + 20);
    const found = rest === "" ? "the selector ends there" : `found ${JSON.stringify(rest)}`;
    return { message: `${expectation} at position ${this.#at + 1}, ${found}`, offset: this.#at };
  }
}

const operatorNames = "==, !=, in, not in, contains, starts with, ends with";

// An operator word must not run into an identifier character; blanks inside it are optional.
const comparisons: readonly { pattern: RegExp; operator: CompareOperator }[] = [
  { pattern: /==/y, operator: "==" },
  { pattern: /!=/y, operator: "!=" },
  { pattern: /contains(?![a-zA-Z0-9_./-])/y, operator: "contains" },
  { pattern: /starts[ \t]*with(?![a-zA-Z0-9_./-])/y, operator: "starts with" },
  { pattern: /ends[ \t]*with(?![a-zA-Z0-9_./-])/y, operator: "ends with" },
];

const memberships: readonly { pattern: RegExp; negated: boolean }[] = [
  { pattern: /in(?![a-zA-Z0-9_./-])/y, negated: false },
  { pattern: /not[ \t]*in(?![a-zA-Z0-9_./-])/y, negated: true },
];
