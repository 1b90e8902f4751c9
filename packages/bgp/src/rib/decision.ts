import { IpAddress, type Ipv4 } from "@caracal/net";
import { AsPath } from "../wire/as-path.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { type AttributeId, type AttributeTable } from "./attribute-table.ts";
import { type NextHops } from "./next-hops.ts";
import { type PrefixSlot } from "./prefix-slots.ts";
import { type Rib } from "./rib.ts";
import { type PeerIndex, type RouteRow } from "./route-rows.ts";

/** What the decision needs to know of the peer that a route came from. */
export interface PeerFacts {
  readonly name: string;
  readonly address: IpAddress;
  readonly external: boolean;
  /** The identifier of its current or last session. */
  readonly routerId: Ipv4;
}

/** A route without LOCAL_PREF is taken to have this one. */
export const defaultLocalPref = 100;

/** Chooses routes: RFC 4271 §9.1, RFC 4456 §9. Holds scratch space only. */
export class Decision {
  readonly #attributes: AttributeTable;
  readonly #nextHops: NextHops;
  readonly #peerFacts: (index: PeerIndex) => PeerFacts | undefined;
  /** Used again and again, as most prefixes have one route. */
  readonly #alone: RouteRow[] = [0];
  /** The routes that share the traffic, the best one first; empty without a best one. Valid until the next `decide`. */
  equal: readonly RouteRow[] = [];
  /** Routes of peers wait: the selection deferral of RFC 4724 §4.1. */
  localOnly = false;

  constructor(
    attributes: AttributeTable,
    nextHops: NextHops,
    peerFacts: (index: PeerIndex) => PeerFacts | undefined,
  ) {
    this.#attributes = attributes;
    this.#nextHops = nextHops;
    this.#peerFacts = peerFacts;
  }

  /** The best route of a prefix, or 0. */
  decide(rib: Rib, slot: PrefixSlot): RouteRow {
    const { rows } = rib;
    const first = rib.first(slot);
    if (rows.next(first) === 0) return this.#single(first !== 0 && this.isUsable(rib, first) ? first : 0);
    let only: RouteRow = 0;
    let candidates: RouteRow[] | undefined;
    for (let row = first; row !== 0; row = rows.next(row)) {
      if (!this.isUsable(rib, row)) continue;
      if (only === 0) only = row;
      else if (candidates === undefined) candidates = [only, row];
      else candidates.push(row);
    }
    if (candidates === undefined) return this.#single(only);
    const equal = this.#tieSet(rib, candidates);
    const best = this.#breakTie(rib, equal);
    this.equal = equal.length === 1 ? equal : [best, ...equal.filter((row) => row !== best)];
    return best;
  }

  /** Whether a route may be chosen: accepted, and its next hop leads somewhere (RFC 4271 §9.1.2). */
  isUsable(rib: Rib, row: RouteRow): boolean {
    const id = rib.rows.accepted(row);
    if (id === 0) return false;
    if (rib.rows.peer(row) === 0) return true;
    return !this.localOnly && this.#metric(id) !== Infinity;
  }

  #single(row: RouteRow): RouteRow {
    this.#alone[0] = row;
    this.equal = row === 0 ? noRows : this.#alone;
    return row;
  }

  /** RFC 4271 §9.1.1 and §9.1.2.2 a–e: what is left may share the traffic. */
  #tieSet(rib: Rib, candidates: RouteRow[]): RouteRow[] {
    const table = this.#attributes;
    const id = (row: RouteRow): number => rib.rows.accepted(row);
    const value = (row: RouteRow): PathAttributes => table.get(id(row));
    // Our own routes are worth more than anything learned, as a static route is to BIRD.
    let left = least(candidates, (row) => (rib.rows.peer(row) === 0 ? 0 : 1));
    left = least(left, (row) => -(value(row).localPref ?? defaultLocalPref));
    left = least(left, (row) => table.pathLength(id(row)));
    left = least(left, (row) => value(row).origin);
    left = this.#lowestMed(rib, left);
    left = least(left, (row) => (this.#isExternal(rib, row) ? 0 : 1));
    return least(left, (row) => (rib.rows.peer(row) === 0 ? 0 : this.#metric(id(row))));
  }

  /** RFC 4271 §9.1.2.2 c: MED compares only routes from the same neighbouring AS. */
  #lowestMed(rib: Rib, rows: RouteRow[]): RouteRow[] {
    if (rows.length === 1) return rows;
    const lowest = new Map<number, number>();
    for (const row of rows) {
      const { asPath, med = 0 } = this.#attributes.get(rib.rows.accepted(row));
      const neighbor = AsPath.neighbor(asPath);
      lowest.set(neighbor, Math.min(med, lowest.get(neighbor) ?? Infinity));
    }
    return rows.filter((row) => {
      const { asPath, med = 0 } = this.#attributes.get(rib.rows.accepted(row));
      return med === lowest.get(AsPath.neighbor(asPath));
    });
  }

  /** RFC 4271 §9.1.2.2 f, g and RFC 4456 §9; the path identifier last (RFC 7911 leaves it open). */
  #breakTie(rib: Rib, rows: RouteRow[]): RouteRow {
    const value = (row: RouteRow): PathAttributes => this.#attributes.get(rib.rows.accepted(row));
    let left = least(rows, (row) => value(row).originatorId ?? this.#facts(rib, row)?.routerId ?? 0);
    left = least(left, (row) => value(row).clusterList?.length ?? 0);
    return left.reduce((best, row) => (this.#isNearer(rib, row, best) ? row : best));
  }

  #isNearer(rib: Rib, row: RouteRow, than: RouteRow): boolean {
    const a = this.#facts(rib, row);
    const b = this.#facts(rib, than);
    const order = a === undefined || b === undefined ? 0 : IpAddress.compare(a.address, b.address);
    return order === 0 ? rib.rows.pathId(row) < rib.rows.pathId(than) : order < 0;
  }

  #isExternal(rib: Rib, row: RouteRow): boolean {
    return this.#facts(rib, row)?.external ?? true;
  }

  #facts(rib: Rib, row: RouteRow): PeerFacts | undefined {
    return this.#peerFacts(rib.rows.peer(row));
  }

  #metric(id: AttributeId): number {
    const nextHop = this.#attributes.nextHop(id);
    return nextHop === undefined ? 0 : this.#nextHops.metric(nextHop);
  }
}

const noRows: readonly RouteRow[] = [];

/** The rows with the smallest key. */
function least(rows: RouteRow[], key: (row: RouteRow) => number): RouteRow[] {
  if (rows.length === 1) return rows;
  let smallest = Infinity;
  const keys = rows.map((row) => {
    const found = key(row);
    if (found < smallest) smallest = found;
    return found;
  });
  return rows.filter((_, index) => keys[index] === smallest);
}
