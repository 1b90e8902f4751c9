import { IpAddress, Prefix } from "@caracal/net";
import { type Millis } from "../session/session-config.ts";
import { type PeerConfig, peerConfig } from "./peer-config.ts";
import { type Peer } from "./peer.ts";

/** What all peers of a range have in common. */
export type PeerTemplate = Omit<PeerConfig, "name" | "address" | "passive">;

/** Peers that are not known one by one: whoever connects from a prefix is one. We never call them. */
export interface PeerRange {
  /** Unique among ranges. */
  readonly name: string;
  readonly prefix: Prefix;
  readonly template: PeerTemplate;
  /** As many at once; one that is away makes room. */
  readonly maxPeers: number;
  /** How long one is remembered whose session and last stale route are gone. */
  readonly forgetAfterMs: Millis;
}

/** What a range is by itself, and what Calico's defaults make of the rest. */
export type PeerRangeInput = Pick<PeerRange, "name" | "prefix"> &
  Partial<Pick<PeerRange, "maxPeers" | "forgetAfterMs">> & {
    readonly template: Partial<PeerTemplate> & Pick<PeerTemplate, "asn">;
  };

export function peerRange({ template, ...input }: PeerRangeInput): PeerRange {
  const {
    name: _name,
    address: _address,
    passive: _passive,
    ...common
  } = peerConfig({
    ...template,
    name: "",
    address: input.prefix.address,
  });
  return { maxPeers: 1000, forgetAfterMs: 60_000, ...input, template: common };
}

/** What a peer of a range is called, always the same for one address; without an address how all their names begin. */
export function dynamicPeerName(range: string, address?: IpAddress): string {
  return `${range}@${address === undefined ? "" : IpAddress.format(address)}`;
}

/** The ranges, and which peer is of which. */
export class DynamicPeers {
  /** The most specific first. */
  #ranges: readonly PeerRange[] = [];

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  replace(ranges: readonly PeerRange[]): void {
    this.#ranges = ranges.toSorted((a, b) => b.prefix.length - a.prefix.length);
  }

  /** The most specific range that an address is in. */
  rangeOf(address: IpAddress): PeerRange | undefined {
    return this.#ranges.find(({ prefix }) => Prefix.contains(prefix, address));
  }

  /** Those of a speaker's peers that the ranges still ask for, as they ask for them now. */
  configs(
    peers: Iterable<Peer>,
    configured: readonly PeerConfig[],
  ): { config: PeerConfig; range: PeerRange }[] {
    const own = new Set(configured.map(({ address }) => address));
    const names = new Set(configured.map(({ name }) => name));
    const wanted: { config: PeerConfig; range: PeerRange }[] = [];
    for (const peer of peers) {
      const { address } = peer.config;
      // A configured address wins over a prefix.
      if (peer.range === undefined || own.has(address)) continue;
      const range = this.rangeOf(address);
      if (range === undefined || names.has(dynamicPeerName(range.name, address))) continue;
      wanted.push({ config: configOf(range, address), range });
    }
    return wanted;
  }

  /** The peer that somebody who connects is to be; "full" where the range has no room for one more. */
  welcome(
    address: IpAddress,
    peers: Iterable<Peer>,
  ): { config: PeerConfig; range: PeerRange; instead: Peer | undefined } | "unknown" | "full" {
    const range = this.rangeOf(address);
    if (range === undefined) return "unknown";
    const config = configOf(range, address);
    const members = [...peers].filter((peer) => peer.range?.name === range.name);
    if (members.length < range.maxPeers) return { config, range, instead: undefined };
    // The one that has been away for the longest time makes room.
    const away = members.filter((peer) => forgetAt(peer) < Infinity);
    const [instead] = away.toSorted((a, b) => a.since - b.since);
    return instead === undefined ? "full" : { config, range, instead };
  }
}

/**
 * When a peer of a range is forgotten: nothing connects it, nothing of it is left. One that waits because it erred, or is
 * disabled, is kept in mind for that.
 */
export function forgetAt({ range, session, stale, since }: Peer): Millis {
  if (range === undefined || session.state !== "Active" || stale.size > 0) return Infinity;
  return since + range.forgetAfterMs;
}

function configOf({ name, template }: PeerRange, address: IpAddress): PeerConfig {
  return { ...template, name: dynamicPeerName(name, address), address, passive: true };
}
