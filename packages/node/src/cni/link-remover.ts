import { Worker } from "node:worker_threads";
import { KernelError } from "@caracal/linux";

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Deletes interfaces on a thread of its own. The kernel takes tens of milliseconds for each (it waits until no processor
 * uses the interface any more), time in which BGP and other pods would stand still.
 */
export class LinkRemover implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #waiting = new Map<string, Waiting[]>();
  #ended: Error | undefined;

  /** Works on the namespace of the calling thread, or on the one whose path is given. */
  constructor(namespacePath?: string) {
    this.#worker = new Worker(new URL("link-remover-worker.ts", import.meta.url), {
      workerData: namespacePath,
    });
    this.#worker.unref();
    this.#worker.on("message", (verdict: unknown) => this.#settle(verdict));
    this.#worker.on("error", (cause) =>
      this.#end(new Error("the thread that deletes interfaces failed", { cause })),
    );
    this.#worker.on("exit", () => this.#end(new Error("the thread that deletes interfaces has ended")));
  }

  /** Resolves when the interface is gone; one that is not there is gone. */
  remove(name: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended);
        return;
      }
      const waiting = this.#waiting.get(name);
      const one = { resolve, reject };
      if (waiting === undefined) this.#waiting.set(name, [one]);
      else waiting.push(one);
      // While someone waits the process must not end.
      this.#worker.ref();
      if (waiting === undefined) this.#worker.postMessage(name);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #settle(verdict: unknown): void {
    if (!isVerdict(verdict)) return;
    const waiting = this.#waiting.get(verdict.name) ?? [];
    this.#waiting.delete(verdict.name);
    if (this.#waiting.size === 0) this.#worker.unref();
    for (const { resolve, reject } of waiting) {
      if (verdict.errno === "") resolve();
      else reject(new KernelError("link.delete", verdict.errno, verdict.detail));
    }
  }

  #end(reason: Error): void {
    this.#ended ??= reason;
    const left = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const { reject } of left) reject(this.#ended);
  }
}

/** What the thread answers; an empty `errno` is success. */
export interface RemovalVerdict {
  readonly name: string;
  readonly errno: string;
  readonly detail: string;
}

function isVerdict(value: unknown): value is RemovalVerdict {
  return (
    typeof value === "object" && value !== null && "name" in value && "errno" in value && "detail" in value
  );
}
