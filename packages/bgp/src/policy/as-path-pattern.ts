import { AsPath } from "../wire/as-path.ts";

/** Longer patterns are refused: the time for a path grows with the pattern. */
export const maxPatternLength = 256;

/** What a state of the automaton does: take a character, go on two ways, or ask for an end of the text. */
type State =
  | { readonly kind: "take"; readonly characters: CharacterSet; readonly next: number }
  | { readonly kind: "fork"; readonly next: number; readonly other: number }
  | { readonly kind: "edge"; readonly edge: "start" | "end"; readonly next: number }
  | { readonly kind: "found" };

/** Bit n for `alphabet[n]`. */
type CharacterSet = number;

type Expression =
  | { readonly kind: "take"; readonly characters: CharacterSet }
  | { readonly kind: "edge"; readonly edge: "start" | "end" }
  | { readonly kind: "sequence"; readonly parts: readonly Expression[] }
  | { readonly kind: "choice"; readonly options: readonly Expression[] }
  | { readonly kind: "repeat"; readonly part: Expression; readonly sign: "*" | "+" | "?" };

/** All that stands in a path's text. */
const alphabet = "0123456789 {}";
const anyCharacter: CharacterSet = (1 << alphabet.length) - 1;

/**
 * A regular expression over the text of an AS path, as routers have it: `.`, `[…]`, `*`, `+`, `?`, `|`, `(…)`, `^`, `$`,
 * and `_` for an end, a space or a brace. It runs as an automaton over all its states at once, so no path that a peer may
 * send takes more than its length times the pattern's.
 */
export class AsPathPattern {
  readonly #states: readonly State[];
  readonly #start: number;

  /** `undefined` when the text is no such expression. */
  static parse(text: string): AsPathPattern | undefined {
    if (text.length === 0 || text.length > maxPatternLength) return undefined;
    const parser = new Parser(text);
    const expression = parser.choice();
    return expression === undefined || !parser.isDone ? undefined : new AsPathPattern(expression);
  }

  private constructor(expression: Expression) {
    const states: State[] = [{ kind: "found" }];
    this.#start = compile(expression, 0, states);
    this.#states = states;
  }

  test(path: AsPath): boolean {
    return this.#find(AsPath.format(path));
  }

  #find(text: string): boolean {
    let active = new Set<number>();
    for (let at = 0; ; at += 1) {
      // Anywhere: a match may begin at each character.
      if (this.#enter(this.#start, at, text.length, active)) return true;
      if (at === text.length) return false;
      const bit = 1 << alphabet.indexOf(text.charAt(at));
      const following = new Set<number>();
      for (const index of active) {
        const state = this.#states[index];
        if (state?.kind !== "take" || (state.characters & bit) === 0) continue;
        if (this.#enter(state.next, at + 1, text.length, following)) return true;
      }
      active = following;
    }
  }

  /** Adds a state and all that it leads to without a character; says whether the end of the pattern is among them. */
  #enter(from: number, at: number, length: number, active: Set<number>): boolean {
    const pending = [from];
    for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
      const state = this.#states[index];
      if (state === undefined || active.has(index)) continue;
      active.add(index);
      switch (state.kind) {
        case "found":
          return true;
        case "fork":
          pending.push(state.next, state.other);
          break;
        case "edge":
          if (at === (state.edge === "start" ? 0 : length)) pending.push(state.next);
          break;
        case "take":
          break;
      }
    }
    return false;
  }
}

/** Appends the states of an expression that goes on to `next`, and gives the first. */
function compile(expression: Expression, next: number, states: State[]): number {
  const add = (state: State): number => states.push(state) - 1;
  switch (expression.kind) {
    case "take":
      return add({ kind: "take", characters: expression.characters, next });
    case "edge":
      return add({ kind: "edge", edge: expression.edge, next });
    case "sequence":
      return expression.parts.reduceRight((after, part) => compile(part, after, states), next);
    case "choice":
      return expression.options
        .map((option) => compile(option, next, states))
        .reduceRight((other, first) => add({ kind: "fork", next: first, other }));
    case "repeat": {
      if (expression.sign === "?") {
        return add({ kind: "fork", next: compile(expression.part, next, states), other: next });
      }
      // The fork stands before its part is known, so its place is taken first.
      const fork = add({ kind: "found" });
      const part = compile(expression.part, fork, states);
      states[fork] = { kind: "fork", next: part, other: next };
      return expression.sign === "*" ? fork : part;
    }
  }
}

/** Recursive descent; every function answers `undefined` for what is not an expression. */
class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isDone(): boolean {
    return this.#at === this.#text.length;
  }

  choice(): Expression | undefined {
    const options: Expression[] = [];
    do {
      const option = this.#sequence();
      if (option === undefined) return undefined;
      options.push(option);
    } while (this.#skip("|"));
    return { kind: "choice", options };
  }

  #sequence(): Expression | undefined {
    const parts: Expression[] = [];
    while (!this.isDone && this.#next !== "|" && this.#next !== ")") {
      const part = this.#repeat();
      if (part === undefined) return undefined;
      parts.push(part);
    }
    return parts.length === 0 ? undefined : { kind: "sequence", parts };
  }

  #repeat(): Expression | undefined {
    const part = this.#atom();
    if (part === undefined) return undefined;
    for (const sign of ["*", "+", "?"] as const) {
      if (this.#skip(sign)) return { kind: "repeat", part, sign };
    }
    return part;
  }

  #atom(): Expression | undefined {
    const character = this.#take();
    switch (character) {
      case "^":
        return { kind: "edge", edge: "start" };
      case "$":
        return { kind: "edge", edge: "end" };
      case "_":
        return border;
      case ".":
        return { kind: "take", characters: anyCharacter };
      case "[":
        return this.#set();
      case "(": {
        const inner = this.choice();
        return this.#skip(")") ? inner : undefined;
      }
      default:
        return alphabet.includes(character) && character !== ""
          ? { kind: "take", characters: setOf(character) }
          : undefined;
    }
  }

  /** After `[`: characters and ranges of digits; `^` in front takes all others. */
  #set(): Expression | undefined {
    const isOther = this.#skip("^");
    let characters = 0;
    while (!this.#skip("]")) {
      const first = this.#take();
      const last = this.#skip("-") ? this.#take() : first;
      const [low, high] = [alphabet.indexOf(first), alphabet.indexOf(last)];
      if (first === "" || last === "" || low < 0 || high < low) return undefined;
      if (first !== last && high > 9) return undefined;
      for (let index = low; index <= high; index += 1) characters |= 1 << index;
    }
    if (characters === 0) return undefined;
    return { kind: "take", characters: isOther ? anyCharacter & ~characters : characters };
  }

  get #next(): string {
    return this.#text.charAt(this.#at);
  }

  #take(): string {
    const character = this.#next;
    this.#at += character.length;
    return character;
  }

  #skip(character: string): boolean {
    if (this.#next !== character) return false;
    this.#at += 1;
    return true;
  }
}

function setOf(characters: string): CharacterSet {
  let set = 0;
  for (let at = 0; at < characters.length; at += 1) set |= 1 << alphabet.indexOf(characters.charAt(at));
  return set;
}

const border: Expression = {
  kind: "choice",
  options: [
    { kind: "edge", edge: "start" },
    { kind: "edge", edge: "end" },
    { kind: "take", characters: setOf(" {}") },
  ],
};
