// Aim: the search finds a free block wherever there is one, without walking. Method: against a walk on small pools, and
// fixed cases on pools too large for one; reservations against a set of addresses.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ipv4, Prefix } from "@caracal/net";
import fc from "fast-check";
import { blockAt, blockCount, firstFreePlace, placesOf, searchStart } from "./block-search.ts";
import type { Pool } from "./pool.ts";
import { Reservations } from "./reservation.ts";

function poolOf(text: string, blockSize: number): Pool {
  const cidr = Prefix.parse(text);
  assert.ok(cidr !== undefined);
  const selectors = { nodeSelector: "all()", namespaceSelector: "" };
  return {
    name: text,
    cidr,
    blockSize,
    isEnabled: true,
    isAutomatic: true,
    uses: ["Workload"],
    ...selectors,
  };
}

test("the first free place is the one that a walk finds", () => {
  const range = fc.tuple(fc.nat({ max: 15 }), fc.nat({ max: 15 })).map(([a, b]) => ({
    first: BigInt(Math.min(a, b)),
    last: BigInt(Math.max(a, b)),
  }));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 6 }), fc.nat({ max: 15 }), (ranges, start) => {
      const places = Array.from({ length: 16 }, (_, step) => BigInt((start + step) % 16));
      const isFree = (place: bigint): boolean =>
        ranges.every(({ first, last }) => place < first || place > last);
      assert.equal(firstFreePlace(ranges, BigInt(start), 16n), places.find(isFree));
    }),
    { numRuns: 1000 },
  );
});

test("a pool of 2^58 blocks is searched as quickly as a small one", () => {
  const pool = poolOf("fd00::/64", 122);
  assert.equal(blockCount(pool), 1n << 58n);
  const half = Prefix.parse("fd00::/65");
  assert.ok(half !== undefined);
  const taken = placesOf(pool, half);
  assert.deepEqual(taken, { first: 0n, last: (1n << 57n) - 1n });
  const place = firstFreePlace(taken === undefined ? [] : [taken], 5n, blockCount(pool));
  assert.equal(place, 1n << 57n);
  assert.equal(Prefix.format(blockAt(pool, place ?? 0n)), "fd00::8000:0:0:0/122");
});

test("ranges touch the places that they overlap, larger and smaller than a block", () => {
  const pool = poolOf("10.0.0.0/24", 26);
  const places = (text: string): unknown => placesOf(pool, Prefix.parse(text) ?? pool.cidr);
  assert.deepEqual(places("10.0.0.64/26"), { first: 1n, last: 1n });
  assert.deepEqual(places("10.0.0.65/32"), { first: 1n, last: 1n });
  assert.deepEqual(places("10.0.0.128/25"), { first: 2n, last: 3n });
  assert.deepEqual(places("10.0.0.0/8"), { first: 0n, last: 3n });
  assert.equal(places("10.0.1.0/26"), undefined);
});

test("nodes begin far apart and always where they began before", () => {
  const pool = poolOf("10.0.0.0/16", 26);
  const starts = Array.from({ length: 100 }, (_, index) => searchStart(pool, `node-${index}`, 0n));
  assert.ok(new Set(starts).size > 90);
  assert.ok(starts.every((start) => start >= 0n && start < 1024n));
  assert.equal(searchStart(pool, "node-1", 1n), searchStart(pool, "node-1", 2n));
  const single = poolOf("10.0.0.0/16", 32);
  assert.notEqual(searchStart(single, "node-1", 1n), searchStart(single, "node-1", 2n));
});

test("reservations are the union of their ranges", () => {
  const small = fc
    .tuple(fc.nat({ max: 63 }), fc.integer({ min: 26, max: 32 }))
    .map(([offset, length]) => Prefix.of(Ipv4.of(0x0a000000 + offset), length));
  fc.assert(
    fc.property(fc.array(small, { maxLength: 5 }), small, (ranges, asked) => {
      const reservations = new Reservations(ranges);
      const has = (offset: number): boolean =>
        ranges.some((range) => Prefix.contains(range, Ipv4.of(0x0a000000 + offset)));
      const inside = Array.from({ length: 64 }, (_, offset) => offset).filter((offset) =>
        Prefix.contains(asked, Ipv4.of(0x0a000000 + offset)),
      );
      const reserved = inside.filter(has);
      for (const offset of inside) assert.equal(reservations.has(Ipv4.of(0x0a000000 + offset)), has(offset));
      assert.equal(reservations.touches(asked), reserved.length > 0);
      const parts = reservations.within(asked);
      assert.equal(
        parts.reduce((sum, part) => sum + Prefix.size(part), 0n),
        BigInt(reserved.length),
      );
      const first = BigInt(asked.address);
      const isReserved = reservations.inBlock(asked);
      assert.deepEqual(
        inside.map((offset) => isReserved(Number(BigInt(0x0a000000 + offset) - first))),
        inside.map(has),
      );
    }),
    { numRuns: 500 },
  );
});
