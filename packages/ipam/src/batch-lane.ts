import { IpamError } from "./ipam-error.ts";

/** Requests that may wait at once; more are refused rather than kept. */
export const maxWaiting = 10_000;

/** Requests that one run takes together: a handle and an entry for each, and the block, are one transaction. */
export const maxBatch = 60;

/**
 * Runs jobs one after another, so that the requests of one process never compete with each other for a block. While one
 * runs, requests of the same kind gather and then run together as one job.
 */
export class BatchLane {
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** A kind of request: `run` does several at once and gives their results in their order. */
  kind<Q, R>(run: (requests: readonly Q[]) => Promise<readonly R[]>): BatchKind<Q, R> {
    return new BatchKind(this, run);
  }

  /** Runs a job when all before it are done, whatever became of them. */
  run<T>(job: () => Promise<T>): Promise<T> {
    const done = after(this.#tail, job);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** Counts a request until `leave`, while it waits for its answer; throws when too many do. */
  enter(): void {
    if (this.#waiting >= maxWaiting) {
      throw new IpamError("busy", `${maxWaiting} IPAM requests are waiting; try again later`);
    }
    this.#waiting += 1;
  }

  leave(): void {
    this.#waiting -= 1;
  }
}

async function after<T>(before: Promise<unknown>, job: () => Promise<T>): Promise<T> {
  await before;
  return await job();
}

interface Batch<Q, R> {
  readonly requests: Q[];
  /** In the order of `requests`. */
  readonly results: Promise<readonly R[]>;
}

/** Requests that can share a job with others of the same `group`. */
export class BatchKind<Q, R> {
  readonly #lane: BatchLane;
  readonly #run: (requests: readonly Q[]) => Promise<readonly R[]>;
  /** The batch of each group that has not begun to run. */
  readonly #open = new Map<string, Batch<Q, R>>();

  constructor(lane: BatchLane, run: (requests: readonly Q[]) => Promise<readonly R[]>) {
    this.#lane = lane;
    this.#run = run;
  }

  async submit(request: Q, group = ""): Promise<R> {
    this.#lane.enter();
    try {
      const batch = this.#batchFor(group);
      const index = batch.requests.push(request) - 1;
      const result = (await batch.results)[index];
      if (result === undefined) throw new Error(`request ${index} of ${batch.requests.length} has no result`);
      return result;
    } finally {
      this.#lane.leave();
    }
  }

  #batchFor(group: string): Batch<Q, R> {
    const open = this.#open.get(group);
    if (open !== undefined && open.requests.length < maxBatch) return open;
    const requests: Q[] = [];
    const results = this.#lane.run(() => {
      if (this.#open.get(group)?.requests === requests) this.#open.delete(group);
      return this.#run(requests);
    });
    const batch = { requests, results };
    this.#open.set(group, batch);
    return batch;
  }
}
