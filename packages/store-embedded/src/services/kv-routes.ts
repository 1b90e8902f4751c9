import { KV, type PutRequest, type RequestOp, type TxnRequest, wireMethod } from "@caracal/etcd-api";
import type { EmbeddedStore } from "../embedded-store.ts";
import { EtcdError, Refusal } from "../etcd-error.ts";
import { checkDeleteRange, checkPut, checkRange, checkTxn } from "../kv-checks.ts";
import { readRange } from "../range-read.ts";
import type { Write } from "../storage/write.ts";
import { applyDeleteRange, applyPut, applyTxn } from "../transaction.ts";
import { type Route, toBuffer, unary } from "./serve.ts";

/** etcd's default bound on a write, in bytes. */
const maxRequestBytes = 1_572_864;

/** The KV service: reads at once, writes through the queue. */
export function kvRoutes(store: EmbeddedStore): readonly Route[] {
  const { database, history, queue, revisions } = store;
  const written = async <Answer extends object>(work: (write: Write) => Answer) => {
    const done = await queue.run((write) => ({ answer: work(write), revision: write.revision }));
    return { ...done.answer, header: store.header(done.revision) };
  };
  return [
    unary(wireMethod(KV.method.range, toBuffer), (request) => {
      checkRange(request);
      const revision = revisions.resolve(request.revision);
      return { header: store.header(), ...readRange(history, request, revision, revisions.newest) };
    }),
    unary(wireMethod(KV.method.put, toBuffer), async (request) => {
      checkPut(request);
      checkSize(putBytes(request));
      return written((write) => {
        // etcd looks at the lease first here, and last inside a transaction.
        write.checkLease(request.lease);
        write.checkPut(request);
        return applyPut(write, request);
      });
    }),
    unary(wireMethod(KV.method.deleteRange, toBuffer), async (request) => {
      checkDeleteRange(request);
      return written((write) => applyDeleteRange(write, request));
    }),
    unary(wireMethod(KV.method.txn, toBuffer), async (request) => {
      checkTxn(request);
      checkSize(txnBytes(request));
      return written((write) => {
        const answer = applyTxn(write, revisions, request);
        // etcd refuses one that might have put something, too: so a client learns whether it could write, without writing.
        if (write.changes.length === 0 && maySomewherePut(request) && !database.hasRoom) {
          throw new EtcdError(Refusal.noSpace);
        }
        return answer;
      });
    }),
    unary(wireMethod(KV.method.compact, toBuffer), async ({ revision, physical }) => {
      return { header: store.header(await store.compactor.compact(revision, physical)) };
    }),
  ];
}

function maySomewherePut({ success, failure }: TxnRequest): boolean {
  return [...success, ...failure].some(
    ({ request }) =>
      request.case === "requestPut" || (request.case === "requestTxn" && maySomewherePut(request.value)),
  );
}

function checkSize(bytes: number): void {
  if (bytes > maxRequestBytes) throw new EtcdError(Refusal.requestTooLarge);
}

function putBytes({ key, value }: PutRequest): number {
  return key.length + value.length;
}

function txnBytes({ compare, success, failure }: TxnRequest): number {
  let bytes = 0;
  for (const { key, targetUnion } of compare) {
    bytes += key.length + (targetUnion.case === "value" ? targetUnion.value.length : 0);
  }
  for (const op of success) bytes += opBytes(op);
  for (const op of failure) bytes += opBytes(op);
  return bytes;
}

function opBytes({ request }: RequestOp): number {
  switch (request.case) {
    case "requestPut":
      return putBytes(request.value);
    case "requestTxn":
      return txnBytes(request.value);
    default:
      return request.value?.key.length ?? 0;
  }
}
