import { type AttributeId } from "./attribute-table.ts";
import { grown, grownBytes, growthFactor } from "./columns.ts";
import { type PrefixSlot } from "./prefix-slots.ts";

/** Index of a route; 0 is none. */
export type RouteRow = number;

/** Index of a peer in the speaker's list; 0 is the speaker itself. */
export type PeerIndex = number;

export const RouteFlag = {
  /** Kept over a session's loss (RFC 4724 §4.2). */
  stale: 1,
  /** Our AS, identifier or cluster is in it already: never used, kept so that a change of mind needs no refresh. */
  looped: 2,
  /** The import policy refused it. */
  filtered: 4,
  /** Not told again so far by a peer that tells all of its routes again (RFC 7313 §4). */
  unconfirmed: 64,
  /** Kept beyond the restart time: the last choice (RFC 9494 §4.3). */
  longLived: 8,
  /** By its mark it should have stayed with customers (RFC 9234 §5): never used. */
  leaked: 128,
} as const;

const initialCapacity = 64;

const noColumn = new Uint32Array(0);

/** Routes as columns: what each peer announced (Adj-RIB-In) and what the import policy made of it. */
export class RouteRows {
  #slots = new Uint32Array(initialCapacity);
  #peers = new Uint32Array(initialCapacity);
  /** Without a column as long as all are 0: most peers do not number paths. */
  #pathIds = noColumn;
  #received = new Uint32Array(initialCapacity);
  #accepted = new Uint32Array(initialCapacity);
  #since = new Uint32Array(initialCapacity);
  #next = new Uint32Array(initialCapacity);
  #flags = new Uint8Array(initialCapacity);
  #used = 1;
  #free: RouteRow = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get capacity(): number {
    return this.#slots.length;
  }

  /** One past the highest row ever used. */
  get bound(): number {
    return this.#used;
  }

  /** A new row, in front of `next`, with nothing accepted yet. */
  add(slot: PrefixSlot, peer: PeerIndex, pathId: number, next: RouteRow): RouteRow {
    let row = this.#free;
    if (row !== 0) {
      this.#free = this.#next[row] ?? 0;
    } else {
      if (this.#used === this.#slots.length) this.#grow();
      row = this.#used;
      this.#used += 1;
    }
    this.#slots[row] = slot;
    this.#peers[row] = peer;
    if (pathId !== 0 && this.#pathIds === noColumn) this.#pathIds = new Uint32Array(this.#slots.length);
    if (this.#pathIds !== noColumn) this.#pathIds[row] = pathId;
    this.#received[row] = 0;
    this.#accepted[row] = 0;
    this.#flags[row] = 0;
    this.#next[row] = next;
    this.#size += 1;
    return row;
  }

  remove(row: RouteRow): void {
    this.#slots[row] = 0;
    this.#next[row] = this.#free;
    this.#free = row;
    this.#size -= 1;
  }

  /** 0 for a row that is not in use. */
  slot(row: RouteRow): PrefixSlot {
    return this.#slots[row] ?? 0;
  }

  peer(row: RouteRow): PeerIndex {
    return this.#peers[row] ?? 0;
  }

  /** As the peer numbered it (RFC 7911 §3). */
  pathId(row: RouteRow): number {
    return this.#pathIds[row] ?? 0;
  }

  /** The next route of the same prefix. */
  next(row: RouteRow): RouteRow {
    return this.#next[row] ?? 0;
  }

  setNext(row: RouteRow, next: RouteRow): void {
    this.#next[row] = next;
  }

  /** As announced, before policy. */
  received(row: RouteRow): AttributeId {
    return this.#received[row] ?? 0;
  }

  setReceived(row: RouteRow, id: AttributeId, sinceS: number): void {
    this.#received[row] = id;
    this.#since[row] = sinceS;
  }

  /** After policy; 0 when the route takes no part in the decision. */
  accepted(row: RouteRow): AttributeId {
    return this.#accepted[row] ?? 0;
  }

  setAccepted(row: RouteRow, id: AttributeId): void {
    this.#accepted[row] = id;
  }

  /** Seconds on the driver's clock. */
  sinceS(row: RouteRow): number {
    return this.#since[row] ?? 0;
  }

  has(row: RouteRow, flag: number): boolean {
    return ((this.#flags[row] ?? 0) & flag) !== 0;
  }

  setFlag(row: RouteRow, flag: number, on: boolean): void {
    const flags = this.#flags[row] ?? 0;
    this.#flags[row] = on ? flags | flag : flags & ~flag;
  }

  #grow(): void {
    const capacity = this.#slots.length * growthFactor;
    this.#slots = grown(this.#slots, capacity);
    this.#peers = grown(this.#peers, capacity);
    if (this.#pathIds !== noColumn) this.#pathIds = grown(this.#pathIds, capacity);
    this.#received = grown(this.#received, capacity);
    this.#accepted = grown(this.#accepted, capacity);
    this.#since = grown(this.#since, capacity);
    this.#next = grown(this.#next, capacity);
    this.#flags = grownBytes(this.#flags, capacity);
  }
}
