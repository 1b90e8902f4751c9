/**
 * The messages travel as etcd's do. Method: bytes written by hand from the published field numbers, read both ways;
 * round trips of generated requests.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { KV, Lease, Maintenance, TxnRequestSchema, Watch, wireMethod } from "./index.ts";

const same = (bytes: Uint8Array): Uint8Array => bytes;
const put = wireMethod(KV.method.put, same);
const txn = wireMethod(KV.method.txn, same);
const watch = wireMethod(Watch.method.watch, same);

test("paths and streams are etcd's", () => {
  assert.deepEqual([put.path, put.requestStream, put.responseStream], ["/etcdserverpb.KV/Put", false, false]);
  assert.deepEqual(
    [watch.path, watch.requestStream, watch.responseStream],
    ["/etcdserverpb.Watch/Watch", true, true],
  );
  assert.equal(wireMethod(KV.method.deleteRange, same).path, "/etcdserverpb.KV/DeleteRange");
  assert.equal(wireMethod(Lease.method.leaseTimeToLive, same).path, "/etcdserverpb.Lease/LeaseTimeToLive");
  assert.equal(wireMethod(Lease.method.leaseKeepAlive, same).requestStream, true);
  assert.equal(wireMethod(Maintenance.method.status, same).path, "/etcdserverpb.Maintenance/Status");
});

test("a put is key 1, value 2, lease 3, prev_kv 4", () => {
  const bytes = Buffer.from("0a016b120176180720 01".replaceAll(" ", ""), "hex");
  const request = put.requestDeserialize(bytes);
  assert.equal(Buffer.from(request.key).toString(), "k");
  assert.equal(Buffer.from(request.value).toString(), "v");
  assert.equal(request.lease, 7n);
  assert.equal(request.prevKv, true);
  assert.deepEqual(Buffer.from(put.requestSerialize(request)), bytes);
});

test("a compare's range_end is field 64, a watch response's events are field 11", () => {
  const key = Buffer.from("a");
  const compare = txn.requestSerialize({ compare: [{ key, rangeEnd: Buffer.from("b") }] });
  assert.equal(Buffer.from(compare).toString("hex"), "0a071a016182040162");
  const response = watch.responseSerialize({
    watchId: 1n,
    events: [{ type: 1, kv: { key, modRevision: 9n } }],
  });
  assert.equal(Buffer.from(response).toString("hex"), "10015a0908011205 0a01611809".replaceAll(" ", ""));
});

test("a transaction survives the wire", () => {
  const bytes = fc.uint8Array({ maxLength: 8 });
  const revision = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
  fc.assert(
    fc.property(bytes, bytes, revision, fc.boolean(), (key, value, version, succeeds) => {
      const op = { request: { case: "requestPut", value: { key, value } } } as const;
      const sent = txn.requestSerialize({
        compare: [{ key, targetUnion: { case: "version", value: version } }],
        success: succeeds ? [op] : [],
        failure: [{ request: { case: "requestTxn", value: { success: [op] } } }],
      });
      const received = txn.requestDeserialize(sent);
      assert.deepEqual(txn.requestSerialize(received), sent);
      assert.equal(JSON.stringify(toJson(TxnRequestSchema, received)).includes("requestTxn"), true);
    }),
  );
});
