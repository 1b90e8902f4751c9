import type { ListedTable } from "./listed-table.ts";
import type { NftFamily, NftTable } from "./nft-table.ts";

/** Why the ruleset could not be read or changed. */
export interface RulesetFailure {
  readonly kind: "failed";
  /**
   * `missing`: there is no nft. `unsupported`: the kernel has no such tables. `refused`: nothing of the transaction was done.
   * `broken`: nobody knows what was done.
   */
  readonly reason: "missing" | "unsupported" | "refused" | "broken";
  /** One line for people. */
  readonly detail: string;
}

/** What became of a transaction. */
export type TransactionOutcome = { readonly kind: "done" } | RulesetFailure;

/** A table as it is; `table` is absent when there is none of that name. */
export type ListOutcome = { readonly kind: "listed"; readonly table?: ListedTable } | RulesetFailure;

/** Who changed the ruleset, where the kernel tells. */
export interface RulesetAuthor {
  readonly pid: number;
  readonly program: string;
}

/** News of the ruleset that this port did not cause itself. */
export type RulesetNotice =
  | {
      readonly kind: "changed";
      readonly tables: readonly Pick<NftTable, "family" | "name">[];
      readonly by?: RulesetAuthor;
    }
  /** Some changes were lost: only a look tells what is. */
  | { readonly kind: "overrun" };

/** The nftables of one network namespace. */
export interface Ruleset {
  /** Carries out statements of nft's language: all of them in one step, or none. */
  apply(script: string): Promise<TransactionOutcome>;
  list(family: NftFamily, name: string): Promise<ListOutcome>;
  /** Tells news until the returned function is called. */
  subscribe(listener: (notice: RulesetNotice) => void): () => void;
}
