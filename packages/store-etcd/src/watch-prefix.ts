import { setTimeout as delay } from "node:timers/promises";
import { type Entry, type Revision, StoreError, type StoreEvent } from "@caracal/datastore";
import type { Event, EventType, WatchResponse } from "@caracal/etcd-api";
import type { Cancellation } from "@caracal/net";
import type { Connection } from "./connection.ts";
import { range, type StoredValue } from "./etcd-methods.ts";
import { EtcdRevision } from "./etcd-revision.ts";
import { prefixRange, toText } from "./key-bytes.ts";
import { mapError } from "./map-error.ts";

/** Streams opened in a row without an answer before the watch gives up: about ten seconds of trying. */
const maxReconnects = 9;
const deleteEvent: typeof EventType.DELETE = 1;
const firstBackoffMs = 100;
const maxBackoffMs = 2_000;

/** What one answer of the server brought, and the revision to go on from after it. */
interface Step {
  readonly events: readonly StoreEvent[];
  readonly next: bigint;
}

/** An etcd entry as the port shows it. */
export function toEntry(kv: StoredValue): Entry {
  return { key: toText(kv.key), value: toText(kv.value), revision: EtcdRevision.format(kv.modRevision) };
}

/** The port's watch: one etcd stream after another, each going on exactly where the last one ended. */
export async function* watchPrefix(
  connection: Connection,
  prefix: string,
  after: Revision,
  signal: Cancellation,
): AsyncGenerator<readonly StoreEvent[], void, undefined> {
  let next = EtcdRevision.parse(after) + 1n;
  let failures = 0;
  while (!signal.aborted) {
    try {
      for await (const step of streamOnce(connection, prefix, next, signal)) {
        failures = 0;
        next = step.next;
        if (step.events.length > 0) yield step.events;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (connection.closed) throw new StoreError("unavailable", "the store is closed");
      const failure = mapError(error, "watch");
      failures += 1;
      if (failure.code !== "unavailable" || failures > maxReconnects) throw failure;
      await pause(Math.min(firstBackoffMs * 2 ** (failures - 1), maxBackoffMs), signal);
    }
  }
}

/** Reads one stream until the signal aborts; every other end is thrown. */
async function* streamOnce(
  connection: Connection,
  prefix: string,
  start: bigint,
  signal: Cancellation,
): AsyncGenerator<Step, void, undefined> {
  const { watch } = await import("./watch-method.ts");
  const { call, endpoint } = await connection.stream(watch);
  const cancel = (): void => call.cancel();
  // A call that is cancelled after its last reader left still tells of it.
  call.on("error", () => {});
  signal.addEventListener("abort", cancel);
  let next = start;
  try {
    if (signal.aborted) return;
    const createRequest = {
      ...prefixRange(prefix),
      startRevision: start,
      prevKv: true,
      progressNotify: true,
    };
    call.write({ requestUnion: { case: "createRequest", value: createRequest } });
    const responses: AsyncIterable<WatchResponse> = call;
    for await (const response of responses) {
      refuseLoss(response);
      if (isBehind(response, next)) await refuseOtherStore(connection, prefix, next);
      next = nextRevision(response, next);
      yield { events: response.events.map(toEvent), next };
    }
    throw new StoreError("unavailable", `${endpoint}: the watch ended`);
  } catch (error) {
    if (!signal.aborted) connection.failed(endpoint, error);
    throw mapError(error, endpoint);
  } finally {
    signal.removeEventListener("abort", cancel);
    call.cancel();
  }
}

/** Throws when the server ended the watch. */
function refuseLoss({ canceled, compactRevision, cancelReason }: WatchResponse): void {
  if (!canceled) return;
  if (compactRevision > 0n) {
    throw new StoreError("compacted", `the history before revision ${compactRevision} is gone`);
  }
  const code = cancelReason.includes("permission denied") ? "unauthorized" : "unavailable";
  throw new StoreError(code, `the watch was cancelled: ${cancelReason}`);
}

/** Whether the server knows less than the watch has told already. */
function isBehind({ created, header }: WatchResponse, next: bigint): boolean {
  return created && header !== undefined && header.revision + 1n < next;
}

/**
 * A member of a cluster that is behind tells what comes after the watch's revision once it gets there. A store restored from
 * nothing would do so too, and tell of other changes: what its whole cluster has agreed on shows which of them it is.
 */
async function refuseOtherStore(connection: Connection, prefix: string, next: bigint): Promise<void> {
  const request = { ...prefixRange(prefix), limit: 1, keysOnly: true };
  const { revision } = await connection.call(range, request, "read");
  if (revision + 1n >= next) return;
  throw new StoreError("compacted", `the store is at revision ${revision}, before the watch's ${next}`);
}

function nextRevision(response: WatchResponse, next: bigint): bigint {
  const last = response.events.at(-1)?.kv?.modRevision;
  if (last !== undefined) return last + 1n;
  // Neither created nor cancelled nor events: a report of progress, everything up to its revision has been told.
  if (response.created || response.header === undefined) return next;
  return response.header.revision + 1n > next ? response.header.revision + 1n : next;
}

function toEvent({ type, kv, prevKv }: Event): StoreEvent {
  if (kv === undefined) throw new StoreError("unavailable", "an event without a key");
  const previous = prevKv === undefined ? {} : { previous: toEntry(prevKv) };
  if (type === deleteEvent) {
    return {
      kind: "delete",
      key: toText(kv.key),
      revision: EtcdRevision.format(kv.modRevision),
      ...previous,
    };
  }
  return { kind: "put", entry: toEntry(kv), created: kv.createRevision === kv.modRevision, ...previous };
}

/** Waits, or returns early when the signal aborts. */
async function pause(ms: number, signal: Cancellation): Promise<void> {
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  signal.addEventListener("abort", abort);
  try {
    await delay(ms, undefined, { signal: stop.signal });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
