import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "@caracal/etcd-api";
import { EtcdError, Refusal } from "./etcd-error.ts";
import { KeyRange } from "./key-range.ts";

/** etcd's default bound on each list of a transaction. */
const maxTxnOps = 128;

/** Refuses requests that no state of the store makes sense of. */
export function checkRange(request: RangeRequest): void {
  requireKey(request);
}

export function checkPut({ key, value, lease, ignoreValue, ignoreLease }: PutRequest): void {
  requireKey({ key });
  if (ignoreValue && value.length > 0) throw new EtcdError(Refusal.valueProvided);
  if (ignoreLease && lease !== 0n) throw new EtcdError(Refusal.leaseProvided);
}

export function checkDeleteRange(request: DeleteRangeRequest): void {
  requireKey(request);
}

/** A transaction with all it holds, transactions inside included. */
export function checkTxn(request: TxnRequest): void {
  checkParts(request);
  checkOverlaps(request.success);
  checkOverlaps(request.failure);
}

function checkParts({ compare, success, failure }: TxnRequest): void {
  if (Math.max(compare.length, success.length, failure.length) > maxTxnOps) {
    throw new EtcdError(Refusal.tooManyOps);
  }
  for (const comparison of compare) requireKey(comparison);
  for (const op of [...success, ...failure]) checkOp(op);
}

function checkOp({ request }: RequestOp): void {
  switch (request.case) {
    case "requestRange":
      return checkRange(request.value);
    case "requestPut":
      return checkPut(request.value);
    case "requestDeleteRange":
      return checkDeleteRange(request.value);
    case "requestTxn":
      return checkParts(request.value);
    case undefined:
      throw new EtcdError(Refusal.keyNotFound);
  }
}

function requireKey({ key }: Pick<RangeRequest | Compare, "key">): void {
  if (key.length === 0) throw new EtcdError(Refusal.emptyKey);
}

/** The keys that a list of operations may write. */
interface Footprint {
  /** Of puts, as text. */
  readonly puts: Set<string>;
  readonly deletes: KeyRange[];
}

/**
 * A revision changes a key once: two puts of one key, or a put and a delete of it, are refused; two deletes are not. Unlike
 * here, etcd overlooks a put in the range of a delete without end.
 */
function checkOverlaps(ops: readonly RequestOp[]): Footprint {
  const footprint: Footprint = { puts: new Set(), deletes: [] };
  for (const { request } of ops) {
    if (request.case !== "requestDeleteRange") continue;
    footprint.deletes.push(KeyRange.of(request.value.key, request.value.rangeEnd));
  }
  for (const { request } of ops) if (request.case === "requestTxn") addInner(footprint, request.value);
  for (const { request } of ops) {
    if (request.case === "requestPut") addPut(footprint, keyText(request.value.key));
  }
  return footprint;
}

function addInner(footprint: Footprint, { success, failure }: TxnRequest): void {
  const yes = checkOverlaps(success);
  const no = checkOverlaps(failure);
  for (const key of yes.puts) addPut(footprint, key);
  for (const key of no.puts) {
    // Only one of the two lists is done, so they may write the same key.
    if (!yes.puts.has(key)) addPut(footprint, key);
  }
  footprint.deletes.push(...yes.deletes, ...no.deletes);
}

function addPut({ puts, deletes }: Footprint, key: string): void {
  const bytes = Buffer.from(key, "latin1");
  if (puts.has(key) || deletes.some((range) => KeyRange.contains(range, bytes))) {
    throw new EtcdError(Refusal.duplicateKey);
  }
  puts.add(key);
}

/** A key as text with one character per byte. */
function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}
