// Aim: prefixes of both families, and addresses of either, obey set arithmetic. Method: a prefix is checked against its
// first and last address as plain bigints.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { IpAddress } from "./ip-address.ts";
import { Ipv4 } from "./ipv4.ts";
import { Ipv6 } from "./ipv6.ts";
import { Prefix } from "./prefix.ts";

const anyAddress: fc.Arbitrary<IpAddress> = fc.oneof(
  fc.nat({ max: 0xffffffff }).map((value) => Ipv4.of(value)),
  fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map((value) => Ipv6.of(value)),
);
const bitsOf = (address: IpAddress): number => (IpAddress.isIpv4(address) ? 32 : 128);
const anyPrefix = anyAddress.chain((address) =>
  fc.nat({ max: bitsOf(address) }).map((length) => Prefix.of(address, length)),
);
/** Pairs that are likely to be related: the second is cut from or near the first. */
const relatedPair = anyPrefix.chain((first) =>
  fc.tuple(
    fc.constant(first),
    fc.oneof(
      anyPrefix,
      fc.nat({ max: bitsOf(first.address) }).map((length) => Prefix.of(Prefix.last(first), length)),
    ),
  ),
);

function parsed(text: string): Prefix {
  const prefix = Prefix.parse(text);
  assert.ok(prefix !== undefined, text);
  return prefix;
}

const first = (prefix: Prefix): bigint => BigInt(prefix.address);
const last = (prefix: Prefix): bigint => BigInt(Prefix.last(prefix));

test("prefix text is read; host bits are refused, except in interface text", () => {
  assert.equal(Prefix.format(parsed("10.244.0.0/16")), "10.244.0.0/16");
  assert.equal(Prefix.format(parsed("FD00:1:2:0::/64")), "fd00:1:2::/64");
  assert.equal(Prefix.format(parsed("10.0.0.5")), "10.0.0.5/32");
  assert.equal(Prefix.format(parsed("0.0.0.0/0")), "0.0.0.0/0");
  assert.equal(Prefix.parse("10.0.0.5/24"), undefined);
  const found = Prefix.parseInterface("10.0.0.5/24");
  assert.ok(found !== undefined);
  assert.equal(IpAddress.format(found.address), "10.0.0.5");
  assert.equal(Prefix.format(found.network), "10.0.0.0/24");
});

test("malformed prefix text is refused", () => {
  const refused = [
    "",
    "/",
    "/24",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "::/129",
  ];
  for (const text of [...refused, "10.0.0.0/255.0.0.0", "10.0.0.0/ 8", "::/0x10", "10.0.0.0/8\n"]) {
    assert.equal(Prefix.parse(text), undefined, JSON.stringify(text));
  }
});

test("a length outside the family is a RangeError", () => {
  assert.throws(() => Prefix.of(Ipv4.of(0), 33), RangeError);
  assert.throws(() => Prefix.of(Ipv4.of(0), -1), RangeError);
  assert.throws(() => Prefix.of(Ipv6.of(0n), 129), RangeError);
  assert.throws(() => Prefix.of(Ipv4.of(0), 1.5), RangeError);
});

test("a prefix spans 2^(bits − length) addresses from its own", () => {
  fc.assert(
    fc.property(anyAddress, fc.nat({ max: 128 }), (address, wanted) => {
      const bits = bitsOf(address);
      const length = Math.min(wanted, bits);
      const prefix = Prefix.of(address, length);
      const size = 1n << BigInt(bits - length);
      assert.equal(Prefix.size(prefix), size);
      assert.equal(first(prefix), (BigInt(address) / size) * size);
      assert.equal(last(prefix), first(prefix) + size - 1n);
      assert.ok(Prefix.contains(prefix, address));
      assert.ok(Object.isFrozen(prefix));
      const index = Prefix.indexOf(prefix, address);
      assert.ok(index !== undefined);
      assert.equal(index, BigInt(address) - first(prefix));
      assert.equal(Prefix.at(prefix, index), address);
      assert.equal(Prefix.at(prefix, size), undefined);
      assert.equal(Prefix.at(prefix, -1n), undefined);
      assert.deepEqual(Prefix.parse(Prefix.format(prefix)), prefix);
    }),
  );
});

test("contains, covers, overlaps and equals are those of address ranges", () => {
  fc.assert(
    fc.property(relatedPair, anyAddress, ([a, b], address) => {
      const sameFamily = a.family === b.family;
      assert.equal(Prefix.covers(a, b), sameFamily && first(a) <= first(b) && last(b) <= last(a));
      assert.equal(Prefix.overlaps(a, b), sameFamily && first(a) <= last(b) && first(b) <= last(a));
      assert.equal(Prefix.overlaps(b, a), Prefix.overlaps(a, b));
      assert.equal(Prefix.equals(a, b), Prefix.key(a) === Prefix.key(b));
      const isInside =
        IpAddress.family(address) === a.family && BigInt(address) >= first(a) && BigInt(address) <= last(a);
      assert.equal(Prefix.contains(a, address), isInside);
    }),
    { numRuns: 1000 },
  );
});

test("prefixes sort by family, address, then length", () => {
  const sorted = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.0.0.0/9",
    "10.0.1.0/24",
    "::/0",
    "fd00::/8",
    "fd00::/16",
  ].map(parsed);
  assert.deepEqual([...sorted].toReversed().toSorted(Prefix.compare), sorted);
  assert.equal(Prefix.compare(parsed("10.0.0.0/8"), parsed("10.0.0.0/8")), 0);
});

test("addresses of both families share text, bytes and order", () => {
  fc.assert(
    fc.property(anyAddress, anyAddress, (a, b) => {
      assert.equal(IpAddress.parse(IpAddress.format(a)), a);
      assert.equal(IpAddress.fromBytes(IpAddress.toBytes(a)), a);
      assert.equal(IpAddress.toBytes(a).length, IpAddress.isIpv6(a) ? 16 : 4);
      assert.equal(IpAddress.compare(a, b), -IpAddress.compare(b, a) + 0);
      assert.equal(IpAddress.compare(a, b) === 0, a === b);
    }),
  );
  assert.equal(IpAddress.fromBytes(new Uint8Array(5)), undefined);
  assert.equal(IpAddress.parse("worker-1"), undefined);
});

test("a host prefix is one address of either family, and no other length is", () => {
  for (const text of ["10.0.0.5/32", "fd00::5/128"]) {
    const prefix = Prefix.parse(text);
    assert.ok(prefix !== undefined);
    assert.deepEqual(Prefix.host(prefix.address), prefix);
    assert.ok(Prefix.isHost(prefix));
  }
  for (const text of ["10.0.0.4/31", "fd00::4/127", "fd00::/32", "0.0.0.0/0"]) {
    const prefix = Prefix.parse(text);
    assert.ok(prefix !== undefined && !Prefix.isHost(prefix), text);
  }
});
