import type { Located } from "./located.ts";
import { nearestWord } from "./nearest-word.ts";

/** What a value must be. `read` gives what it means, or reports to the value what is wrong and gives `undefined`. */
export interface Shape<T> {
  readonly read: (at: Located) => T | undefined;
}

/** A value together with its place, for rules that look at several values. */
export interface Placed<T> {
  readonly value: T;
  readonly at: Located;
}

/** A key of a mapping. What it means to leave it out is `otherwise`; without that it is required, or marked as optional. */
export interface Field<T> {
  readonly shape: Shape<T>;
  readonly otherwise?: () => T;
}

export interface OptionalField<T> extends Field<T> {
  readonly isOptional: true;
}

/** The keys of a mapping, declared once: the type of what is read follows from them. */
export type Fields = Readonly<Record<string, Field<unknown> | OptionalField<unknown>>>;

type OptionalKey<F extends Fields> = {
  [K in keyof F]: F[K] extends OptionalField<unknown> ? K : never;
}[keyof F];
type ValueOf<One> = One extends Field<infer T> ? T : never;

export type FieldsRead<F extends Fields> = {
  readonly [K in Exclude<keyof F, OptionalKey<F>>]: ValueOf<F[K]>;
} & { readonly [K in OptionalKey<F>]?: ValueOf<F[K]> };

/** A single value that `parse` understands; `expected` says what it takes: "a port from 1 to 65535". */
export function scalar<T>(expected: string, parse: (text: string) => T | undefined): Shape<T> {
  return {
    read: (at) => {
      const value = at.kind === "value" ? parse(at.text ?? "") : undefined;
      return value ?? at.problem(`expected ${expected}, found ${at.shown}`);
    },
  };
}

/** One of a few words. */
export function oneOf<const Words extends readonly string[]>(...words: Words): Shape<Words[number]> {
  const last = words.at(-1) ?? "";
  const expected = words.length < 2 ? last : `${words.slice(0, -1).join(", ")} or ${last}`;
  return scalar<Words[number]>(expected, (text) => words.find((word) => word === text));
}

export function list<T>(item: Shape<T>): Shape<readonly T[]> {
  return {
    read: (at) => {
      if (at.kind !== "list") return at.problem(`expected a list, found ${at.shown}`);
      // Every element is looked at, so that all that is wrong is told at once.
      return at.items.flatMap((each) => {
        const value = item.read(each);
        return value === undefined ? [] : [value];
      });
    },
  };
}

/** A shape with a rule on top, which reports for itself; it sees what could be read. */
export function checked<T>(shape: Shape<T>, check: (value: T) => void): Shape<T> {
  return {
    read: (at) => {
      const value = shape.read(at);
      if (value !== undefined) check(value);
      return value;
    },
  };
}

export function placed<T>(shape: Shape<T>): Shape<Placed<T>> {
  return {
    read: (at) => {
      const value = shape.read(at);
      return value === undefined ? undefined : { value, at };
    },
  };
}

export function required<T>(shape: Shape<T>): Field<T> {
  return { shape };
}

export function optional<T>(shape: Shape<T>): OptionalField<T> {
  return { shape, isOptional: true };
}

export function withDefault<T>(shape: Shape<T>, value: T): Field<T> {
  return { shape, otherwise: () => value };
}

/** A mapping with these keys and no others. */
export function mapping<F extends Fields>(fields: F): Shape<FieldsRead<F>> {
  const names = Object.keys(fields);
  return {
    read: (at) => {
      if (at.kind !== "mapping") return at.problem(`expected a mapping, found ${at.shown}`);
      let isWhole = true;
      for (const key of at.keys) {
        if (names.includes(key)) continue;
        isWhole = false;
        const nearest = nearestWord(key, names);
        at.member(key).problem(
          `there is no such key; ${nearest === undefined ? `there are ${names.join(", ")}` : `did you mean ${nearest}?`}`,
        );
      }
      const values: Record<string, unknown> = {};
      for (const [name, field] of Object.entries(fields)) {
        if (at.keys.includes(name)) {
          values[name] = field.shape.read(at.member(name));
          if (values[name] === undefined) isWhole = false;
        } else if (field.otherwise !== undefined) {
          values[name] = field.otherwise();
        } else if (!("isOptional" in field)) {
          at.problem(`the key ${name} is missing`);
          isWhole = false;
        }
      }
      return isRead(values, fields, isWhole) ? values : undefined;
    },
  };
}

/** A mapping of names that the file chooses. */
export function namedBy<T>(name: RegExp, expected: string, shape: Shape<T>): Shape<ReadonlyMap<string, T>> {
  return {
    read: (at) => {
      if (at.kind !== "mapping") return at.problem(`expected a mapping, found ${at.shown}`);
      const entries = at.keys.flatMap((key): (readonly [string, T])[] => {
        const member = at.member(key);
        if (!name.test(key)) member.problem(`expected ${expected} as its name`);
        const value = shape.read(member);
        return value === undefined ? [] : [[key, value]];
      });
      return new Map(entries);
    },
  };
}

function isRead<F extends Fields>(values: object, fields: F, isWhole: boolean): values is FieldsRead<F> {
  return isWhole && Object.entries(fields).every(([name, field]) => "isOptional" in field || name in values);
}
