/** Family of a table of nftables, by its name in the language. */
export type NftFamily = "ip" | "ip6";

/**
 * One table of nftables, wholly ours, as data: what `nft -f` is told, and what `nft -j list table` is held against.
 * Names of sets and chains are unique.
 */
export interface NftTable {
  readonly family: NftFamily;
  readonly name: string;
  readonly sets: readonly NftSet[];
  /** A chain that others jump to may stand anywhere. */
  readonly chains: readonly NftChain[];
}

/** A set, or a map of keys to values. */
export interface NftSet {
  readonly name: string;
  /** `ipv4_addr`, or of several parts `ipv4_addr . ipv4_addr`. */
  readonly keyType: string;
  /** Only maps have values. */
  readonly valueType?: string;
  /** The keys are ranges of addresses, none of which may overlap. */
  readonly isInterval?: boolean;
  /** Keys as nft writes them (a single address without its length), each with its value; in a set the empty text. */
  readonly elements: ReadonlyMap<string, string>;
}

export interface NftChain {
  readonly name: string;
  /** Absent for a chain that is only jumped to. */
  readonly base?: NftBaseChain;
  readonly rules: readonly NftRule[];
}

/** Where packets enter a chain; those that no rule decides on go on. */
export interface NftBaseChain {
  readonly type: "filter" | "nat";
  readonly hook: "prerouting" | "input" | "forward" | "output" | "postrouting";
  /** Chains of a lower one come first. */
  readonly priority: number;
}

/** A rule in nft's language. */
export interface NftRule {
  readonly text: string;
  /** For people: without quotes, at most 127 bytes. */
  readonly comment?: string;
}

/** `table ip caracal`: what a statement about the table names. */
export function tableTitle({ family, name }: Pick<NftTable, "family" | "name">): string {
  return `${family} ${name}`;
}
