import { type IpFamily, type Ipv4 } from "@caracal/net";
import { routeSource } from "../export/update-group.ts";
import { type Policies } from "../export/policy.ts";
import { type AttributeId, type AttributeTable } from "../rib/attribute-table.ts";
import { type Rib } from "../rib/rib.ts";
import { RouteFlag, type RouteRow } from "../rib/route-rows.ts";
import { type Millis } from "../session/session-config.ts";
import { AsPath } from "../wire/as-path.ts";
import { type NlriBlock, NlriCursor } from "../wire/nlri.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { type Announcement, type Update } from "../wire/update.ts";
import { type Peer } from "./peer.ts";

/** Turns what peers say into routes (RFC 4271 §9: the Update-Receive phase and §9.1.1's policy). */
export class Importer {
  readonly #attributes: AttributeTable;
  readonly #routerId: Ipv4;
  readonly #rib: (family: IpFamily) => Rib;
  policies: Policies = new Map();

  constructor(attributes: AttributeTable, routerId: Ipv4, rib: (family: IpFamily) => Rib) {
    this.#attributes = attributes;
    this.#routerId = routerId;
    this.#rib = rib;
  }

  /** Puts an UPDATE into the tables; prefixes that it touched are dirty. */
  update(peer: Peer, update: Update, now: Millis): void {
    const agreed = peer.negotiated?.families ?? [];
    for (const block of update.withdrawn) if (agreed.includes(block.family)) this.#withdraw(peer, block);
    for (const one of update.announced) {
      if (agreed.includes(one.nlri.family)) this.#announce(peer, one, now);
    }
  }

  /** Decides about every route of a peer again, from what it said. */
  reconsider(peer: Peer, rib: Rib): void {
    for (let row = 1; row < rib.rows.bound; row += 1) {
      if (rib.rows.slot(row) === 0 || rib.rows.peer(row) !== peer.index) continue;
      const before = rib.rows.accepted(row);
      this.#accept(peer, rib, row, this.#isLoop(peer, this.#attributes.get(rib.rows.received(row))));
      if (rib.rows.accepted(row) !== before) rib.markDirty(rib.rows.slot(row));
    }
  }

  #withdraw(peer: Peer, block: NlriBlock): void {
    const rib = this.#rib(block.family);
    const cursor = new NlriCursor(block);
    while (cursor.next()) {
      peer.imports.withdrawsReceived += 1;
      const slot = rib.slots.find(cursor);
      const row = slot === 0 ? 0 : rib.find(slot, peer.index, cursor.pathId);
      if (row === 0) {
        peer.imports.withdrawsIgnored += 1;
        continue;
      }
      peer.imports.withdrawsAccepted += 1;
      rib.remove(row);
    }
  }

  #announce(peer: Peer, { nlri, attributes }: Announcement, now: Millis): void {
    const rib = this.#rib(nlri.family);
    const id = this.#attributes.intern(attributes);
    const isLoop = this.#isLoop(peer, attributes);
    const sinceS = Math.floor(now / 1000);
    const cursor = new NlriCursor(nlri);
    while (cursor.next()) {
      peer.imports.updatesReceived += 1;
      const row = rib.take(cursor, peer.index, cursor.pathId);
      const { rows } = rib;
      if (rows.received(row) === id) {
        rows.setFlag(row, RouteFlag.stale, false);
        peer.imports.updatesIgnored += 1;
        continue;
      }
      rib.setReceived(row, id, sinceS);
      rows.setFlag(row, RouteFlag.stale, false);
      this.#accept(peer, rib, row, isLoop);
      this.#count(peer, rib, row);
      rib.markDirty(rows.slot(row));
    }
  }

  #accept(peer: Peer, rib: Rib, row: RouteRow, isLoop: boolean): void {
    const { rows } = rib;
    const accepted = isLoop ? 0 : this.#byPolicy(peer, rib, row);
    rows.setFlag(row, RouteFlag.looped, isLoop);
    rows.setFlag(row, RouteFlag.filtered, !isLoop && accepted === 0);
    rib.setAccepted(row, accepted);
  }

  #byPolicy(peer: Peer, rib: Rib, row: RouteRow): AttributeId {
    const received = rib.rows.received(row);
    const policy = this.policies.get(peer.config.importPolicy);
    if (policy === undefined) return received;
    const attributes = this.#attributes.get(received);
    const prefix = rib.slots.prefix(rib.rows.slot(row));
    const value = policy({ prefix, attributes, source: routeSource(peer.facts) });
    if (value === undefined) return 0;
    return value === attributes ? received : this.#attributes.intern(value);
  }

  #count(peer: Peer, rib: Rib, row: RouteRow): void {
    if (rib.rows.has(row, RouteFlag.looped)) peer.imports.updatesRejected += 1;
    else if (rib.rows.has(row, RouteFlag.filtered)) peer.imports.updatesFiltered += 1;
    else peer.imports.updatesAccepted += 1;
  }

  /** Whether the route has been here: RFC 4271 §9.1.2, RFC 4456 §8; or leads back to us (RFC 4271 §5.1.3). */
  #isLoop(peer: Peer, value: PathAttributes): boolean {
    if (AsPath.count(value.asPath, peer.localAsn) > peer.config.allowLocalAs) return true;
    if (value.originatorId === this.#routerId) return true;
    if (value.clusterList?.includes(peer.clusterId) === true) return true;
    return value.nextHop !== undefined && value.nextHop === peer.negotiated?.localAddress;
  }
}
