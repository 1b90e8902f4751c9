import { compareTiers, type Resource } from "@caracal/resources";

/** A listing as people read it: tiers in the order that they are evaluated in, all else by name as it was read. */
export function inListOrder(resources: readonly Resource[]): readonly Resource[] {
  const tiers = resources.filter((resource) => resource.kind === "Tier");
  return tiers.length === resources.length ? tiers.toSorted(compareTiers) : resources;
}
