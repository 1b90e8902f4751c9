// Aim: a writer holds exactly what was written, grows to its limit and no further. Method: random programs of writes,
// read back by Reader, from every initial size.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Reader } from "./reader.ts";
import { Utf8 } from "./utf8.ts";
import { Writer } from "./writer.ts";

const number = (max: number): fc.Arbitrary<number> => fc.nat({ max });
const long = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const anyWrite = fc.oneof(
  fc.record({ kind: fc.constant("u8"), value: number(0xff) }),
  fc.record({ kind: fc.constantFrom("u16", "u16le"), value: number(0xffff) }),
  fc.record({ kind: fc.constantFrom("u32", "u32le"), value: number(0xffffffff) }),
  fc.record({ kind: fc.constant("i32le"), value: fc.integer() }),
  fc.record({ kind: fc.constant("u64"), value: long }),
  fc.record({ kind: fc.constant("u64le"), value: long }),
  fc.record({ kind: fc.constant("bytes"), value: fc.uint8Array({ maxLength: 20 }) }),
);

test("what is written is read back, whatever the initial size", () => {
  fc.assert(
    fc.property(fc.array(anyWrite), fc.nat({ max: 8 }), (writes, initialBytes) => {
      const writer = new Writer(initialBytes);
      for (const write of writes) {
        if (write.kind === "bytes") writer.bytes(write.value);
        else if (write.kind === "u64" || write.kind === "u64le") writer[write.kind](write.value);
        else writer[write.kind](write.value);
      }
      const reader = new Reader(writer.finish());
      assert.equal(reader.remaining, writer.length);
      for (const write of writes) {
        if (write.kind === "bytes") assert.deepEqual([...reader.bytes(write.value.length)], [...write.value]);
        else assert.equal(reader[write.kind](), write.value);
      }
      reader.end();
    }),
  );
});

test("the limit is reached exactly, and one byte more is a RangeError", () => {
  const writer = new Writer(1, 10);
  writer.zeros(9);
  writer.u8(1);
  assert.equal(writer.length, 10);
  assert.throws(() => writer.u8(2), RangeError);
  assert.throws(() => new Writer(64, 3).u32(1), RangeError);
});

test("patches overwrite only what stands", () => {
  const writer = new Writer(4);
  writer.zeros(10);
  writer.patchU8(0, 1);
  writer.patchU16(1, 0x0203);
  writer.patchU16le(3, 0x0504);
  writer.patchU32le(5, 0x09080706);
  assert.deepEqual([...writer.finish()], [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]);
  assert.throws(() => writer.patchU16(9, 1), RangeError);
  assert.throws(() => writer.patchU8(-1, 1), RangeError);
});

test("truncating forgets the tail, and zeros are zeros again after it", () => {
  const writer = new Writer(4);
  writer.bytes(Uint8Array.of(1, 2, 3, 4));
  writer.truncate(1);
  writer.zeros(2);
  assert.deepEqual([...writer.finish()], [1, 0, 0]);
  assert.throws(() => writer.truncate(4), RangeError);
});

test("finish copies, view does not", () => {
  const writer = new Writer(4);
  writer.u8(1);
  const copy = writer.finish();
  const view = writer.view();
  writer.patchU8(0, 2);
  assert.deepEqual([copy[0], view[0]], [1, 2]);
});

test("UTF-8 goes both ways and malformed bytes become U+FFFD", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      assert.equal(Utf8.decode(Utf8.encode(text)), text);
    }),
  );
  assert.equal(Utf8.decode(Uint8Array.of(0x61, 0xff)), "a\ufffd");
});

test("bytes written to the room count once they are advanced over", () => {
  const writer = new Writer(1, 8);
  writer.u8(7);
  writer.room(4).set([1, 2, 3, 4], writer.length);
  writer.advance(2);
  writer.u8(9);
  assert.deepEqual([...writer.finish()], [7, 1, 2, 9]);
  assert.throws(() => writer.room(5), RangeError);
});
