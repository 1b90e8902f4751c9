import type { Filter, FilterSession, LinkOf, NamedPolicy, PeerType } from "@caracal/bgp";

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

/** The core's policies of all filters, wherever they may stand. */
export function policiesOf(filters: ReadonlyMap<string, Filter>): readonly NamedPolicy[] {
  return [...filters].flatMap(([filterName, filter]) =>
    directions.flatMap((direction) =>
      peerTypes.map((peerType) => ({
        name: policyName(filterName, { direction, peerType }),
        direction,
        peerType,
        filters: [filter],
      })),
    ),
  );
}

/** A route of our own has no link. */
export function linkOfRoute(linkOf: LinkOf): NonNullable<FilterSession["linkOf"]> {
  return ({ attributes: { nextHop } }) => (nextHop === undefined ? undefined : linkOf(nextHop));
}
