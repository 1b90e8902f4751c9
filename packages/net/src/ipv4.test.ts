// Aim: IPv4 text, bytes and arithmetic are exact. Method: fixed cases, and properties against plain number arithmetic.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ipv4 } from "./ipv4.ts";

const anyValue = fc.nat({ max: 0xffffffff });

test("dotted decimal is read", () => {
  assert.equal(Ipv4.parse("0.0.0.0"), 0);
  assert.equal(Ipv4.parse("255.255.255.255"), 0xffffffff);
  assert.equal(Ipv4.parse("10.244.120.64"), 0x0af47840);
});

test("anything but four decimal octets without leading zeros is refused", () => {
  const refused = [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "1.2.3.00",
    "256.1.1.1",
    "1.2.3.-4",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.0x4",
    "1.2.3.",
    ".1.2.3",
    "1..2.3",
    "1.2.3.4/32",
    "1.2.3.٤",
    "1e1.2.3.4",
    "::1",
    "1.2.3.4\n",
  ];
  for (const text of refused) assert.equal(Ipv4.parse(text), undefined, JSON.stringify(text));
});

test("text and bytes are read back as written", () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const address = Ipv4.of(value);
      assert.equal(address, value);
      assert.equal(Ipv4.parse(Ipv4.format(address)), address);
      assert.equal(Ipv4.read(Ipv4.toBytes(address)), address);
      assert.equal(Ipv4.read(Uint8Array.of(9, 9, ...Ipv4.toBytes(address), 9), 2), address);
    }),
  );
});

test("parsing arbitrary text gives nothing or an address whose text is the input", () => {
  const octets = fc.array(fc.oneof(fc.nat({ max: 300 }).map(String), fc.string({ maxLength: 3 })), {
    maxLength: 5,
  });
  fc.assert(
    fc.property(octets, (parts) => {
      const text = parts.join(".");
      const address = Ipv4.parse(text);
      if (address !== undefined) assert.equal(Ipv4.format(address), text);
    }),
  );
});

test("addition ends at both ends of the address space", () => {
  fc.assert(
    fc.property(anyValue, fc.integer({ min: -0xffffffff, max: 0xffffffff }), (value, count) => {
      const sum = value + count;
      assert.equal(Ipv4.add(Ipv4.of(value), count), sum < 0 || sum > 0xffffffff ? undefined : sum);
    }),
  );
  assert.equal(Ipv4.add(Ipv4.of(1), 0.5), undefined);
});

test("masks have as many leading ones as asked", () => {
  for (let length = 0; length <= 32; length += 1) {
    assert.equal(BigInt(Ipv4.mask(length)), 0xffffffffn ^ (0xffffffffn >> BigInt(length)));
  }
});

test("too few bytes are a RangeError", () => {
  assert.throws(() => Ipv4.read(new Uint8Array(3)), RangeError);
  assert.throws(() => Ipv4.read(new Uint8Array(8), 5), RangeError);
});
