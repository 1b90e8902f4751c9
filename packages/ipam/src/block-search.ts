import { Prefix, Utf8 } from "@caracal/net";
import type { Pool } from "./pool.ts";

/** Blocks of a pool that cannot be had, by their places in the pool, both ends included. */
export interface TakenRange {
  readonly first: bigint;
  readonly last: bigint;
}

/** How many blocks a pool has. */
export function blockCount(pool: Pool): bigint {
  return 1n << BigInt(Math.max(0, pool.blockSize - pool.cidr.length));
}

/** The block at a place in its pool. */
export function blockAt(pool: Pool, place: bigint): Prefix {
  const address = Prefix.at(pool.cidr, place * blockLength(pool));
  if (address === undefined) throw new RangeError(`${Prefix.format(pool.cidr)} has no block ${place}`);
  return Prefix.of(address, pool.blockSize);
}

/** The places of a pool that a range touches, or `undefined` when it is elsewhere. */
export function placesOf(pool: Pool, range: Prefix): TakenRange | undefined {
  if (!Prefix.overlaps(pool.cidr, range)) return undefined;
  const inside = Prefix.covers(pool.cidr, range) ? range : pool.cidr;
  const length = blockLength(pool);
  const start = BigInt(inside.address) - BigInt(pool.cidr.address);
  return { first: start / length, last: (start + Prefix.size(inside) - 1n) / length };
}

function blockLength(pool: Pool): bigint {
  return 1n << BigInt((pool.cidr.family === 4 ? 32 : 128) - pool.blockSize);
}

/** The first place from `start`, going round at `count`, that no range takes. The work depends on the ranges, not on `count`. */
export function firstFreePlace(
  ranges: readonly TakenRange[],
  start: bigint,
  count: bigint,
): bigint | undefined {
  const sorted = ranges.toSorted((a, b) => (a.first === b.first ? 0 : a.first < b.first ? -1 : 1));
  return freeFrom(sorted, start, count) ?? freeFrom(sorted, 0n, start);
}

function freeFrom(sorted: readonly TakenRange[], start: bigint, end: bigint): bigint | undefined {
  let place = start;
  for (const { first, last } of sorted) {
    if (first > place) break;
    if (last >= place) place = last + 1n;
  }
  return place < end ? place : undefined;
}

/**
 * Where a node's search begins: far from others', and always at the same place, so that nodes seldom want the same
 * block. Blocks of one address would all begin where the last one was taken, so there the time decides.
 */
export function searchStart(pool: Pool, node: string, now: bigint): bigint {
  const isSingleAddress = pool.blockSize === (pool.cidr.family === 4 ? 32 : 128);
  return mix(isSingleAddress ? now : BigInt(fnv1(node))) % blockCount(pool);
}

/** FNV-1, 32 bits. */
function fnv1(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Utf8.encode(text)) hash = (Math.imul(hash, 0x01000193) ^ byte) >>> 0;
  return hash;
}

/** SplitMix64: spreads few bits over 64. */
function mix(seed: bigint): bigint {
  let value = BigInt.asUintN(64, seed + 0x9e3779b97f4a7c15n);
  value = BigInt.asUintN(64, (value ^ (value >> 30n)) * 0xbf58476d1ce4e5b9n);
  value = BigInt.asUintN(64, (value ^ (value >> 27n)) * 0x94d049bb133111ebn);
  return value ^ (value >> 31n);
}
