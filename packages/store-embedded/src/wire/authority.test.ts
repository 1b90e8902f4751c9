/**
 * Header blocks as etcd's clients send them get a valid `:authority` of the same length, others stay as they are. Method:
 * blocks made by hand, the examples of RFC 7541 Appendix C, and mutated bytes that must never throw.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { repairAuthority } from "./authority.ts";
import { FrameSplitter, repairFrame } from "./frames.ts";
import { decodeHuffman } from "./huffman.ts";

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(" ", ""), "hex");
}

/** `:authority`, remembered, as a plain string. */
function authority(text: string): Buffer {
  return Buffer.concat([Buffer.of(0x41, text.length), Buffer.from(text)]);
}

test("Huffman strings of RFC 7541 Appendix C", () => {
  assert.equal(decodeHuffman(hex("f1e3 c2e5 f23a 6ba0 ab90 f4ff")), "www.example.com");
  assert.equal(decodeHuffman(hex("a8eb 1064 9cbf")), "no-cache");
  assert.equal(decodeHuffman(hex("25a8 49e9 5ba9 7d7f")), "custom-key");
  assert.equal(decodeHuffman(hex("9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3")), "https://www.example.com");
});

test("padding must be ones, and shorter than a byte", () => {
  assert.equal(decodeHuffman(hex("f1e3 c2e5 f23a 6ba0 ab90 f4fe")), undefined);
  assert.equal(decodeHuffman(hex("f1e3 c2e5 f23a 6ba0 ab90 f4ff ff")), undefined);
});

test("a path or a URL is repaired, with its length kept", () => {
  const before = hex("8386 84");
  const after = hex("4004 6e61 6d65 0576 616c 7565");
  const block = Buffer.concat([before, authority("/run/store.sock"), after]);
  const expected = Buffer.concat([before, authority("-run-store.sock"), after]);
  assert.deepEqual(Buffer.from(repairAuthority(block)), expected);
  const url = Buffer.concat([before, authority("http://127.0.0.1:2379")]);
  assert.deepEqual(
    Buffer.from(repairAuthority(url)),
    Buffer.concat([before, authority("http:--127.0.0.1:2379")]),
  );
});

test("a Huffman-coded one and one with its name spelled out are repaired too", () => {
  const coded = Buffer.concat([hex("41 91"), hex("9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3")]);
  assert.deepEqual(Buffer.from(repairAuthority(coded)), authority("https:--www.example.com"));
  const spelled = Buffer.concat([hex("000a"), Buffer.from(":authority"), hex("03"), Buffer.from("a/b")]);
  const expected = Buffer.concat([hex("000a"), Buffer.from(":authority"), hex("03"), Buffer.from("a-b")]);
  assert.deepEqual(Buffer.from(repairAuthority(spelled)), expected);
});

test("a long one keeps its length", () => {
  const path = `/${"x".repeat(300)}`;
  const block = Buffer.concat([hex("41 7f ae 01"), Buffer.from(path)]);
  assert.equal(Buffer.from(repairAuthority(block)).toString("latin1", 4), `-${"x".repeat(300)}`);
  assert.equal(repairAuthority(block).length, block.length);
});

test("valid ones are the same bytes (RFC 7541 C.3)", () => {
  const first = hex("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d");
  assert.equal(repairAuthority(first), first);
  const huffman = hex("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff");
  assert.equal(repairAuthority(huffman), huffman);
});

test("any bytes are passed on without a failure", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      assert.ok(repairAuthority(bytes).length > 0 || bytes.length === 0);
    }),
  );
});

test("frames are cut wherever the bytes are split, and put together again", () => {
  const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  const settings = hex("000000 04 00 00000000");
  const headers = Buffer.concat([hex("000005 01 04 00000001"), authority("a/b")]);
  const padded = Buffer.concat([hex("00000d 01 2c 00000003 02 0000000010"), authority("a/b"), hex("0000")]);
  const stream = Buffer.concat([preface, settings, headers, padded]);
  const repaired = Buffer.from(stream.toString("latin1").replaceAll("a/b", "a-b"), "latin1");
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length), { maxLength: 6 }), (cuts) => {
      const splitter = new FrameSplitter();
      const edges = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
      const frames = edges
        .slice(1)
        .flatMap((end, index) => splitter.push(stream.subarray(edges[index], end)));
      assert.equal(frames.length, 4);
      assert.deepEqual(Buffer.concat(frames.map(repairFrame)), repaired);
      assert.equal(splitter.takeRest().length, 0);
    }),
  );
});
