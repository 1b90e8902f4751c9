import { type IpAddress } from "@caracal/net";
import { type AttributeId, type AttributeTable } from "../rib/attribute-table.ts";
import { type PeerIndex } from "../rib/route-rows.ts";
import { type ExportSource } from "./export-rules.ts";

interface GroupPlace {
  readonly attributes: AttributeTable;
  readonly source: (index: PeerIndex) => ExportSource | undefined;
}

/** Which member of a group does not hear a route that the others are told: at most one, and 0 for none. */
export class UnhearingMember {
  readonly #members: ReadonlyMap<PeerIndex, unknown>;
  readonly #place: GroupPlace;
  /** The source asked for last: prefixes come in runs of one source. -1: none. */
  #recentSource: PeerIndex = -1;
  #recentMember: PeerIndex = 0;
  #byAddress: ReadonlyMap<IpAddress, PeerIndex> | undefined;

  constructor(members: ReadonlyMap<PeerIndex, unknown>, place: GroupPlace) {
    this.#members = members;
    this.#place = place;
  }

  /** A route is not told to the one that it came from, nor one of our own to the one that it leads to. */
  of(source: PeerIndex, value: AttributeId): PeerIndex {
    if (source === 0) return this.#nextHop(value);
    if (source !== this.#recentSource) {
      this.#recentSource = source;
      this.#recentMember = this.#members.has(source) ? source : 0;
    }
    return this.#recentMember;
  }

  /** Members came or went. */
  forget(): void {
    this.#recentSource = -1;
    this.#byAddress = undefined;
  }

  /** RFC 4271 §5.1.3: what a speaker originates does not go to a peer with that peer's address as next hop. */
  #nextHop(value: AttributeId): PeerIndex {
    const nextHop = this.#place.attributes.nextHop(value);
    if (nextHop === undefined) return 0;
    this.#byAddress ??= new Map(
      Array.from(this.#members.keys()).flatMap((peer): [IpAddress, PeerIndex][] => {
        const address = this.#place.source(peer)?.address;
        return address === undefined ? [] : [[address, peer]];
      }),
    );
    return this.#byAddress.get(nextHop) ?? 0;
  }
}
