import { status } from "@grpc/grpc-js";
import { EtcdError, Refusal } from "../etcd-error.ts";
import { type Database, isDiskFull } from "./database.ts";
import type { History } from "./history.ts";
import type { Records } from "./records.ts";
import type { Revisions } from "./revisions.ts";
import { type Change, Write } from "./write.ts";

/** Requests that may wait for the disk; more are refused as etcd does. */
const maxWaiting = 10_000;
/** Requests of one commit: bounds how long the event loop stands still. */
const maxBatch = 256;

/** What `onCommit` is told: all changes of a commit, in order. */
export interface Committed {
  readonly changes: readonly Change[];
}

interface Job {
  /** Does the work; the function it returns tells the requester, after the commit. */
  readonly run: (write: Write) => () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Does writes in the order they came. All that wait share one commit, so that one flush of the disk serves many; nobody is
 * answered before it is done.
 */
export class WriteQueue {
  readonly #database: Database;
  readonly #history: History;
  readonly #records: Records;
  readonly #revisions: Revisions;
  readonly #onCommit: (committed: Committed) => void;
  #waiting: Job[] = [];
  #scheduled = false;
  #idle: (() => void)[] = [];
  #closed = false;

  constructor(
    database: Database,
    history: History,
    records: Records,
    revisions: Revisions,
    onCommit: (committed: Committed) => void,
  ) {
    this.#database = database;
    this.#history = history;
    this.#records = records;
    this.#revisions = revisions;
    this.#onCommit = onCommit;
  }

  /**
   * Runs `work` in the next commit and resolves with its result when that is on the disk. `work` may throw an `EtcdError`
   * before it changes anything.
   */
  async run<Result>(work: (write: Write) => Result): Promise<Result> {
    if (this.#closed) throw new EtcdError(Refusal.stopped);
    if (this.#waiting.length >= maxWaiting) throw new EtcdError(Refusal.tooManyRequests);
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        run: (write) => {
          const result = work(write);
          return () => resolve(result);
        },
        fail: reject,
      });
      this.#schedule();
    });
  }

  /** Finishes what waits and takes no more. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#waiting.length > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // After the requests that have arrived by now were read: they share the commit.
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
      if (this.#waiting.length > 0) this.#schedule();
      else for (const resolve of this.#idle.splice(0)) resolve();
    });
  }

  #flush(): void {
    const jobs = this.#waiting.splice(0, maxBatch);
    const restore = this.#revisions.mark();
    const answers: (() => void)[] = [];
    const changes: Change[] = [];
    try {
      this.#database.begin();
      for (const job of jobs) answers.push(this.#runJob(job, changes));
      this.#revisions.save();
      this.#database.commit();
    } catch (cause) {
      restore();
      this.#database.rollback();
      const text = cause instanceof Error ? cause.message : String(cause);
      const failure = isDiskFull(cause)
        ? Refusal.noSpace
        : { code: status.UNAVAILABLE, details: `the store cannot write: ${text}` };
      for (const job of jobs) job.fail(new EtcdError(failure, { cause }));
      return;
    }
    if (changes.length > 0) this.#onCommit({ changes });
    for (const answer of answers) answer();
  }

  #runJob(job: Job, changes: Change[]): () => void {
    const write = new Write(this.#history, this.#records, this.#revisions.newest);
    try {
      const answer = job.run(write);
      this.#revisions.advance(write.revision);
      changes.push(...write.changes);
      return answer;
    } catch (error) {
      // A refusal concerns this request alone; anything else leaves the transaction in doubt.
      if (!(error instanceof EtcdError) || write.changes.length > 0) throw error;
      return () => job.fail(error);
    }
  }
}
