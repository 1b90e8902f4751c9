import {
  compileFilters,
  type Filter,
  type FilterSession,
  type PeerType,
  type Policies,
  type Policy,
} from "@caracal/bgp";

const directions = ["import", "export"] as const;
const peerTypes: readonly PeerType[] = ["iBGP", "eBGP"];

/** The core's name of a filter that stands in one place: what a filter does depends on where it stands. */
export function policyName(
  filter: string,
  { direction, peerType }: Pick<FilterSession, "direction" | "peerType">,
): string {
  return `${filter} ${direction} ${peerType}`;
}

/** The filter that a core's name stands for. */
export function filterOfPolicy(name: string): string | undefined {
  // A filter's name is one word.
  return name.split(" ")[0];
}

/** Whether a core's name is of a filter for what comes in. */
export function isImportPolicy(name: string): boolean {
  return peerTypes.some((peerType) => name.endsWith(policyName("", { direction: "import", peerType })));
}

/** Filters as the core's policies. A filter that did not change keeps its policy, so that no route is looked at again. */
export class PolicyBook {
  #known: ReadonlyMap<string, { readonly text: string; readonly policy: Policy }> = new Map();

  /** The policies of all filters, wherever they may stand. */
  compile(filters: ReadonlyMap<string, Filter>): Policies {
    const next = new Map<string, { readonly text: string; readonly policy: Policy }>();
    for (const [filterName, filter] of filters) {
      const text = JSON.stringify(filter);
      for (const direction of directions) {
        for (const peerType of peerTypes) {
          const name = policyName(filterName, { direction, peerType });
          const known = this.#known.get(name);
          const policy =
            known?.text === text ? known.policy : compileFilters([filter], { direction, peerType });
          next.set(name, { text, policy });
        }
      }
    }
    this.#known = next;
    return new Map([...next].map(([name, { policy }]) => [name, policy]));
  }
}
