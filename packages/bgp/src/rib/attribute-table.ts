import { IpAddress, Writer } from "@caracal/net";
import { AsPath } from "../wire/as-path.ts";
import { encodeAttributes, encodeNextHop } from "../wire/attribute-encoder.ts";
import { type PathAttributes } from "../wire/path-attributes.ts";
import { grown } from "./columns.ts";

/** Index of an interned attribute set; 0 is none. Valid while somebody retains it, at least until `collect`. */
export type AttributeId = number;

const initialCapacity = 64;

/**
 * Every attribute set in use, once. Equal sets have the same id, so routes compare and group by a number. Counted
 * references; a set that nobody holds stays until `collect`, so that it can be passed on before it is retained.
 */
export class AttributeTable {
  #values: (PathAttributes | undefined)[] = [undefined];
  #keys: Uint8Array[] = [new Uint8Array(0)];
  #counts = new Uint32Array(initialCapacity);
  #hashes = new Uint32Array(initialCapacity);
  /** Chain of ids with the same bucket. */
  #next = new Uint32Array(initialCapacity);
  #pathLengths = new Uint32Array(initialCapacity);
  #buckets = new Uint32Array(initialCapacity);
  #size = 0;
  readonly #free: AttributeId[] = [];
  #unused = new Set<AttributeId>();
  readonly #writer: Writer = new Writer(512, 1 << 18);

  /** Sets held. */
  get size(): number {
    return this.#size;
  }

  get(id: AttributeId): PathAttributes {
    const value = this.#values[id];
    if (value === undefined) throw new RangeError(`attribute set ${id} is not in use`);
    return value;
  }

  /** AS_PATH length as the decision process counts it. */
  pathLength(id: AttributeId): number {
    return this.#pathLengths[id] ?? 0;
  }

  intern(value: PathAttributes): AttributeId {
    const key = this.#keyOf(value);
    const hash = fnv1a(key);
    const bucket = hash & (this.#buckets.length - 1);
    for (let id = this.#buckets[bucket] ?? 0; id !== 0; id = this.#next[id] ?? 0) {
      if (this.#hashes[id] === hash && equalBytes(this.#keys[id], key)) return id;
    }
    return this.#insert(value, key.slice(), hash);
  }

  retain(id: AttributeId): void {
    if (id === 0) return;
    const count = this.#counts[id] ?? 0;
    this.#counts[id] = count + 1;
    if (count === 0) this.#unused.delete(id);
  }

  release(id: AttributeId): void {
    if (id === 0) return;
    const count = this.#counts[id] ?? 0;
    if (count === 0) throw new RangeError(`attribute set ${id} is released once too often`);
    this.#counts[id] = count - 1;
    if (count === 1) this.#unused.add(id);
  }

  /** Forgets what nobody retains; `onForget` hears each id before it may be given to another set. */
  collect(onForget: (id: AttributeId) => void): void {
    // What `onForget` lets go of joins the set while it is walked, and is walked too.
    for (const id of this.#unused) {
      this.#unused.delete(id);
      if ((this.#counts[id] ?? 0) > 0) continue;
      onForget(id);
      this.#remove(id);
    }
  }

  /** The canonical bytes of a set: what is equal here is the same set. */
  #keyOf(value: PathAttributes): Uint8Array {
    const writer = this.#writer;
    writer.truncate(0);
    encodeAttributes(writer, value, { as4: true, withoutNextHop: true });
    writer.u8(value.nextHop === undefined ? 0 : IpAddress.family(value.nextHop));
    encodeNextHop(writer, value);
    return writer.view();
  }

  #insert(value: PathAttributes, key: Uint8Array, hash: number): AttributeId {
    const id = this.#free.pop() ?? this.#values.length;
    if (id >= this.#counts.length) this.#grow();
    this.#values[id] = value;
    this.#keys[id] = key;
    this.#hashes[id] = hash;
    this.#counts[id] = 0;
    this.#pathLengths[id] = AsPath.length(value.asPath);
    this.#link(id, hash);
    this.#size += 1;
    this.#unused.add(id);
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
    this.#keys[id] = noBytes;
    this.#free.push(id);
    this.#size -= 1;
  }

  #grow(): void {
    const capacity = this.#counts.length * 2;
    this.#counts = grown(this.#counts, capacity);
    this.#hashes = grown(this.#hashes, capacity);
    this.#pathLengths = grown(this.#pathLengths, capacity);
    this.#next = new Uint32Array(capacity);
    this.#buckets = new Uint32Array(capacity);
    for (let id = 1; id < this.#values.length; id += 1) {
      if (this.#values[id] !== undefined) this.#link(id, this.#hashes[id] ?? 0);
    }
  }
}

const noBytes = new Uint8Array(0);

function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function equalBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  if (a === undefined || a.length !== b.length) return false;
  for (let index = 0; index < b.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}
