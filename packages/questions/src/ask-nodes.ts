import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Store } from "@caracal/datastore";
import {
  type Answer,
  answersPrefix,
  exchangePrefix,
  type Question,
  questionKey,
  questionOf,
  readAnswer,
} from "./question.ts";

export interface AskOptions extends Question {
  /** Those that an answer is waited for. */
  readonly nodes: readonly string[];
  /** 3 s unless told; nodes that have not answered by then are missing from the result. */
  readonly waitMs?: number;
  readonly now?: () => number;
}

const defaultWaitMs = 3_000;
/** What is older was left behind by an asker that did not come to its end. */
const leftoverMs = 10 * 60_000;

/** Asks nodes' daemons through the datastore. Throws `StoreError` when that does not answer. */
export async function askNodes(store: Store, options: AskOptions): Promise<ReadonlyMap<string, Answer>> {
  const now = (options.now ?? Date.now)();
  await removeLeftovers(store, now);
  const id = `${now.toString(36)}-${randomBytes(6).toString("hex")}`;
  const answers = new Map<string, Answer>();
  if (options.nodes.length === 0) return answers;
  const stop = new AbortController();
  const { revision } = await store.list(answersPrefix(id));
  try {
    const { method, params, nodes } = options;
    const collecting = collect(store, { id, revision, nodes, answers, signal: stop.signal });
    await store.create(questionKey(id), JSON.stringify({ method, params, nodes }));
    const timeout = delay(options.waitMs ?? defaultWaitMs, undefined, { signal: stop.signal });
    await Promise.race([collecting, timeout.catch(() => undefined)]);
    return answers;
  } finally {
    stop.abort();
    await store.delete(questionKey(id));
    await removeAll(store, answersPrefix(id));
  }
}

interface Collection {
  readonly id: string;
  readonly revision: Parameters<Store["watch"]>[1];
  readonly nodes: readonly string[];
  readonly answers: Map<string, Answer>;
  readonly signal: AbortSignal;
}

/** Gathers answers until all have come. */
async function collect(store: Store, { id, revision, nodes, answers, signal }: Collection): Promise<void> {
  const prefix = answersPrefix(id);
  for await (const events of store.watch(prefix, revision, signal)) {
    for (const event of events) {
      if (event.kind !== "put") continue;
      const answer = readAnswer(event.entry.value);
      const node = event.entry.key.slice(prefix.length);
      if (answer !== undefined && nodes.includes(node)) answers.set(node, answer);
    }
    if (answers.size === nodes.length) return;
  }
}

/** Identifiers begin with the time that they were made at. */
async function removeLeftovers(store: Store, now: number): Promise<void> {
  const { entries } = await store.list(exchangePrefix);
  for (const { key } of entries) {
    const id = questionOf(key);
    if (id === undefined) continue;
    const madeAt = Number.parseInt(id.split("-")[0] ?? "", 36);
    if (Number.isNaN(madeAt) || now - madeAt > leftoverMs) await store.delete(key);
  }
}

async function removeAll(store: Store, prefix: string): Promise<void> {
  const { entries } = await store.list(prefix);
  for (const { key } of entries) await store.delete(key);
}
