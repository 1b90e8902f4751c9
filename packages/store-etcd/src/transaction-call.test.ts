/**
 * Aim: transactions written and read without the general codec are what that codec writes and reads. Method: random steps and
 * answers, held against the generated messages; damaged answers.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Revision, type TransactionStep } from "@caracal/datastore";
import {
  type CompareSchema,
  CompareTarget,
  type Init,
  KV,
  type RequestOpSchema,
  type TxnRequestSchema,
  wireMethod,
} from "@caracal/etcd-api";
import fc from "fast-check";
import { framePrefixBytes } from "./message-parts.ts";
import { transaction } from "./transaction-call.ts";

const txn = wireMethod(KV.method.txn, (bytes) => Buffer.from(bytes));

const highest = 2n ** 63n - 1n;
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ unit: "binary-ascii", minLength: 100, maxLength: 20_000 }),
);
const number = fc.oneof(
  fc.bigInt(0n, highest),
  fc.bigInt(0n, 300n),
  fc.bigInt(2n ** 53n - 2n, 2n ** 53n + 2n),
);
const revision = number.map((value) => Revision.of(String(value)));
const step: fc.Arbitrary<TransactionStep> = fc.oneof(
  fc.record({ kind: fc.constant("create" as const), key: text, value: text }),
  fc.record({ kind: fc.constant("update" as const), key: text, value: text, revision }),
  fc.record({ kind: fc.constant("delete" as const), key: text, revision }),
  fc.record({ kind: fc.constant("expect" as const), key: text, revision }),
);

function conditionOf(one: TransactionStep, key: Buffer): Init<typeof CompareSchema> {
  if (one.kind === "create") {
    return { key, target: CompareTarget.VERSION, targetUnion: { case: "version", value: 0n } };
  }
  const value = one.revision === "0" ? -1n : BigInt(one.revision);
  return { key, target: CompareTarget.MOD, targetUnion: { case: "modRevision", value } };
}

function writesOf(one: TransactionStep, key: Buffer): readonly Init<typeof RequestOpSchema>[] {
  if (one.kind === "expect") return [];
  if (one.kind === "delete") return [{ request: { case: "requestDeleteRange", value: { key } } }];
  return [{ request: { case: "requestPut", value: { key, value: Buffer.from(one.value) } } }];
}

/** The request by the general codec. */
function general(steps: readonly TransactionStep[]): Init<typeof TxnRequestSchema> {
  return {
    compare: steps.map((one) => conditionOf(one, Buffer.from(one.key))),
    success: steps.flatMap((one) => writesOf(one, Buffer.from(one.key))),
    failure: steps.map(({ key }) => ({
      request: { case: "requestRange", value: { key: Buffer.from(key) } },
    })),
  };
}

test("a transaction has the bytes of the general codec, behind gRPC's prefix", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 5 }), (steps) => {
      const frame = transaction.frame(steps);
      assert.equal(frame[0], 0);
      assert.equal(frame.readUInt32BE(1), frame.length - framePrefixBytes);
      assert.deepEqual(frame.subarray(framePrefixBytes), txn.requestSerialize(general(steps)));
    }),
  );
});

const header = fc.record({ clusterId: number, memberId: number, revision: number, raftTerm: number });
const put = fc.record({ header: fc.record({ revision: number }) });

test("an answer that says yes gives its revision", () => {
  fc.assert(
    fc.property(header, fc.array(put, { maxLength: 4 }), (found, puts) => {
      const responses = puts.map((value) => ({
        response: { case: "responsePut" as const, value },
      }));
      const answer = transaction.read(txn.responseSerialize({ header: found, succeeded: true, responses }));
      assert.deepEqual(answer, { kind: "done", revision: String(found.revision) });
    }),
  );
});

test("an answer that says no gives what there is", () => {
  const kv = { key: Buffer.from("k"), value: Buffer.from("v"), modRevision: 7n };
  const bytes = txn.responseSerialize({
    header: { revision: 9n },
    succeeded: false,
    responses: [{ response: { case: "responseRange", value: { kvs: [kv] } } }],
  });
  const answer = transaction.read(bytes);
  assert.ok(answer.kind === "refused");
  assert.deepEqual(answer.current, [kv]);
});

test("a damaged answer is no revision that it does not name", () => {
  const whole = txn.responseSerialize({
    header: { clusterId: 2n ** 63n, memberId: 5n, revision: 9n, raftTerm: 2n },
    succeeded: true,
    responses: [{ response: { case: "responsePut", value: { header: { revision: 9n } } } }],
  });
  for (let length = 0; length < whole.length; length += 1) {
    const cut = whole.subarray(0, length);
    let expected: unknown;
    try {
      const { succeeded, header: found } = txn.responseDeserialize(cut);
      expected = { succeeded, revision: found?.revision };
    } catch {
      assert.throws(() => transaction.read(cut), `${length} bytes`);
      continue;
    }
    const answer = transaction.read(cut);
    if (answer.kind === "done")
      assert.deepEqual(expected, { succeeded: true, revision: BigInt(answer.revision) });
    else assert.partialDeepStrictEqual(expected, { succeeded: false });
  }
});
