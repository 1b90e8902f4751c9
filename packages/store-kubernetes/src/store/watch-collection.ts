import { setTimeout as delay } from "node:timers/promises";
import { StoreError, type StoreEvent } from "@caracal/datastore";
import { connectionFailure } from "../api/api-failure.ts";
import type { ObjectApi } from "../api/object-api.ts";
import type { Collection } from "../collections/collection.ts";
import { eventLines } from "./event-lines.ts";
import { WatchProgress } from "./watch-progress.ts";

/** The server is asked to end a watch after so long, spread so that a node's watches do not end together. */
const watchSeconds = 300;
const watchSpreadSeconds = 300;
/** A stream that goes on for longer than was asked for has lost its server. */
const watchGraceMs = 30_000;
/** Streams in a row that fail, or end at once, before the watch gives up: about ten seconds of trying. */
const maxFailures = 9;
const firstPauseMs = 100;
const maxPauseMs = 2_000;
/** A stream that lasted so long was no failure, even if nothing came. */
const calmMs = 5_000;
/** How often the server is asked whether it knows a kind by now. */
const unknownKindPauseMs = 10_000;

export interface CollectionWatch {
  readonly api: ObjectApi;
  readonly collection: Collection;
  readonly prefix: string;
  /** The version to go on from; undefined while the server does not know the kind. */
  readonly after: string | undefined;
  readonly signal: AbortSignal;
  /** What failures name the server by. */
  readonly where: string;
}

/** The changes of one collection: one stream after another, each going on where the last one ended. */
export async function* watchCollection(watch: CollectionWatch): AsyncGenerator<readonly StoreEvent[], void> {
  const { signal, after } = watch;
  if (after === undefined) return untilKnown(watch);
  const progress = new WatchProgress(watch.collection, watch.prefix, after);
  for (let failures = 0, isFirst = true; !signal.aborted; isFirst = false) {
    const before = progress.version;
    const begun = performance.now();
    let failure: StoreError | undefined;
    try {
      if (!isFirst) await refuseOtherStore(watch.api, progress.version);
      yield* streamOnce(watch, progress);
    } catch (error) {
      if (signal.aborted) return;
      failure = connectionFailure(error, watch.where);
      if (failure.code !== "unavailable") throw failure;
    }
    const isCalm = failure === undefined && performance.now() - begun > calmMs;
    failures = isCalm || progress.version !== before ? 0 : failures + 1;
    if (failures > maxFailures) {
      throw failure ?? new StoreError("unavailable", `${watch.where}: its watches end at once`);
    }
    if (failures > 0) await pause(Math.min(firstPauseMs * 2 ** (failures - 1), maxPauseMs), signal);
  }
}

/** Reads one stream to its end. */
async function* streamOnce(
  { api, collection, prefix, signal, where }: CollectionWatch,
  progress: WatchProgress,
): AsyncGenerator<readonly StoreEvent[], void> {
  const seconds = watchSeconds + Math.floor(Math.random() * watchSpreadSeconds);
  const tooLong = AbortSignal.timeout(seconds * 1000 + watchGraceMs);
  const stop = new AbortController();
  try {
    const namespace = collection.namespaceOf?.(prefix);
    const either = AbortSignal.any([signal, tooLong, stop.signal]);
    const answer = await api.watch(namespace, progress.version, seconds, either);
    if (answer.chunks === undefined) {
      // The kind has gone: a new listing will find none of it.
      if (answer.status === 404) throw new StoreError("compacted", `${api.resource.plural} are gone`);
      throw api.refusal(answer);
    }
    for await (const lines of eventLines(answer.chunks)) {
      const { events, failure } = progress.take(lines, where);
      if (events.length > 0) yield events;
      if (failure !== undefined) throw failure;
    }
  } catch (error) {
    if (!tooLong.aborted) throw error;
    throw new StoreError("unavailable", `${where}: a watch went on for too long`, { cause: error });
  } finally {
    stop.abort();
  }
}

/** A store restored from a backup would stay silent until it caught up, and then tell of other changes. */
async function refuseOtherStore(api: ObjectApi, version: string): Promise<void> {
  const current = await api.currentVersion();
  if (current !== undefined && BigInt(current) >= BigInt(version)) return;
  throw new StoreError(
    "compacted",
    `${api.resource.plural} are at version ${current ?? "none"}, before the watch's ${version}`,
  );
}

/** Ends when the signal aborts; a kind that appears is told by "compacted", since it must be listed. */
async function untilKnown({ api, signal }: CollectionWatch): Promise<void> {
  while (!signal.aborted) {
    await pause(unknownKindPauseMs, signal);
    if (signal.aborted) return;
    if ((await api.currentVersion()) !== undefined) {
      throw new StoreError("compacted", `the server has come to know ${api.resource.plural}`);
    }
  }
}

/** Waits, or returns early when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal, ref: false });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
