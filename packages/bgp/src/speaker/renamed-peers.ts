import { comparePeers, type PeerConfig } from "./peer-config.ts";
import { type Peer } from "./peer.ts";

/** A peer that is wanted under another name. */
export interface RenamedPeer {
  readonly peer: Peer;
  readonly config: PeerConfig;
}

/**
 * Peers whose old name is not wanted any more while a new one is, at the same address and port and on the same terms: the
 * same neighbour, which keeps its session. So a mesh session becomes one of a BGPPeer without a break.
 */
export function renamedPeers(
  byName: ReadonlyMap<string, Peer>,
  wanted: ReadonlyMap<string, PeerConfig>,
): readonly RenamedPeer[] {
  const left = new Map<string, Peer>();
  for (const peer of byName.values()) {
    if (!wanted.has(peer.config.name)) left.set(endpointOf(peer.config), peer);
  }
  if (left.size === 0) return [];
  return [...wanted.values()].flatMap((config) => {
    const peer = byName.has(config.name) ? undefined : left.get(endpointOf(config));
    if (peer === undefined || comparePeers(peer.config, config) === "reset") return [];
    left.delete(endpointOf(config));
    return [{ peer, config }];
  });
}

function endpointOf({ address, port }: PeerConfig): string {
  return `${typeof address} ${address} ${port}`;
}
