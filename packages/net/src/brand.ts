declare const brandTag: unique symbol;

/** A `Base` that only its own constructors make, so that two kinds of number or string never mix. */
export type Brand<Base, Name extends string> = Base & { readonly [brandTag]: Name };

type Unbranded<B> = B extends number ? number : B extends bigint ? bigint : B extends string ? string : never;

/** Marks a value as checked. Call it only from a brand's own constructors: it is the one cast in the house. */
export function brand<B>(value: Unbranded<B>): B {
  // oxlint-disable-next-line typescript/consistent-type-assertions -- the one place where a brand is put on
  return value as B;
}
