import { listCases } from "./list-cases.ts";
import type { StoreCase } from "./subject.ts";
import { transactionCases } from "./transaction-cases.ts";
import { watchCases } from "./watch-cases.ts";
import { writeCases } from "./write-cases.ts";

export type { EntryForm, StoreCase, StoreSubject } from "./subject.ts";

/**
 * The compliance suite of the `Store` port. Every implementation's tests run all of it, one test per case:
 * `for (const { name, run } of storeSuite) test(name, () => run(subject))`.
 */
export const storeSuite: readonly StoreCase[] = [
  ...writeCases,
  ...listCases,
  ...transactionCases,
  ...watchCases,
];
