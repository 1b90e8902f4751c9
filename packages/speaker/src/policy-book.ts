import {
  compileFilters,
  type Filter,
  type FilterSession,
  type PeerType,
  type Policies,
  type Policy,
} from "@caracal/bgp";
import type { IpAddress } from "@caracal/net";

const directions = ["import", "export"] as const;
const peerTypes: readonly PeerType[] = ["iBGP", "eBGP"];

/** The core's name of a filter that stands in one place: what a filter does depends on where it stands. */
export function policyName(
  filter: string,
  { direction, peerType }: Pick<FilterSession, "direction" | "peerType">,
): string {
  return `${filter} ${direction} ${peerType}`;
}

/** What such a name stands for; a filter's name is one word. */
export function readPolicyName(
  name: string,
): { readonly filter: string; readonly peerType: PeerType } | undefined {
  const [filter, , kind] = name.split(" ");
  const peerType = peerTypes.find((type) => type === kind);
  return filter === undefined || peerType === undefined ? undefined : { filter, peerType };
}

/** Whether a core's name is of a filter for what comes in. */
export function isImportPolicy(name: string): boolean {
  return peerTypes.some((peerType) => name.endsWith(policyName("", { direction: "import", peerType })));
}

/** The link that leads to a next hop, where one is known. */
export type LinkOf = (nextHop: IpAddress) => string | undefined;

interface Compiled {
  readonly text: string;
  readonly policy: Policy;
  /** It asks for links, so its answers hold only as long as the network stays as it is. */
  readonly usesLinks: boolean;
}

/** Filters as the core's policies. A filter that did not change keeps its policy, so that no route is looked at again. */
export class PolicyBook {
  readonly #linkOf: LinkOf;
  #known: ReadonlyMap<string, Compiled> = new Map();

  constructor(linkOf: LinkOf) {
    this.#linkOf = linkOf;
  }

  /** The policies of all filters, wherever they may stand. */
  compile(filters: ReadonlyMap<string, Filter>): Policies {
    const next = new Map<string, Compiled>();
    for (const [filterName, filter] of filters) {
      const text = JSON.stringify(filter);
      for (const direction of directions) {
        for (const peerType of peerTypes) {
          const name = policyName(filterName, { direction, peerType });
          const known = this.#known.get(name);
          next.set(name, known?.text === text ? known : this.#compile(filter, text, { direction, peerType }));
        }
      }
    }
    this.#known = next;
    return new Map([...next].map(([name, { policy }]) => [name, policy]));
  }

  /** Links lead elsewhere: filters that ask for them are other policies from now on. Says whether there are any. */
  forgetLinks(): boolean {
    const before = this.#known.size;
    this.#known = new Map([...this.#known].filter(([, { usesLinks }]) => !usesLinks));
    return this.#known.size < before;
  }

  #compile(filter: Filter, text: string, session: FilterSession): Compiled {
    return {
      text,
      policy: compileFilters([filter], { ...session, linkOf: linkOfRoute(this.#linkOf) }),
      usesLinks: filter.rules.some(({ match }) => match?.interfaces !== undefined),
    };
  }
}

/** A route of our own has no link. */
export function linkOfRoute(linkOf: LinkOf): NonNullable<FilterSession["linkOf"]> {
  return ({ attributes: { nextHop } }) => (nextHop === undefined ? undefined : linkOf(nextHop));
}
