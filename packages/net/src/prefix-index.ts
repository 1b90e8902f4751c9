import { IpAddress, type IpFamily } from "./ip-address.ts";
import { Ipv4 } from "./ipv4.ts";
import { Ipv6 } from "./ipv6.ts";
import { Prefix } from "./prefix.ts";

/** What a lookup answers when the prefix is not there. */
export const noSlot = -1;

/** Most nodes of one index: what an `Int32Array` of IPv6 nodes can hold, less some. */
const maxNodes = 1 << 28;

const firstNodes = 64;

/** Depth of the deepest possible path: one node per prefix length, 0 to 128. */
const maxDepth = 129;

/**
 * A set of prefixes of one family that gives each a slot: a small number, unchanged while the prefix is in the set and
 * used again after it left. Callers keep what belongs to a prefix in arrays of their own, indexed by slot.
 *
 * It is a path-compressed binary trie in one `Int32Array`, no object per prefix. A slot is its node's number; a node
 * that only branches has no prefix in the set. One node, with `words` 1 (IPv4) or 4 (IPv6):
 *
 *     | address, `words` × 32 bits, host order | child 0 | child 1 | length | 256 when in the set |
 *
 * The last two share a word. Children are node numbers or `noSlot`; a free node links to the next through child 0.
 */
export class PrefixIndex {
  readonly family: IpFamily;
  readonly #words: number;
  readonly #stride: number;
  readonly #bits: number;
  readonly #key: Int32Array = new Int32Array(4);
  readonly #bytes: DataView = new DataView(new ArrayBuffer(16));
  #nodes: Int32Array;
  #capacity: number = firstNodes;
  #used = 0;
  #free: number = noSlot;
  #root: number = noSlot;
  #size = 0;

  constructor(family: IpFamily) {
    this.family = family;
    this.#words = family === 4 ? 1 : 4;
    this.#bits = this.#words * 32;
    this.#stride = this.#words + 3;
    this.#nodes = new Int32Array(this.#capacity * this.#stride);
  }

  /** Prefixes in the set. */
  get size(): number {
    return this.#size;
  }

  /** Above every slot in use: how long an array indexed by slot must be. */
  get slotBound(): number {
    return this.#used;
  }

  /** The slot of exactly this prefix, or `noSlot`. Host bits of `address` are ignored. */
  find(address: IpAddress, length: number): number {
    const key = this.#load(address, length);
    let node = this.#root;
    while (node !== noSlot) {
      const nodeLength = this.#length(node);
      if (nodeLength > length || this.#sharedBits(node, key, nodeLength) < nodeLength) return noSlot;
      if (nodeLength === length) return this.#isMember(node) ? node : noSlot;
      node = this.#child(node, bitAt(key, nodeLength));
    }
    return noSlot;
  }

  /** The slot of the longest prefix in the set that contains `address` and is at most `length` bits, or `noSlot`. */
  match(address: IpAddress, length: number = this.#bits): number {
    const key = this.#load(address, length);
    let best = noSlot;
    let node = this.#root;
    while (node !== noSlot) {
      const nodeLength = this.#length(node);
      if (nodeLength > length || this.#sharedBits(node, key, nodeLength) < nodeLength) break;
      if (this.#isMember(node)) best = node;
      if (nodeLength === length) break;
      node = this.#child(node, bitAt(key, nodeLength));
    }
    return best;
  }

  /** The slot of the prefix, which is added if it is not there. */
  add(address: IpAddress, length: number): number {
    const key = this.#load(address, length);
    let parent = noSlot;
    let side = 0;
    let node = this.#root;
    while (node !== noSlot) {
      const nodeLength = this.#length(node);
      const shared = this.#sharedBits(node, key, Math.min(nodeLength, length));
      if (shared < nodeLength) return this.#split(parent, side, node, shared, length);
      if (nodeLength === length) {
        if (!this.#isMember(node)) this.#join(node);
        return node;
      }
      parent = node;
      side = bitAt(key, nodeLength);
      node = this.#child(node, side);
    }
    const leaf = this.#allocate(length);
    this.#join(leaf);
    this.#link(parent, side, leaf);
    return leaf;
  }

  /** Takes the prefix out and gives the slot it had, which is free now; or `noSlot`. */
  remove(address: IpAddress, length: number): number {
    const key = this.#load(address, length);
    let grandparent = noSlot;
    let parentSide = 0;
    let parent = noSlot;
    let side = 0;
    let node = this.#root;
    while (node !== noSlot) {
      const nodeLength = this.#length(node);
      if (nodeLength > length || this.#sharedBits(node, key, nodeLength) < nodeLength) return noSlot;
      if (nodeLength === length) break;
      grandparent = parent;
      parentSide = side;
      parent = node;
      side = bitAt(key, nodeLength);
      node = this.#child(node, side);
    }
    if (node === noSlot || !this.#isMember(node)) return noSlot;
    this.#size -= 1;
    this.#setMeta(node, length);
    this.#collapse(parent, side, node);
    if (parent !== noSlot) this.#collapse(grandparent, parentSide, parent);
    return node;
  }

  /** The prefix of a slot in use. */
  prefixAt(slot: number): Prefix {
    if (slot < 0 || slot >= this.#used || !this.#isMember(slot)) {
      throw new RangeError(`slot ${slot} holds no prefix`);
    }
    const at = slot * this.#stride;
    if (this.#words === 1) return Prefix.of(Ipv4.of(this.#word(at)), this.#length(slot));
    for (let index = 0; index < 4; index += 1) this.#bytes.setInt32(index * 4, this.#word(at + index));
    const value = (this.#bytes.getBigUint64(0) << 64n) | this.#bytes.getBigUint64(8);
    return Prefix.of(Ipv6.of(value), this.#length(slot));
  }

  /** Slots of all prefixes inside `address/length`, itself included, by address and then length. The set must not change meanwhile. */
  *covered(address: IpAddress, length: number): Generator<number, void> {
    const key = this.#load(address, length);
    let node = this.#root;
    while (node !== noSlot) {
      const nodeLength = this.#length(node);
      const wanted = Math.min(nodeLength, length);
      if (this.#sharedBits(node, key, wanted) < wanted) return;
      if (nodeLength >= length) break;
      node = this.#child(node, bitAt(key, nodeLength));
    }
    yield* this.#below(node);
  }

  /** Slots of all prefixes that contain `address/length`, itself included, shortest first. */
  covering(address: IpAddress, length: number = this.#bits): readonly number[] {
    const key = this.#load(address, length);
    const found: number[] = [];
    let node = this.#root;
    while (node !== noSlot) {
      const nodeLength = this.#length(node);
      if (nodeLength > length || this.#sharedBits(node, key, nodeLength) < nodeLength) break;
      if (this.#isMember(node)) found.push(node);
      if (nodeLength === length) break;
      node = this.#child(node, bitAt(key, nodeLength));
    }
    return found;
  }

  /** Every slot in use, by address and then length. The set must not change meanwhile. */
  slots(): Generator<number, void> {
    return this.#below(this.#root);
  }

  /** Empties the set and gives its memory back. */
  clear(): void {
    this.#capacity = firstNodes;
    this.#nodes = new Int32Array(this.#capacity * this.#stride);
    this.#used = 0;
    this.#free = noSlot;
    this.#root = noSlot;
    this.#size = 0;
  }

  *#below(top: number): Generator<number, void> {
    if (top === noSlot) return;
    const stack = new Int32Array(maxDepth + 1);
    stack[0] = top;
    let depth = 1;
    while (depth > 0) {
      depth -= 1;
      const node = stack[depth] ?? noSlot;
      if (this.#isMember(node)) yield node;
      for (const side of [1, 0]) {
        const child = this.#child(node, side);
        if (child === noSlot) continue;
        stack[depth] = child;
        depth += 1;
      }
    }
  }

  /** Puts a new member above or beside `node`, with which it shares `shared` bits, fewer than `node` has. */
  #split(parent: number, side: number, node: number, shared: number, length: number): number {
    const key = this.#key;
    const nodeSide = bitAt(this.#nodes, shared, node * this.#stride);
    const added = this.#allocate(length);
    this.#join(added);
    if (shared === length) {
      this.#setChild(added, nodeSide, node);
      this.#link(parent, side, added);
      return added;
    }
    const branch = this.#allocate(shared);
    this.#setChild(branch, nodeSide, node);
    this.#setChild(branch, bitAt(key, shared), added);
    this.#link(parent, side, branch);
    return added;
  }

  /** Frees a node that is no member and no longer branches. */
  #collapse(parent: number, side: number, node: number): void {
    if (this.#isMember(node)) return;
    const left = this.#child(node, 0);
    const right = this.#child(node, 1);
    if (left !== noSlot && right !== noSlot) return;
    this.#link(parent, side, left === noSlot ? right : left);
    this.#setChild(node, 0, this.#free);
    this.#free = node;
  }

  #link(parent: number, side: number, child: number): void {
    if (parent === noSlot) this.#root = child;
    else this.#setChild(parent, side, child);
  }

  #join(node: number): void {
    this.#setMeta(node, this.#length(node) | memberFlag);
    this.#size += 1;
  }

  /** A node without children for the first `length` bits of the loaded key. */
  #allocate(length: number): number {
    const node = this.#takeNode();
    const at = node * this.#stride;
    for (let index = 0; index < this.#words; index += 1) {
      this.#nodes[at + index] = (this.#key[index] ?? 0) & wordMask(length - index * 32);
    }
    this.#setChild(node, 0, noSlot);
    this.#setChild(node, 1, noSlot);
    this.#setMeta(node, length);
    return node;
  }

  #takeNode(): number {
    if (this.#free !== noSlot) {
      const node = this.#free;
      this.#free = this.#child(node, 0);
      return node;
    }
    if (this.#used === this.#capacity) {
      if (this.#capacity >= maxNodes) throw new RangeError(`more than ${maxNodes} nodes in a prefix index`);
      this.#capacity *= 2;
      const larger = new Int32Array(this.#capacity * this.#stride);
      larger.set(this.#nodes);
      this.#nodes = larger;
    }
    this.#used += 1;
    return this.#used - 1;
  }

  /** Copies an address into the scratch key. */
  #load(address: IpAddress, length: number): Int32Array {
    if (length < 0 || length > this.#bits) {
      throw new RangeError(`an IPv${this.family} prefix length is 0 to ${this.#bits}, not ${length}`);
    }
    const key = this.#key;
    if (IpAddress.isIpv4(address) !== (this.#words === 1)) {
      throw new RangeError(`${IpAddress.format(address)} is not an IPv${this.family} address`);
    }
    if (IpAddress.isIpv4(address)) {
      key[0] = address;
      return key;
    }
    this.#bytes.setBigUint64(0, address >> 64n);
    this.#bytes.setBigUint64(8, address & 0xffffffffffffffffn);
    for (let index = 0; index < 4; index += 1) key[index] = this.#bytes.getInt32(index * 4);
    return key;
  }

  /** How many of the first `limit` bits of a node and the key agree. */
  #sharedBits(node: number, key: Int32Array, limit: number): number {
    const at = node * this.#stride;
    for (let index = 0; index * 32 < limit; index += 1) {
      const different = this.#word(at + index) ^ (key[index] ?? 0);
      if (different !== 0) return Math.min(limit, index * 32 + Math.clz32(different));
    }
    return limit;
  }

  #word(at: number): number {
    return this.#nodes[at] ?? 0;
  }

  #child(node: number, side: number): number {
    return this.#word(node * this.#stride + this.#words + side);
  }

  #setChild(node: number, side: number, child: number): void {
    this.#nodes[node * this.#stride + this.#words + side] = child;
  }

  #length(node: number): number {
    return this.#word(node * this.#stride + this.#words + 2) & lengthMask;
  }

  #isMember(node: number): boolean {
    return (this.#word(node * this.#stride + this.#words + 2) & memberFlag) !== 0;
  }

  #setMeta(node: number, meta: number): void {
    this.#nodes[node * this.#stride + this.#words + 2] = meta;
  }
}

const memberFlag = 256;
const lengthMask = 255;

/** Bit `index`, counted from the most significant bit of the word at `start`. */
function bitAt(words: Int32Array, index: number, start = 0): number {
  return ((words[start + (index >>> 5)] ?? 0) >>> (31 - (index & 31))) & 1;
}

/** The netmask of one word of which the prefix takes `length` bits, which may be none or more than there are. */
function wordMask(length: number): number {
  if (length <= 0) return 0;
  return length >= 32 ? -1 : -1 << (32 - length);
}
