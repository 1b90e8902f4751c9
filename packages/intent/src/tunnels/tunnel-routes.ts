import { IpAddress, Prefix } from "@caracal/net";
import type { ClusterFacts, NodeFacts, PoolFacts } from "../cluster.ts";
import { hasVxlan, isOurs, type Overlay, poolOf, wayTo } from "./overlay.ts";
import type { RoutedBlock } from "./routed-block.ts";
import type { Tunnel, TunnelRoute, Vtep } from "./tunnel-intent.ts";

export interface RouteInput {
  readonly blocks: readonly RoutedBlock[];
  readonly ownBlocks: readonly Prefix[];
  readonly overlay: Overlay;
  readonly tunnels: readonly Tunnel[];
  readonly cluster: ClusterFacts;
  readonly self: NodeFacts;
}

/** Routes to other nodes' blocks, to addresses that lie outside their node's blocks, and what stops at our own. */
export function tunnelRoutes(input: RouteInput): readonly TunnelRoute[] {
  const { blocks, ownBlocks, overlay, self } = input;
  const ways = new Ways(input);
  const routes = new Map<string, TunnelRoute>();
  const add = (prefix: Prefix, node: string): void => {
    const route = ways.routeTo(prefix, node);
    if (route !== undefined) routes.set(Prefix.key(prefix), route);
  };
  const ownerOf = new Map<string, string>();
  const isOwn = new Set(ownBlocks.map(Prefix.key));
  for (const { prefix, node } of blocks) {
    const key = Prefix.key(prefix);
    if (node !== undefined) ownerOf.set(key, node);
    // The record may still name its last owner where this node has just claimed the block.
    if (node !== undefined && !isOwn.has(key)) add(prefix, node);
  }
  for (const { borrowed } of blocks)
    for (const { address, node } of borrowed) add(Prefix.host(address), node);
  const blockLengths = [...new Set(blocks.map(({ prefix }) => `${prefix.family} ${prefix.length}`))].map(
    (text) => text.split(" ").map(Number),
  );
  // Most tunnel addresses lie in a block of their node, whose route leads there anyway.
  for (const { node, address } of ways.ends()) {
    const isCovered = blockLengths.some(
      ([family, length = 0]) =>
        family === IpAddress.family(address) && ownerOf.get(Prefix.key(Prefix.of(address, length))) === node,
    );
    if (!isCovered) add(Prefix.host(address), node);
  }
  for (const prefix of ownBlocks) {
    const pool = poolOf(overlay.pools, prefix);
    // One address has no room for a blackhole beside its pod's route.
    if (pool === undefined || !stopsAt(overlay, pool) || Prefix.isHost(prefix)) continue;
    if (self.addresses.has(prefix.family)) routes.set(Prefix.key(prefix), { kind: "blackhole", prefix });
  }
  return [...routes.values()].toSorted((a, b) => Prefix.compare(a.prefix, b.prefix));
}

/** Stock BIRD, too, leaves whatever lies in a VXLAN pool to the agent. */
function stopsAt(overlay: Overlay, pool: PoolFacts): boolean {
  return isOurs(overlay, pool) && (overlay.ownsBlackholes || hasVxlan(pool));
}

/** How prefixes are reached on other nodes. */
class Ways {
  readonly #input: RouteInput;
  /** By family and node. */
  readonly #vteps = new Map<string, Vtep>();

  constructor(input: RouteInput) {
    this.#input = input;
    for (const tunnel of input.tunnels) {
      if (tunnel.kind !== "vxlan") continue;
      for (const vtep of tunnel.vteps) this.#vteps.set(`${tunnel.family} ${vtep.node}`, vtep);
    }
  }

  /** The VXLAN ends of other nodes. */
  ends(): Iterable<Vtep> {
    return this.#vteps.values();
  }

  routeTo(prefix: Prefix, name: string): TunnelRoute | undefined {
    const { overlay, self, cluster } = this.#input;
    const { family } = prefix;
    const host = name === self.name ? undefined : cluster.nodesByName.get(name)?.addresses.get(family);
    const pool = poolOf(overlay.pools, prefix);
    if (host === undefined || pool === undefined) return undefined;
    switch (wayTo(overlay, pool, self, host.address)) {
      case "none":
        return undefined;
      case "direct":
        return { kind: "direct", prefix, gateway: host.address };
      case "ipip":
        return { kind: "tunnel", prefix, device: "tunl0", gateway: host.address };
      case "vxlan": {
        const end = this.#vteps.get(`${family} ${name}`);
        const device = family === 4 ? "vxlan.calico" : "vxlan-v6.calico";
        return end === undefined ? undefined : { kind: "tunnel", prefix, device, gateway: end.address };
      }
    }
  }
}
