/** OPEN and its capabilities: BIRD's own bytes both ways, and what RFC 4271 §6.2 refuses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError, Ipv4 } from "@caracal/net";
import fc from "fast-check";
import { birdCaptures } from "../../test/bird-captures.ts";
import { type Capability } from "./capability.ts";
import { decodeOpen, encodeOpen, openAsn } from "./open.ts";

const header = "ff".repeat(16);

/** An OPEN with these bytes after the header. */
function open(body: string): Uint8Array {
  const length = (19 + body.length / 2).toString(16).padStart(4, "0");
  return Uint8Array.fromHex(`${header}${length}01${body}`);
}

function refusal(bytes: Uint8Array): string {
  try {
    decodeOpen(bytes);
  } catch (error) {
    if (error instanceof DecodeError) return `${error.code}.${error.subcode} ${error.data.toHex()}`.trimEnd();
    throw error;
  }
  return "accepted";
}

test("BIRD's OPEN is read as what BIRD means", () => {
  const bird = decodeOpen(Uint8Array.fromHex(birdCaptures.open));
  assert.equal(bird.holdTimeS, 240);
  assert.equal(openAsn(bird), 65001);
  assert.equal(Ipv4.format(bird.bgpIdentifier), "10.0.0.2");
  assert.deepEqual(
    bird.capabilities.map((one) => one.kind),
    [
      "multiprotocol",
      "multiprotocol",
      "routeRefresh",
      "gracefulRestart",
      "fourOctetAs",
      "addPath",
      "enhancedRouteRefresh",
      "longLivedGracefulRestart",
    ],
  );
  assert.deepEqual(bird.capabilities[5], {
    kind: "addPath",
    families: [{ afi: 1, safi: 1, receive: true, send: true }],
  });
});

test("capabilities re-encode as they came, known or not", () => {
  for (const hex of [birdCaptures.open, birdCaptures.twoOctetOpen]) {
    const bird = decodeOpen(Uint8Array.fromHex(hex));
    assert.deepEqual(decodeOpen(encodeOpen(bird)), bird);
    // Codes 70 and 71 with their values, the second one unknown to us.
    for (const part of ["4600", "470e00010100000e1000020100000e10"]) {
      assert.ok(hex.includes(part) && encodeOpen(bird).toHex().includes(part));
    }
  }
});

test("what RFC 4271 §6.2 refuses gets its code", () => {
  const tail = "fde900b40a00000200";
  assert.equal(refusal(open(`04${tail}`)), "accepted");
  assert.equal(refusal(open(`03${tail}`)), "2.1 0004");
  assert.equal(refusal(open("04fde900010a00000200")), "2.6");
  assert.equal(refusal(open("04fde900020a00000200")), "2.6");
  assert.equal(refusal(open("04fde900b40000000000")), "2.3");
  assert.equal(refusal(open("04fde900b40a0000020401020000")), "2.4");
  assert.equal(refusal(open("04fde900b40a00000205020201")), "2.0", "parameters end early");
  assert.equal(
    refusal(open("04fde900b40a0000020402020104")),
    "2.0",
    "a capability passes its parameter's end",
  );
  assert.equal(refusal(open("04fde900b40a000002000000")), "2.0", "stray bytes");
});

test("extended optional parameters (RFC 9072) are read", () => {
  const parsed = decodeOpen(open("04fde900b40a000002ffff0009020006010400010001"));
  assert.deepEqual(parsed.capabilities, [{ kind: "multiprotocol", afi: 1, safi: 1 }]);
});

test("capabilities that one octet cannot count are written in RFC 9072's form, and only those", () => {
  const value = (capabilities: readonly Capability[]): Uint8Array =>
    encodeOpen({ kind: "open", version: 4, myAs: 1, holdTimeS: 90, bgpIdentifier: Ipv4.of(7), capabilities });
  const opaque = (bytes: number): Capability => ({
    kind: "opaque",
    code: 200,
    value: new Uint8Array(bytes).fill(7),
  });
  // 251 bytes with four of heads are 255.
  const plain = value([opaque(251)]);
  assert.deepEqual([...plain.subarray(28, 31)], [255, 2, 253]);
  const extended = value([opaque(252)]);
  assert.deepEqual([...extended.subarray(28, 37)], [255, 255, 1, 1, 2, 0, 254, 200, 252]);
  for (const list of [[opaque(251)], [opaque(252)], [opaque(255), opaque(0)], [opaque(100), opaque(151)]]) {
    assert.deepEqual(decodeOpen(value(list)).capabilities, list);
  }
});

test("extended parameters that do not add up are refused", () => {
  const head = "04fde900b40a000002";
  assert.equal(refusal(open(`${head}ffff000902000601040001000100`)), "2.0", "stray bytes");
  assert.equal(refusal(open(`${head}ffff000a0200060104000100`)), "2.0", "the list passes the message's end");
  assert.equal(refusal(open(`${head}ffff0004020006ff`)), "2.0", "a parameter passes the list's end");
  assert.equal(refusal(open(`${head}ffff0003010000`)), "2.4", "a parameter of another type");
  assert.equal(refusal(open(`${head}ffff0000`)), "accepted", "no parameters at all");
  assert.equal(refusal(open(`${head}ffff00`)), "2.0", "half a length");
});

test("decode(encode(x)) is x for any capabilities", () => {
  const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
    fc.record(model, { noNullPrototype: true });
  const u8 = fc.integer({ min: 0, max: 255 });
  const u16 = fc.integer({ min: 0, max: 65535 });
  const capability: fc.Arbitrary<Capability> = fc.oneof(
    record({ kind: fc.constant("multiprotocol" as const), afi: u16, safi: u8 }),
    fc.constant({ kind: "routeRefresh" } as const),
    fc.constant({ kind: "extendedMessage" } as const),
    fc.constant({ kind: "enhancedRouteRefresh" } as const),
    record({ kind: fc.constant("role" as const), role: u8 }),
    record({ kind: fc.constant("fourOctetAs" as const), asn: fc.nat() }),
    record({
      kind: fc.constant("gracefulRestart" as const),
      restarted: fc.boolean(),
      notification: fc.boolean(),
      restartTimeS: fc.integer({ min: 0, max: 4095 }),
      families: fc.array(record({ afi: u16, safi: u8, forwardingPreserved: fc.boolean() }), {
        maxLength: 3,
      }),
    }),
    record({
      kind: fc.constant("longLivedGracefulRestart" as const),
      families: fc.array(
        record({
          afi: u16,
          safi: fc.nat(255),
          forwardingPreserved: fc.boolean(),
          staleTimeS: fc.nat(0xff_ffff),
        }),
      ),
    }),
    record({
      kind: fc.constant("opaque" as const),
      code: fc.integer({ min: 128, max: 255 }),
      value: fc.uint8Array({ maxLength: 8 }),
    }),
  );
  fc.assert(
    fc.property(fc.array(capability, { maxLength: 60 }), (capabilities) => {
      const value = {
        kind: "open" as const,
        version: 4,
        myAs: 1,
        holdTimeS: 90,
        bgpIdentifier: Ipv4.of(7),
        capabilities,
      };
      assert.deepEqual(decodeOpen(encodeOpen(value)), value);
    }),
  );
});
