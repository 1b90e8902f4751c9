import { type FilterProblem, type NumberRange } from "./filter.ts";

/** Reads a filter's texts and numbers, and gathers what is wrong with them under the path where it stands. */
export class FilterReader {
  readonly problems: FilterProblem[];
  readonly #path: string;

  constructor(path = "", problems: FilterProblem[] = []) {
    this.#path = path;
    this.problems = problems;
  }

  /** A reader of a field, `asPath` or `rules[2]`, inside this one. */
  at(field: string): FilterReader {
    return new FilterReader(this.#join(field), this.problems);
  }

  refuse(field: string, found: string, expected: string): void {
    this.problems.push({ path: this.#join(field), found, expected });
  }

  /** What can be parsed of a list that must not be empty. */
  parseAll<V>(
    field: string,
    texts: readonly string[],
    parse: (text: string) => V | undefined,
    expected: string,
  ): V[] {
    this.some(field, texts);
    return texts.flatMap((text, index) => {
      const value = parse(text);
      if (value === undefined) this.refuse(`${field}[${index}]`, JSON.stringify(text), expected);
      return value ?? [];
    });
  }

  /** Refuses a list without members: it would match nothing, or change nothing. */
  some(field: string, list: readonly unknown[]): void {
    if (list.length === 0) this.refuse(field, "an empty list", "a list with something in it");
  }

  asns(field: string, list: readonly number[]): void {
    for (const [index, asn] of list.entries()) {
      // RFC 7607 §2: AS 0 stands in no path.
      if (!Number.isInteger(asn) || asn < 1 || asn > maxNumber) {
        this.refuse(`${field}[${index}]`, String(asn), "an AS number from 1 to 4294967295");
      }
    }
  }

  number(field: string, value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > maxNumber) {
      this.refuse(field, String(value), "a whole number from 0 to 4294967295");
    }
  }

  range(field: string, { min, max }: NumberRange): void {
    if (min !== undefined) this.number(`${field}.min`, min);
    if (max !== undefined) this.number(`${field}.max`, max);
    if (min !== undefined && max !== undefined && min > max) {
      this.refuse(field, `${min} to ${max}`, "a range whose min is not above its max");
    }
  }

  #join(field: string): string {
    return this.#path === "" ? field : `${this.#path}.${field}`;
  }
}

const maxNumber = 0xffffffff;
