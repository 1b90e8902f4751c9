import { type IpAddress, Prefix } from "@caracal/net";
import type { Node } from "@caracal/resources";
import type { RoutedBlock } from "./routed-block.ts";

/**
 * Where packets of an IPIP tunnel go: to a node. A route from a peer in the node's rack may name a switch as next hop, which
 * would not take them out of the tunnel; then they go to the node that has the block.
 */
export class TunnelEnds {
  readonly #hosts = new Map<string, IpAddress>();
  #isHost: ReadonlySet<IpAddress> = new Set();
  /** Nodes by the keys of what is theirs; undefined until somebody asks. */
  #owners: ReadonlyMap<string, string> | undefined;
  #nodes: readonly Node[] | undefined;
  #blocks: readonly RoutedBlock[] = [];
  #isUsed = false;

  /** The cluster as it is now. True when routes that were told with a switch as next hop may go elsewhere. */
  see(nodes: readonly Node[], blocks: readonly RoutedBlock[]): boolean {
    if (nodes === this.#nodes && blocks === this.#blocks) return false;
    if (nodes !== this.#nodes) {
      this.#hosts.clear();
      for (const { metadata, spec } of nodes) {
        const address = Prefix.parseInterface(spec.bgp?.ipv4Address ?? "")?.address;
        if (address !== undefined) this.#hosts.set(metadata.name, address);
      }
      this.#isHost = new Set(this.#hosts.values());
    }
    this.#nodes = nodes;
    this.#blocks = blocks;
    this.#owners = undefined;
    return this.#isUsed;
  }

  /** Who takes packets to `destination` out of the tunnel, as far as that is known. */
  endOf(destination: Prefix, nextHop: IpAddress): IpAddress {
    if (this.#isHost.has(nextHop)) return nextHop;
    this.#isUsed = true;
    this.#owners ??= ownersOf(this.#blocks);
    return this.#hosts.get(this.#owners.get(Prefix.key(destination)) ?? "") ?? nextHop;
  }
}

function ownersOf(blocks: readonly RoutedBlock[]): ReadonlyMap<string, string> {
  const owners = new Map<string, string>();
  for (const { prefix, node, borrowed } of blocks) {
    if (node !== undefined) owners.set(Prefix.key(prefix), node);
    for (const { address, node: borrower } of borrowed)
      owners.set(Prefix.key(Prefix.host(address)), borrower);
  }
  return owners;
}
