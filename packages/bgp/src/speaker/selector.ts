import { type IpAddress } from "@caracal/net";
import { WellKnownCommunity } from "../iana.ts";
import { type ExportSource } from "../export/export-rules.ts";
import { routeSource } from "../export/exported-routes.ts";
import { type AttributeTable } from "../rib/attribute-table.ts";
import { type Decision } from "../rib/decision.ts";
import { type NextHops } from "../rib/next-hops.ts";
import { type PrefixSlot } from "../rib/prefix-slots.ts";
import { type Rib } from "../rib/rib.ts";
import { type PeerIndex, type RouteRow } from "../rib/route-rows.ts";
import { type BestNextHop, type BestRouteChange } from "./speaker-events.ts";

/** Runs the decision process over what changed, and says what is different now (RFC 4271 §9.1.2). */
export class Selector {
  readonly #attributes: AttributeTable;
  readonly #decision: Decision;
  readonly #nextHops: NextHops;
  readonly #source: (index: PeerIndex) => ExportSource | undefined;
  readonly #tellsChanges: boolean;

  /** Prefixes of the family at hand whose next hop resolves differently now. */
  readonly #moved = new Set<PrefixSlot>();

  constructor(
    attributes: AttributeTable,
    decision: Decision,
    nextHops: NextHops,
    source: (index: PeerIndex) => ExportSource | undefined,
    tellsChanges: boolean,
  ) {
    this.#attributes = attributes;
    this.#decision = decision;
    this.#nextHops = nextHops;
    this.#source = source;
    this.#tellsChanges = tellsChanges;
  }

  /** Chooses for every dirty prefix; `onPrefix` hears each of them, `changes` gets what the kernel should know. */
  run(rib: Rib, changes: BestRouteChange[], onPrefix: (slot: PrefixSlot) => void): void {
    for (const slot of rib.takeDirty()) {
      if (!rib.slots.has(slot)) continue;
      const change = this.#choose(rib, slot);
      if (change !== undefined) changes.push(change);
      onPrefix(slot);
      rib.settle(slot);
    }
  }

  #choose(rib: Rib, slot: PrefixSlot): BestRouteChange | undefined {
    const rowBefore = rib.best(slot);
    const valueBefore = rib.bestAttributes(slot);
    const wasMultipath = rib.isMultipath(slot);
    const wasMoved = rib.isBestGone(slot) || this.#moved.has(slot);
    const row = this.#decision.decide(rib, slot);
    const { equal } = this.#decision;
    const isMultipath = equal.length > 1;
    rib.setBest(slot, row, isMultipath);
    if (!this.#tellsChanges) return undefined;
    if (row === 0) return rowBefore === 0 ? undefined : { kind: "unreach", prefix: rib.slots.prefix(slot) };
    // With several next hops the set may have changed behind the same best route: said again, the receiver compares.
    const isSame = row === rowBefore && rib.rows.accepted(row) === valueBefore && !wasMoved;
    if (isSame && !wasMultipath && !isMultipath) return undefined;
    const source = this.#source(rib.rows.peer(row));
    const attributes = this.#attributes.get(rib.rows.accepted(row));
    const discards =
      source?.discardsBlackhole === true && attributes.communities?.includes(WellKnownCommunity.blackhole);
    return {
      kind: "reach",
      prefix: rib.slots.prefix(slot),
      source: routeSource(source),
      attributes,
      nextHops: this.#nextHopsOf(rib, equal),
      ...(discards === true ? { discards } : {}),
    };
  }

  /** Marks every prefix dirty that has a route over a next hop whose resolution changed. */
  resolutionChanged(
    ribs: readonly Rib[],
    changes: BestRouteChange[],
    onPrefix: (rib: Rib, slot: PrefixSlot) => void,
  ): void {
    const isChanged = this.#nextHops.refresh();
    for (const rib of ribs) {
      for (let row = 1; row < rib.rows.bound; row += 1) {
        const id = rib.rows.slot(row) === 0 ? 0 : rib.rows.accepted(row);
        const nextHop = id === 0 ? undefined : this.#attributes.nextHop(id);
        if (nextHop === undefined || !isChanged(nextHop)) continue;
        this.#moved.add(rib.rows.slot(row));
        rib.markDirty(rib.rows.slot(row));
      }
      this.run(rib, changes, (slot) => onPrefix(rib, slot));
      this.#moved.clear();
    }
  }

  /** Each address once, the best route's first. */
  #nextHopsOf(rib: Rib, rows: readonly RouteRow[]): BestNextHop[] {
    const seen = new Set<IpAddress>();
    const hops: BestNextHop[] = [];
    for (const row of rows) {
      const nextHop = this.#attributes.nextHop(rib.rows.accepted(row));
      if (nextHop === undefined || seen.has(nextHop)) continue;
      seen.add(nextHop);
      hops.push({ address: nextHop, resolution: this.#nextHops.resolve(nextHop) });
    }
    return hops;
  }
}
