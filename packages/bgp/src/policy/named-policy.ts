import { type IpAddress, Prefix } from "@caracal/net";
import { type Policies, type Policy } from "../export/policy.ts";
import { compileFilters } from "./compile-filters.ts";
import { type Filter, FilterError, type PeerType } from "./filter.ts";

/**
 * A policy as plain data: filters, one after the other, and where they stand. A route that none decides about is accepted.
 * What JSON makes of it is the same policy.
 */
export interface NamedPolicy {
  /** As peers' configurations name it. */
  readonly name: string;
  readonly direction: "import" | "export";
  readonly peerType: PeerType;
  readonly filters: readonly Filter[];
  /** The links behind our own prefixes, for matches of `interfaces`; those of next hops tells the resolver. */
  readonly ownLinks?: readonly (readonly [prefix: string, link: string])[];
}

/** The link that leads to a next hop. The answer stays the same while a policy that asked is in use. */
export type LinkOf = (nextHop: IpAddress) => string | undefined;

/** Decides nothing for anybody: what stands for a policy that is not there, or cannot be compiled. */
export const refuseAll: Policy = () => undefined;

/** Throws `FilterError` for filters with problems. */
export function compilePolicy(source: NamedPolicy, linkOf: LinkOf): Policy {
  const { filters, direction, peerType, ownLinks = [] } = source;
  const own = new Map(ownLinks);
  return compileFilters(filters, {
    direction,
    peerType,
    linkOf: ({ prefix, attributes: { nextHop }, source: from }) => {
      if (from.kind === "local") return own.get(Prefix.format(prefix));
      return nextHop === undefined ? undefined : linkOf(nextHop);
    },
  });
}

/** All of them by name; what cannot be compiled refuses everything. */
export function compilePolicies(sources: readonly NamedPolicy[], linkOf: LinkOf): Policies {
  return new Map(sources.map((source) => [source.name, compiledOr(source, linkOf) ?? refuseAll]));
}

/** `undefined` for filters with problems. */
export function compiledOr(source: NamedPolicy, linkOf: LinkOf): Policy | undefined {
  try {
    return compilePolicy(source, linkOf);
  } catch (error) {
    if (error instanceof FilterError) return undefined;
    throw error;
  }
}

/** Whether the links that lead to next hops matter to it. */
export function seesLinks({ filters }: NamedPolicy): boolean {
  return filters.some(({ rules }) => rules.some(({ match }) => match?.interfaces !== undefined));
}
