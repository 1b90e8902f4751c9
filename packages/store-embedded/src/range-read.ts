import { type RangeRequest, SortOrder, SortTarget } from "@caracal/etcd-api";
import { KeyRange } from "./key-range.ts";
import type { History, StoredValue } from "./storage/history.ts";

/**
 * Answers a range request at `revision`, which must not be compacted; `newest` is the revision that the live keys are at.
 * The header is the caller's.
 */
export function readRange(
  history: History,
  request: RangeRequest,
  revision: bigint,
  newest: bigint,
): { readonly kvs: StoredValue[]; readonly more: boolean; readonly count: bigint } {
  const range = KeyRange.of(request.key, request.rangeEnd);
  const isNow = revision === newest;
  const count = (): bigint => (isNow ? history.count(range) : history.countAt(range, revision));
  if (request.countOnly) return { kvs: [], more: false, count: count() };

  const isWhole = needsAll(request) || request.limit <= 0n;
  // One more than asked for tells whether there is more.
  const limit = isWhole ? 0n : request.limit + 1n;
  const needsValues = !request.keysOnly || request.sortTarget === SortTarget.VALUE;
  let kvs = isNow
    ? needsValues
      ? history.now(range, limit)
      : history.nowWithoutValues(range, limit)
    : history.at(range, revision, limit);
  const total = isWhole || BigInt(kvs.length) < limit ? BigInt(kvs.length) : count();
  kvs = sorted(filtered(kvs, request), request);
  const more = request.limit > 0n && BigInt(kvs.length) > request.limit;
  if (more) kvs.length = Number(request.limit);
  if (request.keysOnly) kvs = kvs.map((kv) => ({ ...kv, value: new Uint8Array(0) }));
  return { kvs, more, count: total };
}

/**
 * Whether the limit applies only after all keys have been looked at. As in etcd, a sort target without an order is no
 * reason: it sorts what the limit left.
 */
function needsAll(request: RangeRequest): boolean {
  return (
    request.sortOrder !== SortOrder.NONE ||
    request.minModRevision !== 0n ||
    request.maxModRevision !== 0n ||
    request.minCreateRevision !== 0n ||
    request.maxCreateRevision !== 0n
  );
}

function filtered(kvs: StoredValue[], request: RangeRequest): StoredValue[] {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  const within = (value: bigint, least: bigint, most: bigint): boolean =>
    (least === 0n || value >= least) && (most === 0n || value <= most);
  if (minModRevision + maxModRevision + minCreateRevision + maxCreateRevision === 0n) return kvs;
  return kvs.filter(
    (kv) =>
      within(kv.modRevision, minModRevision, maxModRevision) &&
      within(kv.createRevision, minCreateRevision, maxCreateRevision),
  );
}

function sorted(kvs: StoredValue[], { sortOrder, sortTarget }: RangeRequest): StoredValue[] {
  // Keys ascend already; a target without an order means ascending.
  if (sortTarget === SortTarget.KEY && sortOrder !== SortOrder.DESCEND) return kvs;
  const compare = comparison(sortTarget);
  return kvs.toSorted(sortOrder === SortOrder.DESCEND ? (a, b) => compare(b, a) : compare);
}

function comparison(target: SortTarget): (a: StoredValue, b: StoredValue) => number {
  switch (target) {
    case SortTarget.VERSION:
      return (a, b) => order(a.version, b.version);
    case SortTarget.CREATE:
      return (a, b) => order(a.createRevision, b.createRevision);
    case SortTarget.MOD:
      return (a, b) => order(a.modRevision, b.modRevision);
    case SortTarget.VALUE:
      return (a, b) => Buffer.compare(a.value, b.value);
    default:
      return (a, b) => Buffer.compare(a.key, b.key);
  }
}

function order(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}
