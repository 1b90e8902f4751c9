/** The part of JSON Schema that the resources need. */
export interface SchemaNode {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  /** A list that holds nothing twice: a person's is refused, one that a store holds already is taken as it is. */
  readonly uniqueItems?: boolean;
  readonly maxLength?: number;
  readonly format?: string;
  readonly pattern?: string;
  /** Words of a text field whose case does not matter. */
  readonly anyCaseOf?: readonly string[];
  /** What is filled in for a field that is absent. */
  readonly default?: unknown;
  readonly description?: string;
  /** Marks a field that may be absent; no part of the schema. */
  readonly "~optional"?: true;
}

/** A JSON Schema, and in `T` the type of the values that it takes. */
export interface Schema<T> extends SchemaNode {
  /** For the compiler only. */
  readonly "~taken"?: T;
}

/** A field that may be absent. */
type OptionalSchema<S> = S & { readonly "~optional": true };

/** The schema of an object, whose fields others can take over. */
export interface ObjectSchema<F extends Fields> extends Schema<ObjectOf<F>> {
  readonly properties: F;
}

/** The type of the values that a schema takes. */
export type Static<S> = S extends { readonly "~taken"?: infer T } ? T : never;

type Fields = Readonly<Record<string, Schema<unknown>>>;

type OptionalNames<F> = {
  [Name in keyof F]: F[Name] extends { readonly "~optional": true } ? Name : never;
}[keyof F];

type ObjectOf<F> = Flat<
  { [Name in Exclude<keyof F, OptionalNames<F>>]: Static<F[Name]> } & {
    [Name in OptionalNames<F>]?: Static<F[Name]>;
  }
>;

type Flat<T> = { [Name in keyof T]: T[Name] };

/** Limits, forms, what is filled in, descriptions. */
type Keywords = Omit<SchemaNode, "type" | "properties" | "required" | "items" | "anyOf" | "const" | "enum">;

/** Declares a value once: the schema that readers and other tools go by, and the TypeScript type that is inferred from it. */
export const Type = {
  String: (keywords: Keywords = {}): Schema<string> => ({ type: "string", ...keywords }),
  Boolean: (keywords: Keywords = {}): Schema<boolean> => ({ type: "boolean", ...keywords }),
  Integer: (keywords: Keywords = {}): Schema<number> => ({ type: "integer", ...keywords }),
  Number: (keywords: Keywords = {}): Schema<number> => ({ type: "number", ...keywords }),
  /** A whole number beyond 2^53. */
  BigInteger: (keywords: Keywords = {}): Schema<bigint> => ({ type: "integer", ...keywords }),
  Null: (): Schema<null> => ({ type: "null" }),
  Unknown: (): Schema<unknown> => ({}),
  Literal: <const Text extends string>(text: Text): Schema<Text> => ({ type: "string", const: text }),
  Enum: <const Words extends readonly (string | number)[]>(
    words: Words,
    keywords: Keywords = {},
  ): Schema<Words[number]> => ({ enum: words, ...keywords }),
  Array: <Item>(items: Schema<Item>, keywords: Keywords = {}): Schema<Item[]> => ({
    type: "array",
    items,
    ...keywords,
  }),
  /** A map from texts. */
  Map: <Value>(values: Schema<Value>, keywords: Keywords = {}): Schema<Record<string, Value>> => ({
    type: "object",
    patternProperties: { "^.*$": values },
    ...keywords,
  }),
  Union: <const Options extends readonly Schema<unknown>[]>(
    options: Options,
    keywords: Keywords = {},
  ): Schema<Static<Options[number]>> => ({ anyOf: options, ...keywords }),
  Optional: <S extends Schema<unknown>>(schema: S): OptionalSchema<S> => ({ ...schema, "~optional": true }),
  Object: <F extends Fields>(fields: F, keywords: Keywords = {}): ObjectSchema<F> => {
    const required = Object.keys(fields).filter((name) => fields[name]?.["~optional"] !== true);
    return { type: "object", ...(required.length > 0 && { required }), properties: fields, ...keywords };
  },
} as const;
