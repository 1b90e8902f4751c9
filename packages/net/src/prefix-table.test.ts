// Aim: the prefix index and table answer as a plain list of prefixes would. Method: random programs of changes over
// prefixes that nest and collide often, every answer compared with a linear scan.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { IpAddress } from "./ip-address.ts";
import { Ipv4 } from "./ipv4.ts";
import { Ipv6 } from "./ipv6.ts";
import { Prefix } from "./prefix.ts";
import { noSlot, PrefixIndex } from "./prefix-index.ts";
import { PrefixTable } from "./prefix-table.ts";

/** Addresses whose set bits are few and far apart, so that prefixes of them nest, split at every depth and repeat. */
const bitIndexes = fc.array(fc.constantFrom<number[]>(0, 1, 7, 30, 31, 32, 33, 63, 64, 65, 95, 96, 127), {
  maxLength: 3,
});
const ipv6 = bitIndexes.map((set) =>
  Ipv6.of(set.reduce((value, index) => value | (1n << BigInt(index)), 0n)),
);
const ipv4 = bitIndexes.map((set) =>
  Ipv4.of(set.reduce<number>((value, index) => value | (1 << (index % 32)), 0)),
);
const anyAddress: fc.Arbitrary<IpAddress> = fc.oneof(ipv4, ipv6);
const edgeLength = fc.constantFrom(0, 1, 2, 24, 31, 32, 33, 64, 65, 96, 127, 128);
const anyPrefix = fc
  .tuple(anyAddress, fc.oneof(edgeLength, fc.nat({ max: 128 })))
  .map(([address, length]) => Prefix.of(address, IpAddress.isIpv4(address) ? length % 33 : length));

const program = fc.array(fc.tuple(fc.constantFrom("set", "set", "delete"), anyPrefix), { maxLength: 60 });

test("a table answers as a linear scan does, after any changes", () => {
  fc.assert(
    fc.property(program, fc.array(anyAddress), fc.array(anyPrefix), (changes, addresses, prefixes) => {
      const table = new PrefixTable<number>();
      const model = new Map<string, readonly [Prefix, number]>();
      for (const [index, [kind, prefix]] of changes.entries()) {
        const key = Prefix.key(prefix);
        const previous = kind === "set" ? table.set(prefix, index) : table.delete(prefix);
        assert.equal(previous, model.get(key)?.[1]);
        if (kind === "set") model.set(key, [prefix, index]);
        else model.delete(key);
        assert.equal(table.size, model.size);
      }
      const sorted = [...model.values()].toSorted(([a], [b]) => Prefix.compare(a, b));
      assert.deepEqual([...table.entries()], sorted);
      for (const address of [...addresses, ...changes.map(([, prefix]) => Prefix.last(prefix))]) {
        const holding = sorted.filter(([prefix]) => Prefix.contains(prefix, address));
        const best = holding.toSorted(([a], [b]) => b.length - a.length)[0];
        assert.deepEqual(table.longest(address), best);
        assert.equal(table.match(address), best?.[1]);
      }
      for (const wanted of [...prefixes, ...changes.map(([, prefix]) => prefix)]) {
        assert.equal(table.get(wanted), model.get(Prefix.key(wanted))?.[1]);
        assert.equal(table.has(wanted), model.has(Prefix.key(wanted)));
        assert.deepEqual(
          [...table.covered(wanted)],
          sorted.filter(([prefix]) => Prefix.covers(wanted, prefix)),
        );
        assert.deepEqual(
          table.covering(wanted),
          sorted.filter(([prefix]) => Prefix.covers(prefix, wanted)),
        );
      }
    }),
    { numRuns: 500 },
  );
});

test("slots stay put while other prefixes come and go, and are used again", () => {
  const index = new PrefixIndex(4);
  const kept = index.add(Ipv4.of(0x0a000000), 8);
  const bound = (): number => index.slotBound;
  for (let round = 0; round < 50; round += 1) {
    for (let third = 0; third < 100; third += 1) index.add(Ipv4.of(0x0a000000 + third * 256), 24);
    assert.equal(index.size, 101);
    assert.equal(index.find(Ipv4.of(0x0a000000), 8), kept);
    for (let third = 0; third < 100; third += 1) {
      assert.notEqual(index.remove(Ipv4.of(0x0a000000 + third * 256), 24), noSlot);
    }
  }
  assert.equal(index.size, 1);
  assert.ok(bound() <= 2 * 101, `${bound()} slots for 101 prefixes`);
  assert.deepEqual([...index.slots()], [kept]);
  assert.equal(Prefix.format(index.prefixAt(kept)), "10.0.0.0/8");
});

test("adding twice gives one slot; taking out twice gives none", () => {
  const index = new PrefixIndex(6);
  const address = Ipv6.of(0xfd00n << 112n);
  assert.equal(index.add(address, 64), index.add(address, 64));
  assert.equal(index.size, 1);
  assert.notEqual(index.remove(address, 64), noSlot);
  assert.equal(index.remove(address, 64), noSlot);
  assert.throws(() => index.prefixAt(0), RangeError);
});

test("a match can be limited to shorter prefixes", () => {
  const index = new PrefixIndex(4);
  const wide = index.add(Ipv4.of(0x0a000000), 8);
  const narrow = index.add(Ipv4.of(0x0a010000), 16);
  assert.equal(index.match(Ipv4.of(0x0a010203)), narrow);
  assert.equal(index.match(Ipv4.of(0x0a010203), 15), wide);
});

test("the wrong family and impossible lengths are RangeErrors", () => {
  const index = new PrefixIndex(4);
  assert.throws(() => index.add(Ipv6.of(0n), 8), RangeError);
  assert.throws(() => index.add(Ipv4.of(0), 33), RangeError);
  assert.throws(() => index.prefixAt(5), RangeError);
});

test("clearing forgets everything", () => {
  const table = new PrefixTable<string>();
  table.set(Prefix.of(Ipv4.of(0), 0), "a");
  table.set(Prefix.of(Ipv6.of(0n), 0), "b");
  table.clear();
  assert.equal(table.size, 0);
  assert.equal(table.match(Ipv4.of(1)), undefined);
  assert.deepEqual([...table.entries()], []);
});
