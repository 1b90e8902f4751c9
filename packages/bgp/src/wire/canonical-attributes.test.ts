/**
 * Attribute sets as canonical bytes, against the decoder that knows all cases: both ways without loss, and whatever
 * the quick reader of UPDATEs takes is what the thorough one would have made of it, faults included.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ipv4, Ipv6, Writer } from "@caracal/net";
import { anyAttributes } from "../../test/any-attributes.ts";
import { seedOf, seeded } from "../../test/seeded.ts";
import { AttributeTable } from "../rib/attribute-table.ts";
import { type DecodeContext } from "./attribute-decoder.ts";
import { decodeCanonical, encodeCanonical } from "./canonical-attributes.ts";
import { PlainUpdateDecoder } from "./plain-update.ts";
import { UpdateWriter } from "./update-writer.ts";
import { decodeUpdate } from "./update.ts";

const seed = seedOf(1);

test(`any attribute set comes back from its canonical bytes (SEED=${seed})`, () => {
  const random = seeded(seed);
  const writer = new Writer(512, 1 << 18);
  for (let round = 0; round < 2000; round += 1) {
    const value = anyAttributes(random);
    writer.truncate(0);
    encodeCanonical(writer, value);
    assert.deepEqual(decodeCanonical(writer.view()), value);
  }
});

test("a next hop that no peer may send is ours to choose, and comes back", () => {
  for (const nextHop of [Ipv4.of(0), Ipv4.of(0xe0000001), Ipv6.of(0n), Ipv6.of(0xff02n << 112n)]) {
    const value = { origin: 0, asPath: [], nextHop } as const;
    const writer = new Writer();
    encodeCanonical(writer, value);
    assert.deepEqual(decodeCanonical(writer.finish()), value);
  }
});

test(`a packed UPDATE stands for what the decoder makes of it, mutated or not (SEED=${seed})`, () => {
  const random = seeded(seed);
  const table = new AttributeTable();
  const decoder = new PlainUpdateDecoder();
  let plainCount = 0;
  let mutatedCount = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const writer = new UpdateWriter({ family: 4, addPath: false, as4: true });
    const isWritten = writer.announce(anyAttributes(random), 2, (out, index) => {
      out.u8(24);
      out.bytes(Uint8Array.of(10, 0, index));
    });
    if (!isWritten) continue;
    const bytes = writer.take();
    const isMutated = random() < 0.8;
    if (isMutated) bytes[19 + Math.floor(random() * (bytes.length - 19))] = Math.floor(random() * 256);
    const context: DecodeContext = { as4: true, external: random() < 0.5, addPath: [] };
    const plain = decoder.decode(bytes, context);
    if (plain === undefined) continue;
    plainCount += 1;
    if (isMutated) mutatedCount += 1;
    const { announced, withdrawn, faults } = decodeUpdate(bytes, context);
    const [only] = announced;
    assert.ok(only !== undefined && announced.length === 1 && withdrawn.length === 0);
    assert.deepEqual(faults, []);
    const { family, addPath, attributesEnd } = plain;
    assert.deepEqual({ family, addPath, bytes: plain.bytes.subarray(attributesEnd) }, only.nlri);
    const id = table.internCanonical(plain);
    assert.equal(table.intern(only.attributes), id);
    assert.deepEqual(table.get(id), only.attributes);
    assert.equal(table.nextHop(id), only.attributes.nextHop);
    table.collect(() => undefined);
  }
  assert.ok(plainCount > 1000 && mutatedCount > 500, `${plainCount} packed, ${mutatedCount} of them mutated`);
});

test("a speaker of two-octet AS numbers, a withdrawal and IPv6 are left to the decoder", () => {
  const decoder = new PlainUpdateDecoder();
  const writer = new UpdateWriter({ family: 4, addPath: false, as4: true });
  const write = (out: Writer): void => out.u8(0);
  writer.announce({ origin: 0, asPath: [], nextHop: Ipv4.of(0x0a000001) }, 1, write);
  const announcement = writer.take();
  const context: DecodeContext = { as4: true, external: true, addPath: [] };
  assert.equal(decoder.decode(announcement, context)?.pathLength, 0);
  assert.equal(decoder.decode(announcement, { ...context, as4: false }), undefined);
  writer.withdraw(1, write);
  assert.equal(decoder.decode(writer.take(), context), undefined);
  writer.endOfRib();
  assert.equal(decoder.decode(writer.take(), context), undefined);
});
