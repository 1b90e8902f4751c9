/**
 * UPDATEs whose structure is wrong or strange, class by class, from raw bytes into a whole speaker: lengths that contradict
 * each other, prefixes, next hops, long and merged AS paths, path identifiers that nobody agreed on. Each names what the
 * RFC demands, and what the honest peer hears.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AsPath } from "../src/wire/as-path.ts";
import { type PathAttributes } from "../src/wire/path-attributes.ts";
import { hex, message, rawOpen, rawUpdate, usualCapabilities } from "./raw-message.ts";
import { Victim, addressText } from "./victim.ts";

const origin = "40010100";
const asPath = "40020602010000fde9";
const nextHop = "4003040a000001";
const good = [origin, asPath, nextHop];

/** What an UPDATE costs an Established session; at once and byte by byte, which must be the same. */
function cost(bytes: Uint8Array): string {
  const found = new Victim().upTo("Established").feed(bytes);
  assert.equal(new Victim().upTo("Established").feedSlowly(bytes), found);
  return found;
}

test("withdrawn and attribute lengths that contradict the message reset with 3.1 (RFC 4271 §6.3)", () => {
  const rows: readonly (readonly [string, string])[] = [
    ["a withdrawn length past the message's end", "0005 0000"],
    ["a withdrawn length of 65535", "ffff 0000"],
    ["a withdrawn length that leaves one byte for the attribute length", "0001 0000"],
    ["an attribute length past the message's end", "0000 0005"],
    ["an attribute length of 65535", "0000 ffff"],
    ["both together one byte too long", "0002 080a 000f 40010100 40020602010000fde9"],
  ];
  for (const [what, body] of rows) assert.equal(cost(message(2, body)), "3.1", what);
});

test("prefixes that are too long or cut off reset with 3.10 (RFC 7606 §3 j)", () => {
  const rows: readonly (readonly [string, Uint8Array])[] = [
    ["withdrawn length 33", rawUpdate([], "", "210a00000000")],
    ["withdrawn length 255", rawUpdate([], "", "ff0a00000000")],
    ["withdrawn cut off", rawUpdate([], "", "180a00")],
    ["announced length 33", rawUpdate(good, "210a00000000")],
    ["announced length 255", rawUpdate(good, "ff")],
    ["announced cut off", rawUpdate(good, "080a180a00")],
    ["one stray byte after the prefixes", rawUpdate(good, "080a08")],
  ];
  for (const [what, bytes] of rows) assert.equal(cost(bytes), "3.10", what);
});

test("IPv6 prefixes that are too long or cut off reset with 3.9 and the attribute", () => {
  const reach = (prefixes: string): string => {
    const value = `0002 01 10 fd00${"0".repeat(27)}1 00 ${prefixes}`.replaceAll(" ", "");
    return `800e${hex(value.length / 2, 1)}${value}`;
  };
  for (const prefixes of ["81fd", "40fd00", "ff", "00ff"]) {
    const attribute = reach(prefixes);
    assert.equal(cost(rawUpdate([origin, asPath, attribute], "")), `3.9 ${attribute}`, prefixes);
  }
});

test("host bits do not make another prefix, and the default route is a prefix", () => {
  const victim = new Victim().upTo("Established");
  assert.equal(victim.feed(rawUpdate(good, "090aff 180a0102 00 200a010203")), "");
  assert.deepEqual(victim.told, ["0.0.0.0/0", "10.1.2.0/24", "10.1.2.3/32", "10.128.0.0/9"]);
  assert.equal(victim.feed(rawUpdate([], "", "090aab00")), "");
  assert.deepEqual(victim.told, ["10.1.2.0/24", "10.1.2.3/32"]);
});

test("a prefix withdrawn and announced in one message is announced (RFC 4271 §4.3)", () => {
  const victim = new Victim().upTo("Established");
  assert.equal(victim.feed(rawUpdate(good, "080a", "080a")), "");
  assert.deepEqual([victim.table, victim.told], [["10.0.0.0/8"], ["10.0.0.0/8"]]);
});

test("an UPDATE with nothing in it, and one with attributes alone, change nothing", () => {
  for (const bytes of [rawUpdate([], ""), rawUpdate(good, ""), rawUpdate([], "", "080a")]) {
    const victim = new Victim().upTo("Established");
    victim.feed(rawUpdate(good, "080b"));
    assert.equal(victim.feed(bytes), "");
    assert.deepEqual(victim.told, ["11.0.0.0/8"]);
  }
});

test("the two-octet length is read whether it is needed or not (RFC 4271 §4.3)", () => {
  const long = `d008 0400 ${"0000000a".repeat(256)}`;
  const victim = new Victim().upTo("Established");
  assert.equal(victim.feed(rawUpdate(["50010001 00", "500200060201 0000fde9", nextHop, long])), "");
  assert.equal(victim.heard.get("10.0.0.0/8")?.communities?.length, 256);
});

const noNextHops: readonly (readonly [string, string])[] = [
  ["::", "0".repeat(32)],
  ["multicast", `ff02${"0".repeat(28)}`],
];

test("IPv6 next hops: 16 and 32 octets are read, an unusable one withdraws, any other length resets", () => {
  const reach = (hop: string): string => {
    const value = `000201${hex(hop.length / 2, 1)}${hop}0010fd00`;
    return `800e${hex(value.length / 2, 1)}${value}`;
  };
  const global = `fd00${"0".repeat(27)}1`;
  for (const hop of [global, `${global}fe80${"0".repeat(27)}1`, `${global}${"0".repeat(32)}`]) {
    const victim = new Victim().upTo("Established");
    assert.equal(victim.feed(rawUpdate([origin, asPath, reach(hop)], "")), "");
    assert.deepEqual(victim.told, ["fd00::/16"]);
    assert.equal(addressText(victim.speaker.routes()[0]?.attributes.nextHop), "fd00::1");
    for (const [what, unusable] of noNextHops) {
      assert.equal(victim.feed(rawUpdate([origin, asPath, reach(unusable)], "")), "", what);
      assert.deepEqual(victim.told, [], what);
      victim.feed(rawUpdate([origin, asPath, reach(hop)], ""));
    }
  }
  for (const size of [0, 4, 8, 15, 17, 24, 31, 33, 48]) {
    const attribute = reach("fd".padEnd(size * 2, "0").slice(0, size * 2));
    assert.equal(cost(rawUpdate([origin, asPath, attribute], "")), `3.9 ${attribute}`, `${size} octets`);
  }
});

/** An AS_PATH of one sequence after the other. */
function pathOf(segments: readonly (readonly number[])[], octets: 2 | 4): string {
  const value = segments
    .map((asns) => `02${hex(asns.length, 1)}${asns.map((asn) => hex(asn, octets)).join("")}`)
    .join("");
  return `5002${hex(value.length / 2, 2)}${value}`;
}

const extended = rawOpen({ capabilities: [...usualCapabilities, "0600"] });

test("a path of more than 2,048 numbers is a path; whom it does not fit is not told (RFC 8654 §4)", () => {
  const victim = new Victim({ extendedMessages: true }).upTo("Established", extended);
  const segments = Array.from({ length: 10 }, () => Array.from({ length: 250 }, () => 65001));
  assert.equal(victim.feed(rawUpdate([origin, pathOf(segments, 4), nextHop])), "");
  const [route] = victim.speaker.routes();
  assert.equal(AsPath.length(route?.attributes.asPath ?? []), 2500);
  assert.deepEqual(victim.told, [], "4,096 octets do not hold it");
  assert.equal(victim.feed(rawUpdate(good)), "");
  assert.deepEqual(victim.told, ["10.0.0.0/8"]);
  victim.feed(rawUpdate([origin, pathOf(segments, 4), nextHop]));
  assert.deepEqual(victim.told, [], "the short path is not kept in its place");
});

test("a path of full segments grows by a segment (RFC 4271 §5.1.2)", () => {
  const victim = new Victim().upTo("Established");
  const full = Array.from({ length: 255 }, () => 65001);
  assert.equal(victim.feed(rawUpdate([origin, pathOf([full], 4), nextHop])), "");
  const told = victim.heard.get("10.0.0.0/8")?.asPath;
  assert.deepEqual(
    told?.map((one) => one.asns.length),
    [1, 255],
  );
});

test("a path without segments from outside is a path", () => {
  const victim = new Victim().upTo("Established");
  assert.equal(victim.feed(rawUpdate([origin, "400200", nextHop])), "");
  assert.equal(AsPath.format(victim.heard.get("10.0.0.0/8")?.asPath ?? []), "64512");
});

const twoOctets = rawOpen({ capabilities: usualCapabilities.slice(0, 3) });

/** AS4_PATH of one sequence. */
function as4Path(...asns: readonly number[]): string {
  return `c011${hex(2 + asns.length * 4, 1)}02${hex(asns.length, 1)}${asns.map((asn) => hex(asn, 4)).join("")}`;
}

const big = 4_200_000_001;
const mergeRows: readonly (readonly [what: string, attributes: readonly string[], path: string])[] = [
  ["none", [pathOf([[65001, 23456]], 2)], "65001 23456"],
  ["as long", [pathOf([[65001, 23456]], 2), as4Path(65001, big)], `65001 ${big}`],
  ["shorter", [pathOf([[65001, 65002, 23456]], 2), as4Path(big)], `65001 65002 ${big}`],
  ["longer: ignored", [pathOf([[65001]], 2), as4Path(65001, big)], "65001"],
  ["malformed: ignored", [pathOf([[65001, 23456]], 2), "c01103020200"], "65001 23456"],
  ["with AS 0: ignored", [pathOf([[65001, 23456]], 2), as4Path(0)], "65001 23456"],
  [
    "with a confederation's segment: without it (RFC 6793 §6)",
    [pathOf([[65001, 23456]], 2), `c0110c 0301 0000fde8 0201 ${hex(big, 4)}`],
    `65001 ${big}`,
  ],
  [
    "beside an aggregator that fits two octets, no AS4_AGGREGATOR",
    [pathOf([[65001, 23456]], 2), "c00706fde90a000001", as4Path(65001, big)],
    `65001 ${big}`,
  ],
  [
    "beside an aggregator that AS4_AGGREGATOR contradicts: both ignored",
    [pathOf([[65001, 23456]], 2), "c00706fde90a000001", as4Path(65001, big), `c01208${hex(big, 4)}0a000001`],
    "65001 23456",
  ],
  [
    "beside AS_TRANS and AS4_AGGREGATOR",
    [pathOf([[65001, 23456]], 2), "c007065ba00a000001", as4Path(65001, big), `c01208${hex(big, 4)}0a000001`],
    `65001 ${big}`,
  ],
];

for (const [what, attributes, path] of mergeRows) {
  test(`AS4_PATH ${what} (RFC 6793 §4.2.3)`, () => {
    const victim = new Victim().upTo("Established", twoOctets);
    const [first = "", ...rest] = attributes;
    assert.equal(victim.feed(rawUpdate([origin, first, nextHop, ...rest])), "");
    const told = victim.heard.get("10.0.0.0/8");
    assert.equal(AsPath.format(told?.asPath ?? []), `64512 ${path}`);
    const aggregator = attributes.some((one) => one.startsWith("c007065ba0")) ? big : told?.aggregator?.asn;
    assert.equal(told?.aggregator?.asn, aggregator);
  });
}

test("AS4_AGGREGATOR of AS 0 is dropped, and the route can be asked for (RFC 7607 §2)", () => {
  const victim = new Victim().upTo("Established", twoOctets);
  const update = [origin, pathOf([[65001]], 2), nextHop, "c007065ba00a000001", "c01208000000000a000001"];
  assert.equal(victim.feed(rawUpdate(update)), "");
  assert.equal(victim.speaker.routes()[0]?.attributes.aggregator?.asn, 23456);
  assert.deepEqual(victim.told, ["10.0.0.0/8"]);
});

const withPaths = rawOpen({ capabilities: [...usualCapabilities, "450400010103"] });

test("path identifiers that were not agreed on are read as prefixes, and reset where they are none", () => {
  assert.equal(cost(rawUpdate(good, "00000001200a010203")), "3.10", "of 03 only the length is there");
  const agreed = new Victim({ addPathReceive: true }).upTo("Established", withPaths);
  assert.equal(agreed.feed(rawUpdate(good, "00000001 180a0102")), "");
  assert.deepEqual(agreed.told, ["10.1.2.0/24"]);
  const lacking = new Victim({ addPathReceive: true }).upTo("Established", withPaths);
  assert.equal(lacking.feed(rawUpdate(good, "180a0102")), "3.10", "0a0102 is no prefix length");
});

test("two paths of one peer to a prefix go one by one", () => {
  const victim = new Victim({ addPathReceive: true }).upTo("Established", withPaths);
  victim.feed(rawUpdate(good, "00000001080a 00000002080a 00000001080a"));
  assert.equal(victim.table.length, 2);
  victim.feed(rawUpdate([], "", "00000007080a00000001080a".replaceAll(" ", "")));
  assert.deepEqual([victim.table, victim.told], [["10.0.0.0/8"], ["10.0.0.0/8"]]);
  victim.feed(rawUpdate([], "", "00000002080a"));
  assert.deepEqual([victim.table, victim.told], [[], []]);
});

/** An unknown attribute as the honest peer hears it. */
function relayed(heard: PathAttributes | undefined): string[] {
  return (heard?.opaque ?? []).map(({ flags, code, value }) => `${hex(flags, 1)} ${code} ${value.toHex()}`);
}

test("unknown transitive attributes are relayed byte for byte with the partial bit (RFC 4271 §5)", () => {
  const long = "5a".repeat(300);
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ["c0ee03010203", ["e0 238 010203"]],
    ["e0ee03010203", ["e0 238 010203"]],
    ["d0ee0003010203", ["e0 238 010203"]],
    ["c0ee00", ["e0 238 "]],
    [`d0ee012c${long}`, [`e0 238 ${long}`]],
    ["c0ff0101 c0620102 c0ee0103", ["e0 98 02", "e0 238 03", "e0 255 01"]],
    ["80ee0101", []],
    ["a0ee0101", []],
  ];
  for (const [attribute, expected] of rows) {
    const victim = new Victim().upTo("Established");
    assert.equal(victim.feed(rawUpdate([...good, attribute])), "");
    assert.deepEqual(relayed(victim.heard.get("10.0.0.0/8")), expected, attribute);
  }
});

test("an end of file at every offset of a withdrawal and an announcement leaves one table or the other", () => {
  const change = rawUpdate([...good, "80040400000007"], "080c", "080a");
  for (let cut = 0; cut <= change.length; cut += 1) {
    const victim = new Victim().upTo("Established");
    victim.feed(rawUpdate(good));
    assert.equal(victim.feed(change.subarray(0, cut)), "");
    assert.deepEqual(victim.told, [cut === change.length ? "12.0.0.0/8" : "10.0.0.0/8"]);
    victim.endOfFile();
    assert.deepEqual([victim.table, victim.told], [[], []]);
  }
});
