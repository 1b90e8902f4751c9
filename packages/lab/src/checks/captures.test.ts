// Aim: what passes an interface is told apart by its wrapping, whatever bytes come. Method: packets put together header by
// header, as tcpdump writes them; patterns good and bad; mutated captures.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { describeLayers, isEchoBetween, isWrappedSo, parseCapturePattern } from "./capture-pattern.ts";
import { readCapture } from "./packet.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"));

const echo = "0800 0000 0001 0001";
const pods = "4500 001c 0001 4000 3f 01 0000 0af4cc02 0af44902";
const inner = `66000000004a 6600000000cc 0800 ${pods} ${echo}`;
const nodes = (protocol: string): string => `4500 0000 0001 4000 3f ${protocol} 0000 0a000015 1e000017`;
const wire = "020000000001 020000000002 0800";
const packets = {
  plain: `${wire} ${pods} ${echo}`,
  ipip: `${wire} ${nodes("04")} ${pods} ${echo}`,
  vxlan: `${wire} ${nodes("11")} c000 12b5 0000 0000 08000000 00100000 ${inner}`,
};

/** A capture file of these packets. */
function capture(linkType: number, ...hex: readonly string[]): Uint8Array {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt32LE(linkType, 20);
  const records = hex.map((one) => {
    const packet = bytes(one);
    const record = Buffer.alloc(16);
    record.writeUInt32LE(packet.length, 8);
    record.writeUInt32LE(packet.length, 12);
    return Buffer.concat([record, packet]);
  });
  return Buffer.concat([header, ...records]);
}

const pair = { source: "10.244.204.2", destination: "10.244.73.2" };

test("an echo is known in any wrapping, and the wrapping with its outer addresses", () => {
  const patterns = [
    "leaf01 swp1 plain",
    "leaf01 swp1 ipip 10.0.0.21 > 30.0.0.23",
    "leaf01 swp1 vxlan 4096 10.0.0.21 > 30.0.0.23",
    "leaf01 swp1 vxlan 7 10.0.0.21 > 30.0.0.23",
    "leaf01 swp1 vxlan 4096 port 8472 10.0.0.21 > 30.0.0.23",
    "leaf01 swp1 ipip 10.0.0.22 > 30.0.0.23",
    "leaf01 swp1 nothing",
  ].map((text) => parseCapturePattern(text) ?? assert.fail(text));
  for (const [at, [kind, hex]] of Object.entries(packets).entries()) {
    const [layers = []] = readCapture(capture(1, hex));
    assert.ok(isEchoBetween(layers, pair), kind);
    assert.ok(!isEchoBetween(layers, { source: pair.destination, destination: pair.source }), kind);
    assert.deepEqual(
      patterns.map((pattern) => isWrappedSo(layers, pattern)),
      patterns.map((_, place) => place === at),
      kind,
    );
  }
  const [raw = []] = readCapture(capture(101, `${pods} ${echo}`));
  assert.equal(describeLayers(raw), "10.244.204.2 > 10.244.73.2 | echo request");
  const [vxlan = []] = readCapture(capture(1, packets.vxlan));
  assert.equal(
    describeLayers(vxlan),
    "02:00:00:00:00:02 > 02:00:00:00:00:01 | 10.0.0.21 > 30.0.0.23 | UDP 4789, VXLAN 4096 | 66:00:00:00:00:cc > 66:00:00:00:00:4a | 10.244.204.2 > 10.244.73.2 | echo request",
  );
});

test("patterns that mean nothing are refused", () => {
  for (const text of [
    "",
    "leaf01 swp1",
    "leaf01 swp1 vxlan 10.0.0.1 > 10.0.0.2",
    "a b ipip 10.0.0.1 > x",
    "a b gre 1 > 2",
  ])
    assert.equal(parseCapturePattern(text), undefined, text);
});

test("whatever bytes a capture holds, there are packets or none", () => {
  const good = capture(1, ...Object.values(packets));
  const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(changes, fc.nat(good.length), (list, end) => {
      const copy = Uint8Array.from(good);
      for (const [at, value] of list) copy[at] = value;
      assert.ok(readCapture(copy.subarray(0, end)).length <= 100);
    }),
    { numRuns: 500 },
  );
});
