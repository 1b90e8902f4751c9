import { IpAddress, type IpFamily, Prefix } from "@caracal/net";
import { type ExportRefusal } from "../export/export-rules.ts";
import { routeSource } from "../export/exported-routes.ts";
import { type RouteSource } from "../export/policy.ts";
import { type PrefixSlot } from "../rib/prefix-slots.ts";
import { type Rib } from "../rib/rib.ts";
import { prefixWords } from "../wire/nlri.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { type Exporter } from "./exporter.ts";
import { type Peer } from "./peer.ts";
import { type RouteSnapshot, type SnapshotContext, snapshotRoutes } from "./snapshot.ts";

/** Prefixes looked at between two pauses of a listing. */
export const listingPausePrefixes = 16_384;

/**
 * A table route by route, read as it is when each route is asked for: nothing is copied before, and the speaker may go on in
 * between. `undefined` is a pause: so many prefixes had nothing to list that the caller may want to do something else first.
 */
export type Listing<Route> = Generator<Route | undefined, void, undefined>;

/** A path that a peer is told, or is not told, and why. */
export interface AdvertisedRoute {
  readonly prefix: Prefix;
  readonly source: RouteSource;
  /** Its sender's address; absent for a local route. */
  readonly from: IpAddress | undefined;
  /** Ours, towards this peer. */
  readonly pathId: number;
  /** As told; what the speaker itself has, of a route that is not told. */
  readonly attributes: PathAttributes;
  /** "waiting": the peer has yet to hear it. "kept": it is not told. */
  readonly state: "told" | "waiting" | "kept";
  /** Of a route that is kept. */
  readonly why?: ExportRefusal;
}

interface ListingPorts extends SnapshotContext {
  readonly rib: (family: IpFamily) => Rib;
  readonly exporter: Exporter;
  readonly peerNamed: (name: string) => Peer | undefined;
}

/** What the speaker holds and tells, for show commands. */
export class Listings {
  readonly #ports: ListingPorts;

  constructor(ports: ListingPorts) {
    this.#ports = ports;
  }

  /** All paths, grouped by prefix, the best of each first; of one prefix only if one is named. */
  routes(prefix?: Prefix): Listing<RouteSnapshot> {
    return this.#walk(prefix, (rib, slot) => snapshotRoutes(rib, slot, this.#ports));
  }

  /** The most specific prefix with a route that an address is in, of those that are no longer than `longest`. */
  covering(address: IpAddress, longest = 128): Prefix | undefined {
    const rib = this.#ports.rib(IpAddress.family(address));
    for (let length = Math.min(longest, rib.family === 4 ? 32 : 128); length >= 0; length -= 1) {
      const prefix = Prefix.of(address, length);
      const slot = rib.slots.find(prefixWords(prefix));
      // A prefix may be kept for what peers still hold of it.
      if (slot !== 0 && rib.first(slot) !== 0) return prefix;
    }
    return undefined;
  }

  /** What a peer said, with what import made of it. Nothing for a peer that is not there. */
  received(name: string, prefix?: Prefix): Listing<RouteSnapshot> {
    const index = this.#ports.peerNamed(name)?.index ?? -1;
    return this.#walk(prefix, (rib, slot) => {
      let row = rib.first(slot);
      while (row !== 0 && rib.rows.peer(row) !== index) row = rib.rows.next(row);
      if (row === 0) return [];
      return snapshotRoutes(rib, slot, this.#ports).filter(
        ({ source }) => source.kind === "peer" && source.name === name,
      );
    });
  }

  /** What a peer is told; of one prefix also what it is not told. Nothing without a session. */
  advertised(name: string, prefix?: Prefix): Listing<AdvertisedRoute> {
    const { exporter, attributes, peer, peerNamed } = this.#ports;
    const to = peerNamed(name);
    return this.#walk(prefix, (rib, slot) => {
      if (to === undefined) return [];
      const exports = exporter.exports(to, rib.family, slot, prefix !== undefined);
      return exports.map(({ source, value, ...rest }): AdvertisedRoute => {
        const from = peer(source);
        return {
          prefix: rib.slots.prefix(slot),
          source: routeSource(from?.facts),
          from: from?.config.address,
          attributes: attributes.get(value),
          ...rest,
        };
      });
    });
  }

  *#walk<Route>(
    prefix: Prefix | undefined,
    list: (rib: Rib, slot: PrefixSlot) => readonly Route[],
  ): Listing<Route> {
    if (prefix !== undefined) {
      const rib = this.#ports.rib(prefix.family);
      const slot = rib.slots.find(prefixWords(prefix));
      if (slot !== 0) yield* list(rib, slot);
      return;
    }
    let silent = 0;
    for (const family of [4, 6] as const) {
      const rib = this.#ports.rib(family);
      for (let slot = 1; slot < rib.slots.bound; slot += 1) {
        const found = rib.slots.has(slot) ? list(rib, slot) : [];
        yield* found;
        silent = found.length > 0 ? 0 : silent + 1;
        if (silent < listingPausePrefixes) continue;
        silent = 0;
        yield undefined;
      }
    }
  }
}
