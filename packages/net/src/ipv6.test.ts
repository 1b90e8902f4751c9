// Aim: IPv6 text follows RFC 4291 §2.2 and RFC 5952; bytes and arithmetic are exact. Method: the RFCs' own examples,
// refusals, and properties against a naive reference.
import assert from "node:assert/strict";
import { isIPv6 } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { Ipv6 } from "./ipv6.ts";

const limit = 1n << 128n;
/** Addresses with many zero groups, as text shortening is about those. */
const sparse = fc
  .array(fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.nat({ max: 0xffff })), {
    minLength: 8,
    maxLength: 8,
  })
  .map((groups) => groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n));
const anyValue = fc.oneof(sparse, fc.bigInt({ min: 0n, max: limit - 1n }));

test("addresses print in RFC 5952 text", () => {
  const cases = [
    // RFC 5952 §4.1: leading zeros go.
    ["2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"],
    // RFC 5952 §4.2.1: `::` shortens as much as it can.
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    // RFC 5952 §4.2.2: a single zero group is not shortened.
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    // RFC 5952 §4.2.3: the longest run, and the first of equals.
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    // RFC 5952 §4.3: lower case.
    ["2001:DB8:AAAA:BBBB:CCCC:DDDD:EEEE:0001", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["fe80:0:0:0:0:0:0:0", "fe80::"],
    // RFC 5952 §5: a known IPv4 prefix keeps its dotted tail.
    ["::ffff:c0a8:0001", "::ffff:192.168.0.1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ] as const;
  for (const [text, shortest] of cases) {
    const address = Ipv6.parse(text);
    assert.ok(address !== undefined, text);
    assert.equal(Ipv6.format(address), shortest);
    assert.equal(Ipv6.parse(shortest), address);
  }
});

test("malformed text is refused", () => {
  const refused = [
    "",
    ":",
    ":::",
    "1",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "1::2::3",
    "::12345",
    "::g",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
    "1.2.3.4::",
    "::1.2.3",
    "::1.2.3.4:5",
    "::256.1.1.1",
    "fe80::1%eth0",
    "::1/128",
    " ::1",
    "::1\n",
    "1:2:3:4:5:6:7:1.2.3.4",
  ];
  for (const text of refused) assert.equal(Ipv6.parse(text), undefined, JSON.stringify(text));
});

test("text and bytes are read back as written, and no other text of the address is shorter", () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const address = Ipv6.of(value);
      const text = Ipv6.format(address);
      assert.equal(Ipv6.parse(text), value);
      assert.ok(isIPv6(text));
      assert.equal(Ipv6.read(Ipv6.toBytes(address)), value);
      assert.equal(Ipv6.read(Uint8Array.of(9, ...Ipv6.toBytes(address)), 1), value);
      const groups = Ipv6.toBytes(address).reduce<string[]>((all, byte, index, bytes) => {
        if (index % 2 === 1) all.push((((bytes[index - 1] ?? 0) << 8) | byte).toString(16));
        return all;
      }, []);
      assert.equal(Ipv6.parse(groups.join(":")), value);
      if (value >> 32n !== 0xffffn) assert.equal(text, shortestText(groups));
    }),
  );
});

/** RFC 5952 §4.2 by trial: every run of two or more zero groups replaced by `::`, the longest run winning, then the first. */
function shortestText(groups: readonly string[]): string {
  let best = groups.join(":");
  let bestRun = 1;
  for (let start = 0; start < 8; start += 1) {
    for (let end = start + 2; end <= 8; end += 1) {
      if (end - start <= bestRun || groups.slice(start, end).some((group) => group !== "0")) continue;
      best = `${groups.slice(0, start).join(":")}::${groups.slice(end).join(":")}`;
      bestRun = end - start;
    }
  }
  return best;
}

test("the parser accepts what Node's accepts, zones aside", () => {
  const part = fc.oneof(
    fc.constantFrom("", "0", "1", "ffff", "00ab", "10000", "1.2.3.4", "x"),
    fc.string({ maxLength: 2 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 9 }), (parts) => {
      const text = parts.join(":");
      assert.equal(Ipv6.parse(text) !== undefined, isIPv6(text) && !text.includes("%"), text);
    }),
    { numRuns: 2000 },
  );
});

test("addition ends at both ends of the address space", () => {
  fc.assert(
    fc.property(anyValue, fc.bigInt({ min: -limit, max: limit }), (value, count) => {
      const sum = value + count;
      assert.equal(Ipv6.add(Ipv6.of(value), count), sum < 0n || sum >= limit ? undefined : sum);
    }),
  );
});

test("masks have as many leading ones as asked", () => {
  for (let length = 0; length <= 128; length += 1) {
    const ones = BigInt(`0b0${"1".repeat(length)}`) << BigInt(128 - length);
    assert.equal(Ipv6.mask(length), ones);
  }
});

test("link-local is fe80::/10 and nothing else", () => {
  const isLinkLocal = (text: string): boolean => Ipv6.isLinkLocal(Ipv6.parse(text) ?? Ipv6.of(0n));
  assert.ok(isLinkLocal("fe80::1"));
  assert.ok(isLinkLocal("febf:ffff::"));
  assert.ok(!isLinkLocal("fec0::"));
  assert.ok(!isLinkLocal("fe7f:ffff::"));
});

test("too few bytes are a RangeError", () => {
  assert.throws(() => Ipv6.read(new Uint8Array(15)), RangeError);
  assert.throws(() => Ipv6.read(new Uint8Array(20), 5), RangeError);
});
