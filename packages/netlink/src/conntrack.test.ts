/** Tracked connections on the wire. Method: one as the kernel listed it, read and named again; damaged bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError, IpAddress, Ipv4, Writer } from "@caracal/net";
import fc from "fast-check";
import { decodeConnection, dumpConnections, forgetConnection, forgetConnections } from "./conntrack.ts";
import { readMessages } from "./message.ts";

/** UDP from 10.0.0.1 to 192.0.2.1, which is translated to 10.0.0.9. */
const tuple =
  "1400018008000100 0a000001 08000200 c0000201 1c000280 0500010011000000 06000200ce130000 0600030000630000";
const reply =
  "1400018008000100 0a000009 08000200 0a000001 1c000280 0500010011000000 0600020000630000 06000300ce130000";
const listed = `84000000 0001 0200 07000000 00000000 02000000 34000180${tuple} 34000280${reply} 06001200 00070000`;

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

function hexOf(write: (writer: Writer) => void): string {
  const writer = new Writer();
  write(writer);
  return Buffer.from(writer.finish()).toString("hex");
}

function read(bytes: Uint8Array) {
  return [...readMessages(bytes)].map(decodeConnection);
}

test("a listed connection shows both sources, and is forgotten by its own name and zone", () => {
  const [connection] = read(bytesOf(listed));
  assert.ok(connection !== undefined);
  const { originalSource, replySource } = connection;
  assert.deepEqual(
    [originalSource, replySource].map((one) => one && IpAddress.format(one)),
    ["10.0.0.1", "10.0.0.9"],
  );
  const request = forgetConnection(connection);
  assert.equal(request.type, 0x102);
  const expected = `02000000 34000180${tuple} 06001200 00070000`.replaceAll(" ", "");
  assert.equal(
    hexOf((writer) => request.writeBody(writer)),
    expected,
  );
});

test("a filter is for the source of one direction", () => {
  const source = Ipv4.parse("10.0.0.1") ?? assert.fail();
  const original = hexOf((writer) => forgetConnections("original", source).writeBody(writer));
  assert.match(
    original,
    /^02000000100001800c000180080001000a0000011400198008000100010000000800020000000000$/,
  );
  const answered = hexOf((writer) => dumpConnections({ direction: "reply", source }).writeBody(writer));
  assert.match(answered, /^0200000010000280.*1400198008000100000000000800020001000000$/);
  const six = dumpConnections({ direction: "reply", source: IpAddress.parse("fd00::1") ?? assert.fail() });
  assert.equal(
    hexOf((writer) => six.writeBody(writer)),
    "0a000000",
    "the kernel's filter of IPv6 is not to be trusted",
  );
});

test("damaged connections are connections or decode errors, nothing else", () => {
  const known = bytesOf(listed);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(known.length - 1), fc.nat(255))), (damage) => {
      const damaged = Uint8Array.from(known);
      for (const [at, value] of damage) damaged[at] = value;
      try {
        read(damaged);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
  );
});
