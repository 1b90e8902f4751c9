import { Worker } from "node:worker_threads";
import { KernelError } from "@caracal/linux";
import type { PairRemoval } from "./ports.ts";

interface Waiting {
  readonly resolve: (removal: PairRemoval) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Deletes interfaces on a thread of its own. The kernel takes tens of milliseconds for each (it waits until no processor
 * uses the interface any more), and meanwhile whoever asks it about any interface waits too: time in which BGP and other
 * pods would stand still.
 */
export class LinkRemover implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #isClosing = false;
  #ended: Error | undefined;

  /** Works on the namespace of the calling thread, or on the one whose path is given. */
  constructor(namespacePath?: string) {
    this.#worker = new Worker(new URL("link-remover-worker.ts", import.meta.url), {
      workerData: namespacePath,
      // Sockets are opened by FFI: Node knows nothing of them, and would warn of each that is closed.
      trackUnmanagedFds: false,
    });
    this.#worker.unref();
    this.#worker.on("message", (verdict: unknown) => this.#settle(verdict));
    this.#worker.on("error", (cause) =>
      this.#end(new Error("the thread that deletes interfaces failed", { cause })),
    );
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    this.#worker.on("exit", () => {
      this.#end(new Error("the thread that deletes interfaces has ended"));
      resolve();
    });
  }

  /** Resolves when the interface is gone; one that is not there is gone. */
  async remove(name: string): Promise<void> {
    await this.#ask(name);
  }

  /** Removes a pair whose other end is in this namespace and has this name, and no other. */
  removePair(name: string, netns: string, ifname: string): Promise<PairRemoval> {
    return this.#ask(name, { netns, ifname });
  }

  /**
   * What is asked already is done first. The thread ends by itself: one that is ended from outside while it loads a native
   * module takes the whole process with it.
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#worker.ref();
    this.#worker.postMessage(endRequest);
    await this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #ask(name: string, only?: RemovalRequest["only"]): Promise<PairRemoval> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended);
        return;
      }
      this.#lastId += 1;
      this.#waiting.set(this.#lastId, { resolve, reject });
      // While someone waits the process must not end.
      if (this.#waiting.size === 1) this.#worker.ref();
      const request: RemovalRequest = { id: this.#lastId, name, only };
      this.#worker.postMessage(request);
    });
  }

  #settle(verdict: unknown): void {
    if (!isVerdict(verdict)) return;
    const waiting = this.#waiting.get(verdict.id);
    this.#waiting.delete(verdict.id);
    if (this.#waiting.size === 0 && !this.#isClosing) this.#worker.unref();
    if (verdict.errno === "") waiting?.resolve(verdict.removal);
    else waiting?.reject(new KernelError("link.delete", verdict.errno, verdict.detail));
  }

  #end(reason: Error): void {
    this.#ended ??= reason;
    const left = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of left) reject(this.#ended);
  }
}

/** Asks the thread to end once it has done what it was asked before. */
export const endRequest = "end";

/** What the thread is asked. */
export interface RemovalRequest {
  readonly id: number;
  readonly name: string;
  /** Only the pair whose other end this is. */
  readonly only: { readonly netns: string; readonly ifname: string } | undefined;
}

/** What the thread answers; an empty `errno` is success. */
export interface RemovalVerdict {
  readonly id: number;
  readonly removal: PairRemoval;
  readonly errno: string;
  readonly detail: string;
}

function isVerdict(value: unknown): value is RemovalVerdict {
  return (
    typeof value === "object" &&
    value !== null &&
    "id" in value &&
    "removal" in value &&
    "errno" in value &&
    "detail" in value
  );
}
