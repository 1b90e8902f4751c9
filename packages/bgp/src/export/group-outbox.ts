import { type AttributeTable } from "../rib/attribute-table.ts";
import { type Rib } from "../rib/rib.ts";
import { type PeerIndex } from "../rib/route-rows.ts";
import { unicast } from "../wire/capability.ts";
import { encodeRouteRefresh } from "../wire/route-refresh.ts";
import { UpdateWriter, type WriteNlri } from "../wire/update-writer.ts";
import { ExportBatch, type RouteRun } from "./export-batch.ts";
import { type GroupTraits } from "./export-rules.ts";
import { type GroupMember } from "./group-member.ts";

/** Sends bytes to a peer. The same array may go to many: nobody changes it. */
export type SendTo = (peer: PeerIndex, bytes: Uint8Array) => void;

/** Writes batches as UPDATEs, once for all who hear the same. */
export class GroupOutbox {
  readonly #traits: GroupTraits;
  readonly #attributes: AttributeTable;
  readonly #writer: UpdateWriter;
  readonly #write: WriteNlri;
  #batch = new ExportBatch();
  /** The route that is written next. */
  #entry = 0;

  constructor(traits: GroupTraits, rib: Rib, attributes: AttributeTable) {
    this.#traits = traits;
    this.#attributes = attributes;
    this.#writer = new UpdateWriter(traits);
    const { slots } = rib;
    const { addPath } = traits;
    this.#write = (out) => {
      const batch = this.#batch;
      if (addPath) out.u32(batch.pathId(this.#entry));
      slots.write(out, batch.slot(this.#entry));
      this.#entry = batch.next(this.#entry);
    };
  }

  /** Sends a batch to `members`, to each without the routes that are its own. */
  send(batch: ExportBatch, members: readonly GroupMember[], send: SendTo): void {
    if (members.length === 0) return;
    this.#batch = batch;
    const hearers = new Hearers(members, send);
    for (const run of batch.runs()) {
      if (hearers.wouldChange(run.except)) hearers.deliver(this.#writer.take(), run.except);
      this.#encode(run);
      hearers.count(run);
    }
    hearers.deliver(this.#writer.take(), 0);
    for (const member of members) {
      const run = batch.runFor(member.peer);
      if (run === undefined) continue;
      this.#encode(run);
      member.counts.withdrawsAccepted += run.count;
      send(member.peer, this.#writer.take());
    }
  }

  endOfRib(): Uint8Array {
    this.#writer.endOfRib();
    return this.#writer.take();
  }

  /** RFC 7313 §4: `RefreshKind.begin` or `end`. */
  refreshMark(subtype: number): Uint8Array {
    return encodeRouteRefresh({ kind: "routeRefresh", ...unicast(this.#traits.family), subtype });
  }

  #encode(run: RouteRun): void {
    this.#entry = run.first;
    // Attributes that do not fit a message cannot be told; the peer must not keep the route that they replace.
    if (run.value === 0 || !this.#announce(run)) this.#writer.withdraw(run.count, this.#write);
  }

  #announce({ value, count }: RouteRun): boolean {
    return this.#traits.as4
      ? this.#writer.announceEncoded(this.#attributes.canonical(value), count, this.#write)
      : this.#writer.announce(this.#attributes.get(value), count, this.#write);
  }
}

/** Hands out what some members hear and one of them, perhaps, does not. */
class Hearers {
  readonly #members: readonly GroupMember[];
  readonly #peers: ReadonlySet<PeerIndex>;
  readonly #send: SendTo;
  #announcedCount = 0;
  #withdrawnCount = 0;
  /** Who does not hear what is written now; 0 for none. */
  #except: PeerIndex = 0;

  constructor(members: readonly GroupMember[], send: SendTo) {
    this.#members = members;
    this.#peers = new Set(members.map((member) => member.peer));
    this.#send = send;
  }

  /** Whether others would hear a run with this exception than heard the last one. */
  wouldChange(except: PeerIndex): boolean {
    return this.#present(except) !== this.#except;
  }

  count(run: RouteRun): void {
    if (run.value === 0) this.#withdrawnCount += run.count;
    else this.#announcedCount += run.count;
  }

  /** Sends what was written; `except` holds for what follows. */
  deliver(bytes: Uint8Array, except: PeerIndex): void {
    for (const member of this.#members) {
      if (bytes.length === 0 || member.peer === this.#except) continue;
      member.counts.updatesAccepted += this.#announcedCount;
      member.counts.withdrawsAccepted += this.#withdrawnCount;
      this.#send(member.peer, bytes);
    }
    this.#announcedCount = 0;
    this.#withdrawnCount = 0;
    this.#except = this.#present(except);
  }

  #present(except: PeerIndex): PeerIndex {
    return this.#peers.has(except) ? except : 0;
  }
}
