// Aim: a reader never leaves its range and fails only with DecodeError, blamed as it was told. Method: every width
// against DataView, then random programs of reads over random bytes.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DecodeError } from "./decode-error.ts";
import { Reader } from "./reader.ts";

const blame = { code: 3, subcode: 9, action: "withdraw" } as const;

test("each width reads in its own byte order", () => {
  const reader = new Reader(Uint8Array.from({ length: 33 }, (_, index) => 0xf0 + index));
  assert.equal(reader.u8(), 0xf0);
  assert.equal(reader.u16(), 0xf1f2);
  assert.equal(reader.u32(), 0xf3f4f5f6);
  assert.equal(reader.u64(), 0xf7f8f9fafbfcfdfen);
  assert.equal(reader.u16le(), 0x00ff);
  assert.equal(reader.u32le(), 0x04030201);
  assert.equal(reader.i32le(), 0x08070605);
  assert.equal(reader.u64le(), 0x100f0e0d0c0b0a09n);
  assert.equal(reader.remaining, 0);
  reader.end();
});

test("a signed number can be negative", () => {
  assert.equal(new Reader(Uint8Array.of(0xfe, 0xff, 0xff, 0xff)).i32le(), -2);
});

test("bytes are views of the caller's buffer, also when that is itself a view", () => {
  const whole = Uint8Array.of(9, 9, 1, 2, 3, 9);
  const reader = new Reader(whole.subarray(2, 5));
  const view = reader.bytes(2);
  whole[2] = 7;
  assert.deepEqual([...view], [7, 2]);
  assert.deepEqual([...reader.rest()], [3]);
});

test("a sub-reader reports offsets of the outermost buffer and keeps its parent going behind it", () => {
  const reader = new Reader(Uint8Array.of(2, 10, 20, 30), blame);
  const inner = reader.sub(reader.u8());
  assert.equal(inner.offset, 1);
  assert.equal(inner.u8(), 10);
  assert.equal(reader.u8(), 30);
  assert.throws(
    () => inner.u16(),
    (error) =>
      error instanceof DecodeError &&
      error.offset === 2 &&
      error.code === 3 &&
      error.subcode === 9 &&
      error.action === "withdraw",
  );
});

test("a sub-reader may carry its own blame", () => {
  const reader = new Reader(Uint8Array.of(1), blame);
  const inner = reader.sub(1, { code: 1, subcode: 2, action: "discard" });
  assert.throws(
    () => inner.fail("no such thing", undefined, Uint8Array.of(1)),
    (error) =>
      error instanceof DecodeError &&
      error.action === "discard" &&
      error.data.length === 1 &&
      error.message.includes("no such thing"),
  );
});

test("bytes left at the end are an error", () => {
  assert.throws(() => new Reader(Uint8Array.of(1)).end(), DecodeError);
});

test("any program of reads over any bytes gives values inside the range or a DecodeError", () => {
  const operation = fc.tuple(
    fc.constantFrom(
      "u8",
      "u16",
      "u32",
      "u64",
      "u16le",
      "u32le",
      "i32le",
      "u64le",
      "bytes",
      "skip",
      "sub",
      "rest",
      "end",
    ),
    fc.integer({ min: -3, max: 12 }),
  );
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.array(operation, { maxLength: 20 }),
      (bytes, program) => {
        let reader = new Reader(bytes, blame);
        try {
          for (const [name, count] of program) {
            const before = reader.offset;
            if (name === "sub") reader = reader.sub(count);
            else if (name === "bytes") assert.equal(reader.bytes(count).length, count);
            else if (name === "skip") reader.skip(count);
            else if (name === "rest" || name === "end") reader[name]();
            else assert.equal(typeof reader[name](), name.startsWith("u64") ? "bigint" : "number");
            assert.ok(reader.offset >= before && reader.offset <= bytes.length);
            assert.ok(reader.remaining >= 0);
          }
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error));
          assert.ok(error.offset >= 0 && error.offset <= bytes.length);
        }
      },
    ),
    { numRuns: 1000 },
  );
});

test("a range outside the buffer is refused when the reader is opened", () => {
  assert.throws(() => new Reader(new Uint8Array(4), blame, 0, 5), RangeError);
  assert.throws(() => new Reader(new Uint8Array(4), blame, -1), RangeError);
  assert.throws(() => new Reader(new Uint8Array(4), blame, 3, 2), RangeError);
});
