/** Messages of up to 65,535 bytes (RFC 8654): the bound of each type, and UPDATEs that use the room. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError, Prefix } from "@caracal/net";
import { addressOf } from "../../test/simulation.ts";
import { MessageType } from "../iana.ts";
import { MessageSplitter, maxExtendedMessageBytes, maxMessageBytes } from "./header.ts";
import { encodeNlri, listNlri } from "./nlri.ts";
import { type PathAttributes } from "./path-attributes.ts";
import { decodeUpdate } from "./update.ts";
import { UpdateWriter } from "./update-writer.ts";

function message(type: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.fill(0xff, 0, 16);
  bytes.set([length >> 8, length & 255, type], 16);
  return bytes;
}

/** What a splitter makes of a message: its length, or the fault. */
function split(bytes: Uint8Array, isExtended: boolean): number | string | undefined {
  const splitter = new MessageSplitter();
  if (isExtended) splitter.maxMessageBytes = maxExtendedMessageBytes;
  try {
    splitter.push(bytes);
    return splitter.next()?.bytes.length;
  } catch (error) {
    if (error instanceof DecodeError) return `${error.code}.${error.subcode} ${error.data.toHex()}`;
    throw error;
  }
}

test("a header's bound is 4,096 bytes, and 65,535 where both ends said so; an OPEN's and a KEEPALIVE's stay", () => {
  for (const type of [MessageType.update, MessageType.notification]) {
    assert.equal(split(message(type, 4096), false), 4096);
    assert.equal(split(message(type, 4097), false), "1.2 1001");
    assert.equal(split(message(type, 4097), true), 4097);
    assert.equal(split(message(type, 65_535), true), 65_535);
  }
  assert.equal(split(message(MessageType.open, 4096), true), 4096);
  assert.equal(split(message(MessageType.open, 4097), true), "1.2 1001");
  assert.equal(split(message(MessageType.keepalive, 4097), true), "1.2 1001");
  assert.equal(split(message(MessageType.keepalive, 20), true), "1.2 0014");
});

/** Announces and withdraws many prefixes: the lengths of the messages, with all checked to come back complete. */
function lengths(family: 4 | 6, maxBytes: number | undefined): number[] {
  const attributes: PathAttributes = {
    origin: 0,
    asPath: [{ kind: "sequence", asns: [1, 2, 3] }],
    nextHop: addressOf(family === 4 ? "10.0.0.1" : "fd00::1"),
  };
  const prefixes = Array.from({ length: 20_000 }, (_, index): Prefix => {
    const prefix = Prefix.parse(
      family === 4 ? `10.${index >> 8}.${index & 255}.0/24` : `fd00:${(index + 1).toString(16)}::/48`,
    );
    assert.ok(prefix !== undefined);
    return prefix;
  });
  const writer = new UpdateWriter({
    family,
    addPath: false,
    as4: true,
    ...(maxBytes === undefined ? {} : { maxMessageBytes: maxBytes }),
  });
  const write = (out: Parameters<typeof encodeNlri>[0], index: number): void => {
    const prefix = prefixes[index];
    assert.ok(prefix !== undefined);
    encodeNlri(out, { prefix, pathId: 0 }, false);
  };
  writer.announce(attributes, prefixes.length, write);
  writer.withdraw(prefixes.length, write);
  const splitter = new MessageSplitter();
  splitter.maxMessageBytes = maxBytes ?? maxMessageBytes;
  splitter.push(writer.take());
  const seen = { announced: 0, withdrawn: 0 };
  const found: number[] = [];
  for (let frame = splitter.next(); frame !== undefined; frame = splitter.next()) {
    found.push(frame.bytes.length);
    const decoded = decodeUpdate(frame.bytes, { as4: true, external: true, addPath: [] });
    assert.deepEqual(decoded.faults, []);
    for (const one of decoded.announced) {
      assert.deepEqual(one.attributes, attributes);
      seen.announced += listNlri(one.nlri).length;
    }
    for (const block of decoded.withdrawn) seen.withdrawn += listNlri(block).length;
  }
  assert.deepEqual(seen, { announced: prefixes.length, withdrawn: prefixes.length });
  return found;
}

test("UPDATEs are as long as agreed, in both families, and not a byte longer", () => {
  for (const family of [4, 6] as const) {
    const plain = lengths(family, undefined);
    const extended = lengths(family, maxExtendedMessageBytes);
    assert.ok(Math.max(...plain) <= maxMessageBytes && Math.max(...plain) > maxMessageBytes - 20);
    assert.ok(Math.max(...extended) <= 65_535 && Math.max(...extended) > 65_535 - 20);
    assert.ok(extended.length * 5 < plain.length);
  }
});

test("attributes too long for an ordinary message go to those who agreed to long ones", () => {
  const attributes: PathAttributes = {
    origin: 0,
    asPath: [],
    nextHop: addressOf("10.0.0.1"),
    communities: Array.from({ length: 10_000 }, (_, index) => index),
  };
  const announced = (maxBytes: number): boolean =>
    new UpdateWriter({ family: 4, addPath: false, as4: true, maxMessageBytes: maxBytes }).announce(
      attributes,
      1,
      (out) => encodeNlri(out, { prefix: Prefix.of(addressOf("10.0.0.0"), 8), pathId: 0 }, false),
    );
  assert.equal(announced(maxMessageBytes), false);
  assert.equal(announced(maxExtendedMessageBytes), true);
});
