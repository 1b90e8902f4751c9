/**
 * Aim: what is written and read by hand is what the general codec writes and reads. Method: random requests and answers, held
 * against the generated messages; answers with fields that are not known here; damaged answers.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Revision } from "@caracal/datastore";
import { Auth, KV, wireMethod } from "@caracal/etcd-api";
import fc from "fast-check";
import { authenticate, compact, range, type RangeQuery } from "./etcd-methods.ts";
import { framePrefixBytes } from "./message-parts.ts";
import { deletion, type DeletionAnswer } from "./transaction-call.ts";

const toBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
const general = {
  range: wireMethod(KV.method.range, toBuffer),
  txn: wireMethod(KV.method.txn, toBuffer),
  compact: wireMethod(KV.method.compact, toBuffer),
  authenticate: wireMethod(Auth.method.authenticate, toBuffer),
};

const bytes = fc.uint8Array({ maxLength: 200 });
const highest = 2n ** 63n - 1n;
const number = fc.oneof(
  fc.bigInt(-highest - 1n, highest),
  fc.bigInt(0n, 300n),
  fc.bigInt(2n ** 48n - 2n, 2n ** 49n + 2n),
);
const revision = fc.bigInt(0n, highest);
const keyValue = fc.record({
  key: bytes,
  createRevision: number,
  modRevision: number,
  version: number,
  value: bytes,
  lease: number,
});
const header = fc.record({
  clusterId: fc.bigInt(0n, 2n ** 64n - 1n),
  memberId: fc.bigInt(0n, 2n ** 64n - 1n),
  revision: number,
  raftTerm: fc.bigInt(0n, 2n ** 64n - 1n),
});
const rangeAnswer = fc.record({ header, kvs: fc.array(keyValue), more: fc.boolean(), count: number });

/** A view of the answer, which is a `Buffer`; what is empty is not sent. */
function asReceived(part: Uint8Array): Uint8Array {
  return part.length === 0 ? part : Buffer.from(part);
}

/** Without gRPC's prefix. */
function message(frame: Buffer): Buffer {
  assert.equal(frame.readUInt32BE(1), frame.length - framePrefixBytes);
  return frame.subarray(framePrefixBytes);
}

test("requests have the bytes of the general codec", () => {
  const query: fc.Arbitrary<RangeQuery> = fc.record(
    { key: bytes, rangeEnd: bytes, limit: fc.nat(100_000), revision, keysOnly: fc.boolean() },
    { requiredKeys: ["key"] },
  );
  fc.assert(
    fc.property(query, ({ limit, ...rest }) => {
      const request = { ...rest, ...(limit !== undefined && { limit: BigInt(limit) }) };
      const frame = range.frame({ ...rest, ...(limit !== undefined && { limit }) });
      assert.deepEqual(message(frame), general.range.requestSerialize(request));
    }),
  );
  fc.assert(
    fc.property(fc.string(), fc.string(), (name, password) => {
      const login = { name, password };
      assert.deepEqual(message(authenticate.frame(login)), general.authenticate.requestSerialize(login));
    }),
  );
  assert.deepEqual(message(compact.frame(highest)), general.compact.requestSerialize({ revision: highest }));
});

test("a deletion has the bytes of the general codec, with and without a revision", () => {
  fc.assert(
    fc.property(fc.string(), fc.option(revision), (text, modified) => {
      const key = Buffer.from(text);
      const modRevision = modified === 0n ? -1n : (modified ?? 0n);
      const request = {
        compare:
          modified === null
            ? []
            : [{ key, target: 2, targetUnion: { case: "modRevision", value: modRevision } } as const],
        success: [{ request: { case: "requestDeleteRange", value: { key, prevKv: true } } } as const],
        failure: [{ request: { case: "requestRange", value: { key } } } as const],
      };
      const asked = modified === null ? undefined : Revision.of(String(modified));
      const frame = deletion.frame({ key: text, revision: asked });
      assert.deepEqual(message(frame), general.txn.requestSerialize(request));
    }),
  );
});

test("an answer's values, revision and mark of more are read, and what is not known is passed over", () => {
  // Field 1000, in each of the four wire types.
  const unknown = Buffer.from("c03e2ac13e0102030405060708c23e0161c53e01020304", "hex");
  fc.assert(
    fc.property(rangeAnswer, fc.boolean(), (answer, hasUnknown) => {
      const encoded = general.range.responseSerialize(answer);
      const page = range.read(hasUnknown ? Buffer.concat([unknown, encoded, unknown]) : encoded);
      assert.deepEqual(page, {
        revision: answer.header.revision,
        values: answer.kvs.map(({ key, value, modRevision }) => ({
          key: asReceived(key),
          value: asReceived(value),
          modRevision,
        })),
        more: answer.more,
      });
    }),
  );
  const login = general.authenticate.responseSerialize({ header: { revision: 1n }, token: "tök" });
  assert.equal(authenticate.read(login), "tök");
});

test("a deletion tells what was deleted, or what there is instead", () => {
  const kv = { key: Buffer.from("k"), value: Buffer.from("v"), modRevision: 7n };
  const deletedWith = (value: { prevKvs?: (typeof kv)[] }): DeletionAnswer => {
    const responses = [{ response: { case: "responseDeleteRange" as const, value } }];
    return deletion.read(general.txn.responseSerialize({ succeeded: true, responses }));
  };
  const refusedWith = (value: { kvs?: (typeof kv)[] }): DeletionAnswer => {
    const responses = [{ response: { case: "responseRange" as const, value } }];
    return deletion.read(general.txn.responseSerialize({ responses }));
  };
  const read = [deletedWith({ prevKvs: [kv] }), deletedWith({}), refusedWith({ kvs: [kv] }), refusedWith({})];
  assert.deepEqual(read, [
    { isDone: true, value: kv },
    { isDone: true, value: undefined },
    { isDone: false, value: kv },
    { isDone: false, value: undefined },
  ]);
});

/**
 * What the general codec makes of an answer; `undefined` where that is not all of it. It takes known fields whatever their wire
 * type, so that it may find in damaged bytes what is not there.
 */
function readGenerally(answer: Buffer): readonly bigint[] | undefined {
  try {
    const read = general.range.responseDeserialize(answer);
    if (!general.range.responseSerialize(read).equals(answer)) return undefined;
    return read.kvs.map(({ modRevision }) => modRevision);
  } catch {
    return undefined;
  }
}

test("a damaged answer is refused, or read as it is", () => {
  let compared = 0;
  fc.assert(
    fc.property(rangeAnswer, fc.nat(), fc.nat(255), (answer, place, byte) => {
      const encoded = general.range.responseSerialize(answer);
      const cut = encoded.subarray(0, place % (encoded.length + 1));
      const changed = Buffer.from(encoded);
      changed[place % changed.length] = byte;
      for (const damaged of [cut, changed]) {
        const expected = readGenerally(damaged);
        let read: unknown;
        try {
          read = range.read(damaged).values.map(({ modRevision }) => modRevision);
        } catch (error) {
          assert.ok(error instanceof RangeError);
        }
        if (read === undefined || expected === undefined) continue;
        assert.deepEqual(read, expected);
        compared += 1;
      }
    }),
    { numRuns: 1000 },
  );
  assert.ok(compared > 0, "no damage left an answer");
});
