/**
 * UPDATE: BIRD's bytes, RFC 7606 row by row, and packing. A faulty message is built from a good one by replacing one
 * attribute.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError, IpAddress, Prefix } from "@caracal/net";
import { birdCaptures } from "../../test/bird-captures.ts";
import { addressOf, prefixOf } from "../../test/simulation.ts";
import { AsPath } from "./as-path.ts";
import { type DecodeContext } from "./attribute-decoder.ts";
import { MessageSplitter } from "./header.ts";
import { encodeNlri, listNlri } from "./nlri.ts";
import { type PathAttributes } from "./path-attributes.ts";
import { type Update, decodeUpdate } from "./update.ts";
import { UpdateWriter } from "./update-writer.ts";

const internal: DecodeContext = { as4: true, external: false, addPath: [] };
const external: DecodeContext = { as4: true, external: true, addPath: [] };
const withPaths: DecodeContext = { as4: true, external: true, addPath: [4] };

function summary(update: Update): unknown {
  const list = (block: Parameters<typeof listNlri>[0]): string[] =>
    listNlri(block).map(
      ({ prefix, pathId }) => `${Prefix.format(prefix)}${pathId === 0 ? "" : `#${pathId}`}`,
    );
  return {
    withdrawn: update.withdrawn.flatMap(list),
    announced: update.announced.flatMap((one) => list(one.nlri)),
  };
}

/** An UPDATE with these attributes that announces 10.0.0.0/8. */
function update(...attributes: readonly string[]): Uint8Array {
  const list = attributes.join("");
  const attributeBytes = (list.length / 2).toString(16).padStart(4, "0");
  const body = `0000${attributeBytes}${list}080a`;
  const length = (19 + body.length / 2).toString(16).padStart(4, "0");
  return Uint8Array.fromHex(`${"ff".repeat(16)}${length}02${body}`);
}

const origin = "40010100";
const asPath = "40020602010000fde9";
const nextHop = "4003040a000002";
const localPref = "40050400000064";

/** What becomes of the message: the worst of the faults' actions, or the NOTIFICATION it costs. */
function outcome(bytes: Uint8Array, context: DecodeContext = internal): string {
  try {
    const { faults, announced } = decodeUpdate(bytes, context);
    if (faults.some((one) => one.action === "withdraw")) {
      assert.deepEqual(announced, [], "a withdrawn route is not announced");
      return "withdraw";
    }
    return faults.length > 0 ? "discard" : "accept";
  } catch (error) {
    if (error instanceof DecodeError) return `reset ${error.code}.${error.subcode}`;
    throw error;
  }
}

test("BIRD's UPDATEs are read as what BIRD means", () => {
  const path = decodeUpdate(Uint8Array.fromHex(birdCaptures.fourOctetPath), withPaths);
  assert.deepEqual(summary(path), { withdrawn: [], announced: ["10.2.0.64/26#2"] });
  assert.equal(AsPath.format(path.announced[0]?.attributes.asPath ?? []), "65001 4200000002");
  const rich = decodeUpdate(Uint8Array.fromHex(birdCaptures.communities), withPaths).announced[0]?.attributes;
  assert.deepEqual(rich?.communities, [65001 * 65536 + 7]);
  assert.deepEqual(rich?.largeCommunities, [[65001, 1, 2]]);
  assert.deepEqual(rich?.extendedCommunities, [0x0002fde900000009n]);
  const six = decodeUpdate(Uint8Array.fromHex(birdCaptures.ipv6), withPaths);
  assert.deepEqual(summary(six), { withdrawn: [], announced: ["fd02:0:0:1::/64", "fd02::/64"] });
  const hop = six.announced[0]?.attributes.nextHop;
  assert.equal(hop === undefined ? "" : IpAddress.format(hop), "fd00::2");
  assert.equal(decodeUpdate(Uint8Array.fromHex(birdCaptures.endOfRib4), withPaths).endOfRib, 4);
  assert.equal(decodeUpdate(Uint8Array.fromHex(birdCaptures.endOfRib6), withPaths).endOfRib, 6);
});

test("AS_TRANS and AS4_PATH give the same route as four-octet numbers", () => {
  const four = decodeUpdate(Uint8Array.fromHex(birdCaptures.fourOctetPath), withPaths);
  const two = decodeUpdate(Uint8Array.fromHex(birdCaptures.twoOctetPath), { ...withPaths, as4: false });
  assert.deepEqual(two.announced, four.announced);
});

test("what BIRD sent is what we would send", () => {
  for (const hex of [birdCaptures.fourOctetPath, birdCaptures.communities, birdCaptures.twoOctetPath]) {
    const as4 = hex !== birdCaptures.twoOctetPath;
    const [one] = decodeUpdate(Uint8Array.fromHex(hex), { ...withPaths, as4 }).announced;
    assert.ok(one !== undefined);
    const writer = new UpdateWriter({ family: 4, addPath: true, as4 });
    const [nlri] = listNlri(one.nlri);
    assert.ok(nlri !== undefined);
    writer.announce(one.attributes, 1, (out) => encodeNlri(out, nlri, true));
    assert.equal(writer.take().toHex(), hex);
  }
  const writer = new UpdateWriter({ family: 6, addPath: false, as4: true });
  writer.endOfRib();
  assert.equal(writer.take().toHex(), birdCaptures.endOfRib6);
});

test("RFC 7606: each attribute's fault costs what its row says", () => {
  const good = [origin, asPath, nextHop, localPref] as const;
  const row = (what: string, expected: string, attributes: readonly string[], context = internal): void =>
    assert.equal(outcome(update(...attributes), context), expected, what);
  row("all good", "accept", good);
  row("ORIGIN of 2 bytes", "withdraw", ["4001020000", asPath, nextHop]);
  row("ORIGIN 3", "withdraw", ["40010103", asPath, nextHop]);
  row("AS_PATH segment type 5", "withdraw", [origin, "40020605010000fde9", nextHop]);
  row("AS_PATH confederation segment", "withdraw", [origin, "40020603010000fde9", nextHop]);
  row("AS_PATH overrun", "withdraw", [origin, "40020602020000fde9", nextHop]);
  row("AS_PATH empty segment", "withdraw", [origin, "4002020200", nextHop]);
  row("AS_PATH with AS 0", "withdraw", [origin, "400206020100000000", nextHop]);
  row("NEXT_HOP of 5 bytes", "withdraw", [origin, asPath, "4003050a00000200"]);
  row("NEXT_HOP 0.0.0.0", "withdraw", [origin, asPath, "40030400000000"]);
  row("NEXT_HOP multicast", "withdraw", [origin, asPath, "400304e0000001"]);
  row("MED of 3 bytes", "withdraw", [...good, "800403000001"]);
  row("LOCAL_PREF of 3 bytes", "withdraw", [origin, asPath, nextHop, "400503000064"]);
  row("LOCAL_PREF from outside", "discard", good, external);
  row("ATOMIC_AGGREGATE of 1 byte", "discard", [...good, "40060100"]);
  row("AGGREGATOR of 6 bytes", "discard", [...good, "c00706fde90a000001"]);
  row("AGGREGATOR AS 0", "discard", [...good, "c00708000000000a000001"]);
  row("COMMUNITIES of 0 bytes", "withdraw", [...good, "c00800"]);
  row("COMMUNITIES of 5 bytes", "withdraw", [...good, "c008050000000000"]);
  row("ORIGINATOR_ID of 3 bytes", "withdraw", [...good, "800903000001"]);
  row("ORIGINATOR_ID from outside", "discard", [origin, asPath, nextHop, "8009040a000001"], external);
  row("CLUSTER_LIST of 0 bytes", "withdraw", [...good, "800a00"]);
  row("CLUSTER_LIST from outside", "discard", [origin, asPath, nextHop, "800a040a000001"], external);
  row("EXTENDED COMMUNITIES of 7 bytes", "withdraw", [...good, "c0100700000000000000"]);
  row("LARGE COMMUNITIES of 11 bytes", "withdraw", [...good, "c0200b0000000000000000000000"]);
  row("AS4_PATH from a four-octet peer", "accept", [...good, "c0110602010000fde9"]);
  row("AS4_PATH malformed", "discard", [...good, "c01103020200"]);
  row("AS4_AGGREGATOR of 7 bytes", "discard", [...good, "c0120700000000000000"]);
  row("ORIGIN flagged optional", "withdraw", ["80010100", asPath, nextHop]);
  row("MED flagged transitive", "withdraw", [...good, "c0040400000001"]);
  row("ORIGIN missing", "withdraw", [asPath, nextHop]);
  row("AS_PATH missing", "withdraw", [origin, nextHop]);
  row("NEXT_HOP missing", "withdraw", [origin, asPath]);
  row("MED twice", "discard", [...good, "80040400000001", "80040400000002"]);
  row("unknown optional transitive", "accept", [...good, "c0ee0101"]);
  row("unknown optional non-transitive", "accept", [...good, "80ee0101"]);
  row("unknown well-known", "reset 3.2", [...good, "40ee0101"]);
  row("the list ends inside an attribute's header", "withdraw", [...good, "c0"]);
  row("an attribute passes the list's end", "withdraw", [...good, "c0080400"]);
  const mpReach = "800e0b000101040a00000200080b";
  row("MP_REACH twice", "reset 3.1", [...good, mpReach, mpReach]);
  row("MP_REACH with a next hop of 3 bytes", "reset 3.9", [...good, "800e09000101030a000000080b"]);
  row("MP_REACH of a foreign family", "accept", [...good, "800e0a400404040a0000020000"]);
  row("MP_UNREACH with prefix length 33", "reset 3.9", [...good, "800f0900010121ffffffffff"]);
});

test("lengths that contradict the message, and prefixes too long, reset the session", () => {
  const frame = (body: string): Uint8Array => {
    const length = (19 + body.length / 2).toString(16).padStart(4, "0");
    return Uint8Array.fromHex(`${"ff".repeat(16)}${length}02${body}`);
  };
  assert.equal(outcome(frame("00050000")), "reset 3.1");
  assert.equal(outcome(frame("00000005")), "reset 3.1");
  assert.equal(outcome(frame("000221ff0000")), "reset 3.10", "withdrawn length 33");
  assert.equal(outcome(update(origin, asPath, `${nextHop}`).fill(33, -2, -1)), "reset 3.10");
});

test("host bits in a prefix do not matter", () => {
  // Withdrawn: 10.255.0.0 as a /9.
  const bytes = Uint8Array.fromHex(`${"ff".repeat(16)}001a020003090aff0000`);
  assert.deepEqual(summary(decodeUpdate(bytes, internal)), { withdrawn: ["10.128.0.0/9"], announced: [] });
});

test("an unknown transitive attribute goes on with the partial bit set, byte for byte", () => {
  const decoded = decodeUpdate(update(origin, asPath, nextHop, "c0ee03010203"), external);
  const attributes = decoded.announced[0]?.attributes;
  assert.deepEqual(attributes?.opaque, [{ flags: 0xe0, code: 0xee, value: Uint8Array.of(1, 2, 3) }]);
  const writer = new UpdateWriter({ family: 4, addPath: false, as4: true });
  writer.announce(attributes, 1, (out) =>
    encodeNlri(out, { prefix: prefixOf("10.0.0.0/8"), pathId: 0 }, false),
  );
  assert.ok(writer.take().toHex().includes("e0ee03010203"));
});

test("a partial bit that came with a known attribute goes on with it, and with no other", () => {
  const decoded = decodeUpdate(update(origin, asPath, nextHop, "e00804fde80001", "c02304000000ff"), external);
  const attributes = decoded.announced[0]?.attributes;
  assert.deepEqual(attributes?.partial, [8]);
  for (const as4 of [true, false]) {
    const writer = new UpdateWriter({ family: 4, addPath: false, as4 });
    writer.announce(attributes, 1, (out) =>
      encodeNlri(out, { prefix: prefixOf("10.0.0.0/8"), pathId: 0 }, false),
    );
    assert.match(writer.take().toHex(), /e00804fde80001.*c02304000000ff/);
  }
});

test("many prefixes fill messages up to 4096 bytes and come back complete, in both families", () => {
  for (const family of [4, 6] as const) {
    const base: PathAttributes = {
      origin: 0,
      asPath: [{ kind: "sequence", asns: [1, 2, 3] }],
      nextHop: addressOf(family === 4 ? "10.0.0.1" : "fd00::1"),
      communities: Array.from({ length: 100 }, (_, index) => index),
    };
    const count = 3000;
    const texts = Array.from({ length: count }, (_, index) =>
      family === 4 ? `10.${index >> 8}.${index & 255}.0/24` : `fd00:${(index + 1).toString(16)}::/48`,
    );
    const writer = new UpdateWriter({ family, addPath: true, as4: true });
    const prefixes = texts.map(prefixOf);
    writer.announce(base, count, (out, index) => {
      const prefix = prefixes[index];
      assert.ok(prefix !== undefined);
      encodeNlri(out, { prefix, pathId: index + 1 }, true);
    });
    writer.withdraw(count, (out, index) => {
      const prefix = prefixes[index];
      assert.ok(prefix !== undefined);
      encodeNlri(out, { prefix, pathId: index + 1 }, true);
    });
    const splitter = new MessageSplitter();
    splitter.push(writer.take());
    const found: { announced: number; withdrawn: number } = { announced: 0, withdrawn: 0 };
    for (let frame = splitter.next(); frame !== undefined; frame = splitter.next()) {
      const decoded = decodeUpdate(frame.bytes, { as4: true, external: true, addPath: [4, 6] });
      assert.deepEqual(decoded.faults, []);
      for (const one of decoded.announced) {
        assert.deepEqual(one.attributes, base);
        for (const nlri of listNlri(one.nlri)) {
          assert.equal(Prefix.format(nlri.prefix), texts[nlri.pathId - 1]);
          found.announced += 1;
        }
      }
      for (const block of decoded.withdrawn) found.withdrawn += listNlri(block).length;
    }
    assert.deepEqual(found, { announced: count, withdrawn: count });
  }
});

test("attributes that leave no room for a prefix are not written", () => {
  const writer = new UpdateWriter({ family: 4, addPath: false, as4: true });
  const communities = Array.from({ length: 1100 }, (_, index) => index);
  assert.equal(
    writer.announce({ origin: 0, asPath: [], communities }, 1, () => undefined),
    false,
  );
  assert.equal(writer.length, 0);
});
