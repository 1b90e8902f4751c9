import { type Store, StoreError, type SyncChange, Syncer } from "@caracal/datastore";
import { type Cancellation, messageOf } from "@caracal/net";
import {
  type Answer,
  answerKey,
  questionKey,
  questionOf,
  questionsPrefix,
  readQuestion,
  writeAnswer,
} from "./question.ts";

/** Answers a question; what it throws is the answer too. */
export type Answerer = (params: unknown) => unknown;

export interface AnswerDeskOptions {
  readonly store: Store;
  readonly node: string;
  readonly methods: Readonly<Record<string, Answerer>>;
  /** Waits between attempts to reach the datastore, or returns early when the signal aborts. */
  readonly sleep: (ms: number, signal: Cancellation) => Promise<void>;
}

/** Questions that wait while others are answered; more than that are not answered at all. */
const maxWaiting = 64;

/** Answers, for one node, the questions that come through the datastore, one after the other. */
export class AnswerDesk {
  readonly #options: AnswerDeskOptions;
  #waiting = 0;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: AnswerDeskOptions) {
    this.#options = options;
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const syncer = new Syncer({
      store: this.#options.store,
      prefix: questionsPrefix,
      sleep: this.#options.sleep,
      onChanges: (changes) => {
        for (const change of changes) this.#hear(change);
      },
    });
    await syncer.run(signal);
    await this.#turn;
  }

  #hear(change: SyncChange): void {
    if (change.kind !== "put" || this.#waiting >= maxWaiting) return;
    const id = questionOf(change.entry.key);
    const question = readQuestion(change.entry.value);
    const { node, methods } = this.#options;
    if (id === undefined || question === undefined || question.nodes?.includes(node) === false) return;
    const answerer = Object.hasOwn(methods, question.method) ? methods[question.method] : undefined;
    this.#waiting += 1;
    this.#turn = this.#turn.then(async () => {
      this.#waiting -= 1;
      await this.#answer(id, await reply(answerer, question.method, question.params));
    });
  }

  /** An asker that waited long enough wants no answer any more, and nobody would remove it. */
  async #answer(id: string, answer: Answer): Promise<void> {
    const { store, node } = this.#options;
    try {
      if ((await store.get(questionKey(id))) === undefined) return;
      await store.create(answerKey(id, node), writeAnswer(answer));
    } catch (error) {
      // The asker sees that nothing comes; it asks again if it still wants to know.
      if (!(error instanceof StoreError)) throw error;
    }
  }
}

async function reply(answerer: Answerer | undefined, method: string, params: unknown): Promise<Answer> {
  if (answerer === undefined) {
    return { kind: "error", code: "unknown-method", message: `this daemon does not know ${method}` };
  }
  try {
    return { kind: "result", result: await answerer(params) };
  } catch (error) {
    const message = messageOf(error);
    return { kind: "error", code: "internal", message };
  }
}
