import { type PrefixSlot } from "../rib/prefix-slots.ts";
import { type Rib } from "../rib/rib.ts";
import { type PeerIndex } from "../rib/route-rows.ts";

/** Counts of routes told or not told, in BIRD's words. */
export interface ExportCounts {
  updatesReceived: number;
  updatesRejected: number;
  updatesFiltered: number;
  updatesAccepted: number;
  withdrawsReceived: number;
  withdrawsAccepted: number;
}

export function noExports(): ExportCounts {
  return {
    updatesReceived: 0,
    updatesRejected: 0,
    updatesFiltered: 0,
    updatesAccepted: 0,
    withdrawsReceived: 0,
    withdrawsAccepted: 0,
  };
}

/** How far one peer is with what its group has been told. A slow peer lags alone; the others share their bytes. */
export class GroupMember {
  readonly peer: PeerIndex;
  readonly #rib: Rib;
  /** The next prefix of the initial dump; `Infinity` when it is done. */
  #cursor = 1;
  /** Prefixes that changed while the peer lagged, with the path identifiers that it may still hold. */
  readonly #pending = new Map<PrefixSlot, readonly number[]>();
  /** Whether the peer holds routes that the dump has not come to yet, as after a route refresh. */
  #holdsTable = false;
  /** The driver's queue for this peer is full. */
  congested = false;
  /** RFC 4724 §2: say so when the dump is done. */
  endOfRibDue = true;
  /**
   * A refresh with a beginning and an end that the peer asked for (RFC 7313 §4): one that waits for the first dump's end,
   * or one that goes on.
   */
  markedRefresh: "none" | "waiting" | "running" = "none";
  /** The group's counts when this peer joined, to be taken off. */
  readonly countsBefore: Readonly<ExportCounts>;
  readonly counts: ExportCounts = noExports();

  constructor(peer: PeerIndex, rib: Rib, countsBefore: ExportCounts) {
    this.peer = peer;
    this.#rib = rib;
    this.countsBefore = { ...countsBefore };
  }

  /** Whether it has to be told something of its own; else it hears what the group hears. */
  get isLagging(): boolean {
    return this.congested || this.hasBacklog;
  }

  get hasBacklog(): boolean {
    return this.#cursor !== Infinity || this.#pending.size > 0;
  }

  /** Where the initial dump goes on, if that is all that the peer waits for; peers at one place share the bytes. */
  get sharedCursor(): PrefixSlot | undefined {
    const isPlain = this.#cursor !== Infinity && this.#pending.size === 0 && !this.#holdsTable;
    return isPlain ? this.#cursor : undefined;
  }

  /** It was told the same as `other`, which stood at the same place. */
  follow(other: GroupMember): void {
    this.#cursor = other.#cursor;
  }

  /** Starts over, as the peer asked for everything again (RFC 2918 §4). */
  restart(): void {
    this.#cursor = 1;
    this.#holdsTable = true;
  }

  /**
   * Notes that the group's routes of a prefix change; `held` are the path identifiers that they had before. What the
   * dump has yet to come to can be left to it, unless the peer holds something already.
   */
  missed(slot: PrefixSlot, held: readonly number[], always = false): void {
    const comesLater = slot >= this.#cursor && !this.#holdsTable && !always;
    if (comesLater || this.#pending.has(slot)) return;
    this.#pending.set(slot, held);
    this.#rib.hold(slot);
  }

  /** Takes over what the same peer missed in the group that it comes from. */
  inherit(old: GroupMember): void {
    for (const [slot, held] of old.#pending) this.missed(slot, held, true);
    this.endOfRibDue = old.endOfRibDue;
    this.markedRefresh = old.markedRefresh;
    this.congested = old.congested;
  }

  /** Whether what the group is told of a prefix is still to be told to this peer. */
  awaits(slot: PrefixSlot): boolean {
    return this.#pending.has(slot) || (slot >= this.#cursor && !this.#holdsTable);
  }

  /** Hands up to `limit` prefixes to `tell`: those that changed first, then the dump. */
  catchUp(limit: number, tell: (slot: PrefixSlot, held: readonly number[]) => void): void {
    let left = limit;
    for (const [slot, held] of this.#pending) {
      if (left === 0) return;
      left -= 1;
      tell(slot, held);
      this.#pending.delete(slot);
      this.#rib.release(slot);
    }
    while (left > 0 && this.#cursor < this.#rib.slots.bound) {
      left -= 1;
      if (this.#rib.slots.has(this.#cursor)) tell(this.#cursor, none);
      this.#cursor += 1;
    }
    if (this.#cursor >= this.#rib.slots.bound) {
      this.#cursor = Infinity;
      this.#holdsTable = false;
    }
  }

  /** Lets go of the prefixes it waits for. */
  leave(): void {
    for (const slot of this.#pending.keys()) this.#rib.release(slot);
    this.#pending.clear();
  }
}

const none: readonly number[] = [];
