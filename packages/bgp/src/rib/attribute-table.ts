import { type IpAddress, Writer } from "@caracal/net";
import { AsPath } from "../wire/as-path.ts";
import { decodeCanonical, encodeCanonical, wordAt } from "../wire/canonical-attributes.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { ByteStore } from "./byte-store.ts";
import { grown, grownBytes } from "./columns.ts";

/** Index of an interned attribute set; 0 is none. Valid while somebody retains it, at least until `collect`. */
export type AttributeId = number;

/** Canonical bytes, with what the tables want to know without unpacking them. */
export interface CanonicalAttributes {
  readonly bytes: Uint8Array;
  readonly attributesAt: number;
  readonly attributesEnd: number;
  readonly nextHop: IpAddress | undefined;
  readonly pathLength: number;
}

const initialCapacity = 64;

/** Bits of `#bits`. */
const isHeld = 1;
const isWatched = 2;

/**
 * Every attribute set in use, once. Equal sets have the same id, so routes compare and group by a number. A set is kept
 * as canonical bytes and unpacked when somebody asks for its value. Counted references; a set that nobody holds stays
 * until `collect`, so that it can be passed on before it is retained.
 */
export class AttributeTable {
  readonly #bytes = new ByteStore();
  /** Where unpacked. */
  #values: (PathAttributes | undefined)[] = [undefined];
  #nextHops: (IpAddress | undefined)[] = [undefined];
  #counts = new Uint32Array(initialCapacity);
  #hashes = new Uint32Array(initialCapacity);
  /** Chain of ids with the same bucket. */
  #next = new Uint32Array(initialCapacity);
  #pathLengths = new Uint32Array(initialCapacity);
  #bits = new Uint8Array(initialCapacity);
  #buckets = new Uint32Array(initialCapacity);
  #size = 0;
  #used = 1;
  readonly #free: AttributeId[] = [];
  /** Ids that nobody held at some time since the last `collect`. */
  readonly #watched: AttributeId[] = [];
  readonly #writer: Writer = new Writer(512, 1 << 18);

  readonly #seed: number;

  /** `seed`: bits that no peer can guess, or it could choose sets that all have the same hash. */
  constructor(seed = 0) {
    this.#seed = seed & 0x3fffffff;
  }

  /** Sets held. */
  get size(): number {
    return this.#size;
  }

  /** Columns beside this table need that many values. */
  get capacity(): number {
    return this.#counts.length;
  }

  /** Of the sets' own bytes. */
  get capacityBytes(): number {
    return this.#bytes.capacity;
  }

  get(id: AttributeId): PathAttributes {
    const value = this.#values[id];
    if (value !== undefined) return value;
    const decoded = decodeCanonical(this.canonical(id));
    this.#values[id] = decoded;
    return decoded;
  }

  /** The bytes of a set: a view, valid until the next `intern`. */
  canonical(id: AttributeId): Uint8Array {
    if (((this.#bits[id] ?? 0) & isHeld) === 0) throw new RangeError(`attribute set ${id} is not in use`);
    return this.#bytes.get(id);
  }

  nextHop(id: AttributeId): IpAddress | undefined {
    return this.#nextHops[id];
  }

  /** AS_PATH length as the decision process counts it. */
  pathLength(id: AttributeId): number {
    return this.#pathLengths[id] ?? 0;
  }

  intern(value: PathAttributes): AttributeId {
    const writer = this.#writer;
    writer.truncate(0);
    encodeCanonical(writer, value);
    const before = this.#size;
    const id = this.internCanonical({
      bytes: writer.view(),
      attributesAt: 0,
      attributesEnd: writer.length,
      nextHop: value.nextHop,
      pathLength: AsPath.length(value.asPath),
    });
    if (this.#size > before) this.#values[id] = value;
    return id;
  }

  /** Copies the bytes if the set is new. */
  internCanonical(set: CanonicalAttributes): AttributeId {
    const { bytes, attributesAt, attributesEnd } = set;
    const hash = hashOf(bytes, attributesAt, attributesEnd, this.#seed);
    let id = this.#buckets[hash & (this.#buckets.length - 1)] ?? 0;
    for (; id !== 0; id = this.#next[id] ?? 0) {
      if (this.#hashes[id] === hash && this.#bytes.equals(id, bytes, attributesAt, attributesEnd)) return id;
    }
    return this.#insert(set, hash);
  }

  retain(id: AttributeId): void {
    if (id !== 0) this.#counts[id] = (this.#counts[id] ?? 0) + 1;
  }

  release(id: AttributeId): void {
    if (id === 0) return;
    const count = this.#counts[id] ?? 0;
    if (count === 0) throw new RangeError(`attribute set ${id} is released once too often`);
    this.#counts[id] = count - 1;
    if (count === 1) this.#watch(id);
  }

  /** Forgets what nobody retains; `onForget` hears each id before it may be given to another set. */
  collect(onForget: (id: AttributeId) => void): void {
    // What `onForget` lets go of joins the list while it is walked, and is walked too.
    for (const id of this.#watched) {
      this.#bits[id] = (this.#bits[id] ?? 0) & ~isWatched;
      if ((this.#counts[id] ?? 0) > 0) continue;
      onForget(id);
      this.#remove(id);
    }
    this.#watched.length = 0;
  }

  #watch(id: AttributeId): void {
    const bits = this.#bits[id] ?? 0;
    if ((bits & isWatched) !== 0) return;
    this.#bits[id] = bits | isWatched;
    this.#watched.push(id);
  }

  #insert(set: CanonicalAttributes, hash: number): AttributeId {
    const id = this.#free.pop() ?? this.#used++;
    if (id >= this.#counts.length) this.#grow();
    this.#bytes.set(id, set.bytes, set.attributesAt, set.attributesEnd);
    this.#values[id] = undefined;
    this.#nextHops[id] = set.nextHop;
    this.#hashes[id] = hash;
    this.#counts[id] = 0;
    this.#pathLengths[id] = set.pathLength;
    this.#bits[id] = isHeld;
    this.#link(id, hash);
    this.#size += 1;
    this.#watch(id);
    return id;
  }

  #link(id: AttributeId, hash: number): void {
    const bucket = hash & (this.#buckets.length - 1);
    this.#next[id] = this.#buckets[bucket] ?? 0;
    this.#buckets[bucket] = id;
  }

  #remove(id: AttributeId): void {
    const bucket = (this.#hashes[id] ?? 0) & (this.#buckets.length - 1);
    const following = this.#next[id] ?? 0;
    if (this.#buckets[bucket] === id) {
      this.#buckets[bucket] = following;
    } else {
      let previous = this.#buckets[bucket] ?? 0;
      while (this.#next[previous] !== id) previous = this.#next[previous] ?? 0;
      this.#next[previous] = following;
    }
    this.#values[id] = undefined;
    this.#nextHops[id] = undefined;
    this.#bytes.delete(id);
    this.#bits[id] = 0;
    this.#free.push(id);
    this.#size -= 1;
  }

  #grow(): void {
    const capacity = this.#counts.length * 2;
    const { length } = this.#counts;
    this.#counts = grown(this.#counts, capacity);
    this.#hashes = grown(this.#hashes, capacity);
    this.#pathLengths = grown(this.#pathLengths, capacity);
    this.#bits = grownBytes(this.#bits, capacity);
    this.#next = new Uint32Array(capacity);
    this.#buckets = new Uint32Array(capacity);
    for (let id = 1; id < length; id += 1) {
      if (((this.#bits[id] ?? 0) & isHeld) !== 0) this.#link(id, this.#hashes[id] ?? 0);
    }
  }
}

/**
 * FNV-1a over words instead of bytes, with the bits mixed at the end: a quarter of the multiplications. The carry of what is
 * added depends on the seed: without it two words that differ in their first bits would cancel out whatever the seed is.
 */
function hashOf(bytes: Uint8Array, from: number, to: number, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  let at = from;
  for (; at + 4 <= to; at += 4) {
    const word = hash ^ wordAt(bytes, at);
    hash = (Math.imul(word, 0x01000193) + (word >>> 15)) | 0;
  }
  for (; at < to; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
