import { Prefix } from "@caracal/net";
import type { BlockAffinityRecord } from "@caracal/resources";

/** A node's claim on a block, as the store's key and record give it. */
export interface BlockAffinity {
  readonly node: string;
  readonly block: Prefix;
  readonly state: BlockAffinityRecord["state"];
}

/** The blocks that are a node's own beyond doubt, ordered by prefix: others may still go to another node. */
export function ownBlocks(node: string, affinities: readonly BlockAffinity[]): readonly Prefix[] {
  const blocks = new Map<string, Prefix>();
  for (const affinity of affinities) {
    if (affinity.node === node && affinity.state === "confirmed")
      blocks.set(Prefix.key(affinity.block), affinity.block);
  }
  return [...blocks.values()].toSorted(Prefix.compare);
}
