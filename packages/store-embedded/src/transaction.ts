import {
  type Compare,
  CompareResult,
  CompareTarget,
  type DeleteRangeRequest,
  type DeleteRangeResponseSchema,
  type Fields,
  type PutRequest,
  type PutResponseSchema,
  type RangeRequest,
  type RangeResponseSchema,
  type RequestOp,
  type ResponseOpSchema,
  type TxnRequest,
  type TxnResponseSchema,
} from "@caracal/etcd-api";
import { KeyRange } from "./key-range.ts";
import { readRange } from "./range-read.ts";
import type { EntryMeta, History, LiveEntry } from "./storage/history.ts";
import type { Revisions } from "./storage/revisions.ts";
import type { Write } from "./storage/write.ts";

/** Which list of a transaction is done, decided for it and all transactions inside before anything changes. */
interface Path {
  readonly succeeded: boolean;
  readonly ops: readonly RequestOp[];
  /** Of the transactions among `ops`, in order. */
  readonly inner: readonly Path[];
}

/** Decides, checks and does a transaction. The header of the whole is the caller's. */
export function applyTxn(
  write: Write,
  revisions: Revisions,
  request: TxnRequest,
): Fields<typeof TxnResponseSchema> {
  const path = decide(write, request);
  checkPath(write, revisions, path);
  return follow(write, revisions, path);
}

export function applyPut(write: Write, request: PutRequest): Fields<typeof PutResponseSchema> {
  const previous = write.put(request);
  const header = { revision: write.revision };
  return request.prevKv && previous !== undefined
    ? { header, prevKv: write.withValue(previous) }
    : { header };
}

export function applyDeleteRange(
  write: Write,
  request: DeleteRangeRequest,
): Fields<typeof DeleteRangeResponseSchema> {
  const deleted = write.deleteRange(KeyRange.of(request.key, request.rangeEnd));
  const prevKvs = request.prevKv ? deleted.map((entry) => write.withValue(entry)) : [];
  return { header: { revision: write.revision }, deleted: BigInt(deleted.length), prevKvs };
}

/** A range inside a write sees what the write has done so far. */
export function applyRange(
  write: Write,
  revisions: Revisions,
  request: RangeRequest,
): Fields<typeof RangeResponseSchema> {
  const asked = request.revision > 0n ? revisions.resolve(request.revision) : write.revision;
  return {
    header: { revision: write.revision },
    ...readRange(write.history, request, asked, write.revision),
  };
}

function decide(write: Write, { compare, success, failure }: TxnRequest): Path {
  const succeeded = compare.every((comparison) => holds(write, comparison));
  const ops = succeeded ? success : failure;
  const inner = ops.flatMap(({ request }) =>
    request.case === "requestTxn" ? [decide(write, request.value)] : [],
  );
  return { succeeded, ops, inner };
}

/** Refuses the whole transaction for one operation that cannot be done; puts are looked at before ranges, as in etcd. */
function checkPath(write: Write, revisions: Revisions, path: Path): void {
  const operations = [...operationsOf(path)];
  for (const { request } of operations) if (request.case === "requestPut") write.checkPut(request.value);
  for (const { request } of operations) {
    // Inside a transaction etcd takes a negative revision for one long gone.
    if (request.case === "requestRange" && request.value.revision !== 0n)
      revisions.check(request.value.revision);
  }
}

/** What will be done, in order. */
function* operationsOf({ ops, inner }: Path): Generator<RequestOp, void, undefined> {
  const paths = inner.values();
  for (const op of ops) {
    const next = op.request.case === "requestTxn" ? paths.next().value : undefined;
    if (next === undefined) yield op;
    else yield* operationsOf(next);
  }
}

function follow(write: Write, revisions: Revisions, path: Path): Fields<typeof TxnResponseSchema> {
  const inner = path.inner.values();
  const responses = path.ops.map(({ request }): Fields<typeof ResponseOpSchema> => {
    switch (request.case) {
      case "requestRange":
        return { response: { case: "responseRange", value: applyRange(write, revisions, request.value) } };
      case "requestPut":
        return { response: { case: "responsePut", value: applyPut(write, request.value) } };
      case "requestDeleteRange":
        return { response: { case: "responseDeleteRange", value: applyDeleteRange(write, request.value) } };
      default: {
        const next = inner.next().value;
        if (next === undefined) throw new Error("a transaction without its path");
        return { response: { case: "responseTxn", value: follow(write, revisions, next) } };
      }
    }
  });
  // etcd leaves the header of a transaction inside another empty.
  return { header: {}, succeeded: path.succeeded, responses };
}

/** A comparison of a range holds when it holds for every key there; of a value, not when there is no key. */
function holds({ history }: Write, compare: Compare): boolean {
  const range = KeyRange.of(compare.key, compare.rangeEnd);
  const entries = compare.rangeEnd.length === 0 ? liveKey(history, compare.key) : history.liveInRange(range);
  if (entries.length === 0) {
    return compare.target !== CompareTarget.VALUE && satisfies(compare.result, metaOrder(compare, undefined));
  }
  return entries.every((entry) => {
    const isValue = compare.target === CompareTarget.VALUE;
    const order = isValue ? valueOrder(compare, history.value(entry.changeId)) : metaOrder(compare, entry);
    return satisfies(compare.result, order);
  });
}

function liveKey(history: History, key: Uint8Array): readonly LiveEntry[] {
  const entry = history.live(key);
  return entry === undefined ? [] : [entry];
}

/** How a value stands to the one named: negative, zero or positive. */
function valueOrder({ targetUnion }: Compare, value: Uint8Array): number {
  return Buffer.compare(value, targetUnion.case === "value" ? targetUnion.value : new Uint8Array(0));
}

/** The same for the numbers of an entry; those of a key that is not there are zero, as is one not named. */
function metaOrder({ target, targetUnion }: Compare, entry: EntryMeta | undefined): number {
  switch (target) {
    case CompareTarget.VERSION:
      return difference(entry?.version, targetUnion.case === "version" ? targetUnion.value : 0n);
    case CompareTarget.CREATE:
      return difference(
        entry?.createRevision,
        targetUnion.case === "createRevision" ? targetUnion.value : 0n,
      );
    case CompareTarget.MOD:
      return difference(entry?.modRevision, targetUnion.case === "modRevision" ? targetUnion.value : 0n);
    default:
      return difference(entry?.lease, targetUnion.case === "lease" ? targetUnion.value : 0n);
  }
}

function difference(found: bigint | undefined, wanted: bigint): number {
  const value = found ?? 0n;
  return value < wanted ? -1 : Number(value > wanted);
}

function satisfies(result: CompareResult, order: number): boolean {
  switch (result) {
    case CompareResult.EQUAL:
      return order === 0;
    case CompareResult.NOT_EQUAL:
      return order !== 0;
    case CompareResult.GREATER:
      return order > 0;
    default:
      return order < 0;
  }
}
