/** One document of a YAML text, as its readers give it. Lines are counted from the text's first. */
export type YamlDocument =
  | ReadDocument
  | { readonly kind: "bad"; readonly line: number; readonly reason: string };

/** A document that is well formed. */
export interface ReadDocument {
  readonly kind: "ok";
  readonly content: unknown;
  /** The line of the deepest part of a path that is there. */
  readonly lineOf: (path: readonly (string | number)[]) => number;
}
