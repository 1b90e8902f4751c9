import { IpAddress, type Ipv4 } from "@caracal/net";
import { WellKnownCommunity } from "../iana.ts";
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

/** How ties are broken where the RFCs leave it open; absent is as BIRD does. */
export interface DecisionOptions {
  /** MED compares routes of different neighbouring ASes as well. */
  readonly alwaysCompareMed?: boolean;
  /** A route without MED counts as the worst, not as 0. */
  readonly missingMedWorst?: boolean;
  readonly multipath?: MultipathOptions;
}

/** How many routes share the traffic of one prefix; absent: as many as are equal. */
export interface MultipathOptions {
  readonly external?: number;
  readonly internal?: number;
  /** Only with the very same AS path, not just one as long. */
  readonly sameAsPath?: boolean;
}

/** Why a route that could be used is not the best one: the step that it lost. */
export type DecisionReason =
  | "not our own"
  /** Kept beyond its peer's restart time. */
  | "long-lived stale"
  | "local preference"
  | "AS path length"
  | "origin"
  | "MED"
  | "internal"
  | "interior cost"
  | "router ID"
  | "cluster list length"
  | "neighbor address"
  | "path ID";

/** One rule: which of several routes it leaves. Of one route it leaves that one. */
interface Step {
  readonly reason: DecisionReason;
  readonly narrow: (rib: Rib, rows: RouteRow[]) => RouteRow[];
}

/** Chooses routes: RFC 4271 §9.1, RFC 4456 §9. Holds scratch space only. */
export class Decision {
  readonly #attributes: AttributeTable;
  readonly #nextHops: NextHops;
  readonly #peerFacts: (index: PeerIndex) => PeerFacts | undefined;
  #options: DecisionOptions = {};
  /** RFC 4271 §9.1.1 and §9.1.2.2 a–e: what they leave may share the traffic. */
  readonly #sharing: readonly Step[];
  /** RFC 4271 §9.1.2.2 f, g and RFC 4456 §9; the path identifier last (RFC 7911 leaves it open). */
  readonly #breaking: readonly Step[];
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
    this.#sharing = this.#sharingSteps();
    this.#breaking = this.#breakingSteps();
  }

  /** Breaks ties so from now on. Says whether that is another way than before: then every prefix is to be decided anew. */
  take(options: DecisionOptions): boolean {
    const isOther = JSON.stringify(options) !== JSON.stringify(this.#options);
    this.#options = options;
    return isOther;
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
    const equal = narrowed(this.#sharing, rib, candidates);
    const best = this.#first(rib, equal);
    this.equal = equal.length === 1 ? equal : this.#sharers(rib, best, equal);
    return best;
  }

  /** The routes that may be chosen, in order of preference; each is worked out when it is asked for. */
  *ranked(rib: Rib, slot: PrefixSlot): Iterable<RouteRow> {
    let left = this.#usable(rib, slot);
    while (left.length > 0) {
      const best = this.#first(rib, narrowed(this.#sharing, rib, left));
      yield best;
      left = left.filter((row) => row !== best);
    }
  }

  /** For each route of a prefix that could be chosen and is not the best, the step that it lost: for show commands. */
  explain(rib: Rib, slot: PrefixSlot): ReadonlyMap<RouteRow, DecisionReason> {
    const reasons = new Map<RouteRow, DecisionReason>();
    let left = this.#usable(rib, slot);
    for (const { reason, narrow } of [...this.#sharing, ...this.#breaking]) {
      if (left.length <= 1) break;
      const next = narrow(rib, left);
      for (const row of left) if (!next.includes(row)) reasons.set(row, reason);
      left = next;
    }
    return reasons;
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

  #usable(rib: Rib, slot: PrefixSlot): RouteRow[] {
    const rows: RouteRow[] = [];
    for (let row = rib.first(slot); row !== 0; row = rib.rows.next(row)) {
      if (this.isUsable(rib, row)) rows.push(row);
    }
    return rows;
  }

  /** Of routes that share the traffic the one to be told. */
  #first(rib: Rib, rows: RouteRow[]): RouteRow {
    return narrowed(this.#breaking, rib, rows)[0] ?? 0;
  }

  /** Those of `equal` that the options let take part, the best first. */
  #sharers(rib: Rib, best: RouteRow, equal: RouteRow[]): readonly RouteRow[] {
    const { external = Infinity, internal = Infinity, sameAsPath = false } = this.#options.multipath ?? {};
    const most = this.#isExternal(rib, best) ? external : internal;
    const path = (row: RouteRow): string =>
      AsPath.format(this.#attributes.get(rib.rows.accepted(row)).asPath);
    let others = equal.filter((row) => row !== best && (!sameAsPath || path(row) === path(best)));
    if (others.length < most) return [best, ...others];
    // Which ones must not depend on who came first.
    const shared = [best];
    while (shared.length < most) {
      const next = this.#first(rib, others);
      shared.push(next);
      others = others.filter((row) => row !== next);
    }
    return shared;
  }

  #sharingSteps(): readonly Step[] {
    const table = this.#attributes;
    const value = (rib: Rib, row: RouteRow): PathAttributes => table.get(rib.rows.accepted(row));
    return [
      // Our own routes are worth more than anything learned, as a static route is to BIRD.
      leastBy("not our own", (rib, row) => (rib.rows.peer(row) === 0 ? 0 : 1)),
      // RFC 9494 §4.3: the last choice, whoever kept it.
      {
        reason: "long-lived stale",
        narrow: (rib, rows) => {
          const fresh = rows.filter((row) => !isLongLived(value(rib, row)));
          return fresh.length === 0 ? rows : fresh;
        },
      },
      leastBy("local preference", (rib, row) => -(value(rib, row).localPref ?? defaultLocalPref)),
      leastBy("AS path length", (rib, row) => table.pathLength(rib.rows.accepted(row))),
      leastBy("origin", (rib, row) => value(rib, row).origin),
      { reason: "MED", narrow: (rib, rows) => this.#lowestMed(rib, rows) },
      leastBy("internal", (rib, row) => (this.#isExternal(rib, row) ? 0 : 1)),
      leastBy("interior cost", (rib, row) =>
        rib.rows.peer(row) === 0 ? 0 : this.#metric(rib.rows.accepted(row)),
      ),
    ];
  }

  #breakingSteps(): readonly Step[] {
    const value = (rib: Rib, row: RouteRow): PathAttributes => this.#attributes.get(rib.rows.accepted(row));
    return [
      leastBy(
        "router ID",
        (rib, row) => value(rib, row).originatorId ?? this.#facts(rib, row)?.routerId ?? 0,
      ),
      leastBy("cluster list length", (rib, row) => value(rib, row).clusterList?.length ?? 0),
      {
        reason: "neighbor address",
        narrow: (rib, rows) => {
          const nearest = rows.reduce((best, row) => (this.#order(rib, row, best) < 0 ? row : best));
          return rows.filter((row) => this.#order(rib, row, nearest) === 0);
        },
      },
      leastBy("path ID", (rib, row) => rib.rows.pathId(row)),
    ];
  }

  /** RFC 4271 §9.1.2.2 c: MED compares only routes from the same neighbouring AS, unless the operator wants all. */
  #lowestMed(rib: Rib, rows: RouteRow[]): RouteRow[] {
    if (rows.length === 1) return rows;
    const { alwaysCompareMed = false, missingMedWorst = false } = this.#options;
    const missing = missingMedWorst ? Infinity : 0;
    const lowest = new Map<number, number>();
    const inputs = rows.map((row) => {
      const { asPath, med = missing } = this.#attributes.get(rib.rows.accepted(row));
      const neighbor = alwaysCompareMed ? 0 : AsPath.neighbor(asPath);
      lowest.set(neighbor, Math.min(med, lowest.get(neighbor) ?? Infinity));
      return { row, med, neighbor };
    });
    return inputs.filter(({ med, neighbor }) => med === lowest.get(neighbor)).map(({ row }) => row);
  }

  #order(rib: Rib, row: RouteRow, than: RouteRow): number {
    const a = this.#facts(rib, row);
    const b = this.#facts(rib, than);
    return a === undefined || b === undefined ? 0 : IpAddress.compare(a.address, b.address);
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

function isLongLived({ communities }: PathAttributes): boolean {
  return communities?.includes(WellKnownCommunity.llgrStale) === true;
}

const noRows: readonly RouteRow[] = [];

function narrowed(steps: readonly Step[], rib: Rib, rows: RouteRow[]): RouteRow[] {
  let left = rows;
  for (const { narrow } of steps) {
    if (left.length <= 1) return left;
    left = narrow(rib, left);
  }
  return left;
}

/** The rows with the smallest key. */
function leastBy(reason: DecisionReason, key: (rib: Rib, row: RouteRow) => number): Step {
  return {
    reason,
    narrow: (rib, rows) => {
      if (rows.length <= 1) return rows;
      let smallest = Infinity;
      const keys = rows.map((row) => {
        const found = key(rib, row);
        if (found < smallest) smallest = found;
        return found;
      });
      return rows.filter((_, index) => keys[index] === smallest);
    },
  };
}
