/**
 * Random requests are answered as a real etcd answers them. Method: both servers start empty and are given the same seeded
 * sequence of ranges, puts, deletes, nested transactions and compactions, over few keys so that they meet; every answer,
 * error code and text must be equal. In the end so must the history that a watch tells.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Fields,
  KV,
  type RequestOpSchema,
  type TxnRequestSchema,
  Watch,
  type WatchResponse,
  type WireMethod,
  wireMethod,
} from "@caracal/etcd-api";
import { requireTool, startEtcd, Testbed } from "@caracal/testbed";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import fc from "fast-check";
import { EmbeddedServer } from "../src/index.ts";

const seed = Number(process.env["SEED"] ?? 4711);
const requestCount = 1_500;

type Op = Fields<typeof RequestOpSchema>;
type Request =
  | NonNullable<Op["request"]>
  | { readonly case: "compact"; readonly value: { revision: bigint } };

function toBuffer(bytes: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

const methods = {
  range: wireMethod(KV.method.range, toBuffer),
  put: wireMethod(KV.method.put, toBuffer),
  deleteRange: wireMethod(KV.method.deleteRange, toBuffer),
  txn: wireMethod(KV.method.txn, toBuffer),
  compact: wireMethod(KV.method.compact, toBuffer),
  watch: wireMethod(Watch.method.watch, toBuffer),
};

const name = fc.constantFrom("a", "aa", "ab", "b", "ba", "c", "d");
const key = fc
  .oneof({ weight: 30, arbitrary: name }, { weight: 1, arbitrary: fc.constant("") })
  .map((text) => Buffer.from(text));
/** Nothing, an end (perhaps before the start), or no end at all. */
const rangeEnd = fc
  .oneof(fc.constant(""), fc.constant(""), name, fc.constant("\0"))
  .map((end) => Buffer.from(end));
const value = fc.constantFrom("", "1", "2", "3").map((text) => Buffer.from(text));
/** Near enough to the first requests' revisions to be past, compacted and future in turn. */
const revision = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0n) },
  { weight: 2, arbitrary: fc.bigInt(-1n, 900n) },
);
const bound = fc.oneof(
  { weight: 5, arbitrary: fc.constant(0n) },
  { weight: 1, arbitrary: fc.bigInt(1n, 900n) },
);
const rarely = fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0);

const rangeRequest = fc.record({
  key,
  rangeEnd,
  revision,
  limit: fc.bigInt(0n, 4n),
  sortOrder: fc.constantFrom(0, 0, 1, 2),
  sortTarget: fc.constantFrom(0, 0, 1, 2, 3, 4),
  keysOnly: rarely,
  countOnly: rarely,
  minModRevision: bound,
  maxModRevision: bound,
  minCreateRevision: bound,
  maxCreateRevision: bound,
});
const putRequest = fc.record({
  key,
  value,
  lease: rarely.map((isWrong) => (isWrong ? 99n : 0n)),
  prevKv: fc.boolean(),
  ignoreValue: rarely,
  ignoreLease: rarely,
});
/** An end that is one: of a delete without end, etcd overlooks what else its transaction puts. */
const boundedEnd = fc.oneof(fc.constant(""), name).map((end) => Buffer.from(end));
const deleteRequest = fc.record({ key, rangeEnd, prevKv: fc.boolean() });
const number = fc.bigInt(0n, 6n);
const compare = fc.record({
  key,
  rangeEnd,
  result: fc.constantFrom(0, 1, 2, 3),
  target: fc.constantFrom(0, 1, 2, 3, 4),
  // Usually not the target's own field: etcd takes what is not there as zero.
  targetUnion: fc.oneof(
    number.map((version) => ({ case: "version" as const, value: version })),
    number.map((created) => ({ case: "createRevision" as const, value: created })),
    number.map((modified) => ({ case: "modRevision" as const, value: modified })),
    number.map((lease) => ({ case: "lease" as const, value: lease })),
    value.map((bytes) => ({ case: "value" as const, value: bytes })),
  ),
});

function operations(depth: number): fc.Arbitrary<Op[]> {
  const simple = [
    rangeRequest.map((range): Op => ({
      request: { case: "requestRange", value: { ...range, revision: 0n } },
    })),
    rangeRequest.map((range): Op => ({ request: { case: "requestRange", value: range } })),
    putRequest.map((put): Op => ({ request: { case: "requestPut", value: put } })),
    putRequest.map((put): Op => ({
      request: { case: "requestPut", value: { ...put, lease: 0n, ignoreValue: false } },
    })),
    fc
      .record({ key, rangeEnd: boundedEnd, prevKv: fc.boolean() })
      .map((remove): Op => ({ request: { case: "requestDeleteRange", value: remove } })),
  ];
  const nested =
    depth === 0
      ? []
      : [txnRequest(depth - 1).map((txn): Op => ({ request: { case: "requestTxn", value: txn } }))];
  return fc.array(fc.oneof(...simple, ...nested), { maxLength: 3 });
}

function txnRequest(depth: number): fc.Arbitrary<Fields<typeof TxnRequestSchema>> {
  return fc.record({
    compare: fc.array(compare, { maxLength: 2 }),
    success: operations(depth),
    failure: operations(depth),
  });
}

const request: fc.Arbitrary<Request> = fc.oneof(
  { weight: 30, arbitrary: putRequest.map((put): Request => ({ case: "requestPut", value: put })) },
  { weight: 30, arbitrary: rangeRequest.map((range): Request => ({ case: "requestRange", value: range })) },
  {
    weight: 10,
    arbitrary: deleteRequest.map((remove): Request => ({ case: "requestDeleteRange", value: remove })),
  },
  { weight: 40, arbitrary: txnRequest(2).map((txn): Request => ({ case: "requestTxn", value: txn })) },
  {
    weight: 1,
    arbitrary: fc.bigInt(0n, 300n).map((at): Request => ({ case: "compact", value: { revision: at } })),
  },
);

/** One answer as text, without what differs between any two servers. */
function shown(answer: unknown): string {
  return JSON.stringify(answer, (field, found: unknown) => {
    if (["clusterId", "memberId", "raftTerm", "$typeName", "$unknown"].includes(field)) return undefined;
    if (typeof found === "bigint") return String(found);
    return found instanceof Uint8Array ? Buffer.from(found).toString("latin1") : found;
  });
}

async function ask<RequestInit, Request, ResponseInit, Response>(
  client: Client,
  method: WireMethod<RequestInit, Request, ResponseInit, Response, Buffer>,
  body: RequestInit,
): Promise<string> {
  const { path, requestSerialize, responseDeserialize } = method;
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      body,
      new Metadata(),
      {},
      (error, answer) => resolve(error === null ? shown(answer) : `${error.code} ${error.details}`),
    );
  });
}

async function send(client: Client, { case: kind, value: body }: Request): Promise<string> {
  switch (kind) {
    case "requestRange":
      return ask(client, methods.range, body);
    case "requestPut":
      return ask(client, methods.put, body);
    case "requestDeleteRange":
      return ask(client, methods.deleteRange, body);
    case "requestTxn":
      return ask(client, methods.txn, body);
    case "compact":
      return ask(client, methods.compact, body);
    case undefined:
      throw new Error("an operation without a kind");
  }
}

/** Every event from a revision on, one a line, up to the put of `last`. */
async function history(client: Client, startRevision: bigint, last: string): Promise<readonly string[]> {
  const { path, requestSerialize, responseDeserialize } = methods.watch;
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata());
  stream.on("error", () => {});
  const everything = { key: Buffer.from("\0"), rangeEnd: Buffer.from("\0"), startRevision, prevKv: true };
  stream.write({ requestUnion: { case: "createRequest", value: everything } });
  const events: string[] = [];
  const responses: AsyncIterable<WatchResponse> = stream;
  for await (const response of responses) {
    assert.equal(response.canceled, false);
    for (const event of response.events) {
      if (Buffer.from(event.kv?.key ?? []).toString() === last) {
        stream.cancel();
        return events;
      }
      events.push(shown(event));
    }
  }
  throw new Error("the watch ended");
}

test(`${requestCount} random requests (SEED=${seed})`, { skip: requireTool("etcd") }, async (t) => {
  const bed = Testbed.create(t);
  const etcd = await startEtcd(bed);
  const server = await EmbeddedServer.start({
    dataDir: bed.directory(),
    listen: [{ host: "127.0.0.1", port: 0 }],
  });
  bed.defer(() => server.stop());
  const clients = [etcd.endpoint, ...server.endpoints].map((endpoint) => {
    const client = new Client(endpoint.replace("http://", ""), credentials.createInsecure());
    bed.defer(() => client.close());
    return client;
  });

  let compacted = 0n;
  let successes = 0;
  for (const [index, one] of fc.sample(request, { seed, numRuns: requestCount }).entries()) {
    const [real, ours] = await Promise.all(clients.map((client) => send(client, one)));
    assert.equal(ours, real, `request ${index}: ${shown(one)}`);
    if (real?.startsWith("{") !== true) continue;
    successes += 1;
    if (one.case === "compact") compacted = one.value.revision;
  }
  t.diagnostic(`${successes} answered, the rest refused`);
  const end: Request = { case: "requestPut", value: { key: Buffer.from("end"), value: Buffer.from("") } };
  const told = await Promise.all(
    clients.map(async (client) => {
      await send(client, end);
      return history(client, compacted + 1n, "end");
    }),
  );
  assert.ok((told[0]?.length ?? 0) > 100);
  assert.deepEqual(told[1], told[0]);
});
