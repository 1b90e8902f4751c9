import { type TunnelInput, type TunnelIntent, tunnelIntent } from "@caracal/intent";
import { Prefix } from "@caracal/net";

/**
 * A node's tunnels, computed anew only when something changed that they depend on: pods and services come and go all the time, and
 * a large cluster has thousands of remote ends.
 */
export class TunnelMemo {
  #parts: readonly unknown[] = [];
  #intent: TunnelIntent | undefined;

  /** The same object as long as nothing changed. The environment is the daemon's for ever. */
  of(input: TunnelInput): TunnelIntent {
    const parts = partsOf(input);
    const isSame = parts.length === this.#parts.length && parts.every((part, at) => part === this.#parts[at]);
    if (this.#intent !== undefined && isSame) return this.#intent;
    this.#parts = parts;
    this.#intent = tunnelIntent(input);
    return this.#intent;
  }
}

/** Resources are immutable values: one that is the same object is the same. */
function partsOf({ cluster, blocks, ownBlocks, settings }: TunnelInput): readonly unknown[] {
  const { nodes, pools, bgpConfigurations, felixConfigurations = [] } = cluster;
  const { lingering, speaksBgp, bgpHasTunnels } = settings;
  return [
    speaksBgp,
    bgpHasTunnels,
    blocks,
    ownBlocks.map(Prefix.key).join(),
    lingering?.ipip,
    [...(lingering?.vxlan ?? [])].join(),
    nodes.length,
    ...nodes,
    pools.length,
    ...pools,
    bgpConfigurations.length,
    ...bgpConfigurations,
    ...felixConfigurations,
  ];
}
