import { Worker } from "node:worker_threads";
import { KernelError, Monitor } from "@caracal/linux";
import type { Change } from "@caracal/netlink";
import type { PairRemoval } from "./ports.ts";

interface Waiting {
  readonly resolve: (removal: PairRemoval) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Deletes interfaces on a thread of its own, which the kernel holds for some 16 ms each time: only after all its processors
 * have let go of an interface does it free what that took. Gone it is long before, within a millisecond, for whoever asks
 * and with its other end, its addresses and its routes; the kernel tells of that, and then the deletion is done.
 */
export class LinkRemover implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #monitor: Monitor;
  readonly #exited: Promise<void>;
  /** Until the thread's verdict. */
  readonly #waiting = new Map<number, Waiting>();
  /** Interfaces that the thread is deleting, by index, with what was asked. */
  readonly #going = new Map<number, number>();
  /** Interfaces that went while the thread was at work: word of that may come before the thread's. */
  readonly #gone = new Set<number>();
  #lastId = 0;
  #isClosing = false;
  #ended: Error | undefined;

  /** Works on the namespace of the calling thread, or on the one whose path is given. */
  constructor(namespacePath?: string) {
    this.#monitor = Monitor.open({
      topics: ["links"],
      removalsOnly: true,
      ...(namespacePath !== undefined && { namespace: namespacePath }),
      onChanges: (changes) => this.#hear(changes),
      // The thread's verdict says the same, later.
      onOverrun: () => undefined,
    });
    this.#worker = new Worker(new URL("link-remover-worker.ts", import.meta.url), {
      workerData: namespacePath,
      // Sockets are opened by FFI: Node knows nothing of them, and would warn of each that is closed.
      trackUnmanagedFds: false,
    });
    this.#worker.unref();
    this.#worker.on("message", (word: unknown) => this.#listen(word));
    this.#worker.on("error", (cause) =>
      this.#end(new Error("the thread that deletes interfaces failed", { cause })),
    );
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    this.#worker.on("exit", () => {
      this.#end(new Error("the thread that deletes interfaces has ended"));
      this.#monitor.close();
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

  #listen(word: unknown): void {
    if (!isRemoverWord(word)) return;
    if (word.kind === "verdicts") for (const verdict of word.verdicts) this.#settle(verdict);
    else for (const { id, index } of word.links) this.#expect(id, index);
  }

  #expect(id: number, index: number): void {
    if (this.#gone.delete(index)) this.#waiting.get(id)?.resolve("removed");
    else this.#going.set(index, id);
  }

  #hear(changes: readonly Change[]): void {
    if (this.#waiting.size === 0) return;
    for (const change of changes) {
      if (change.kind !== "link" || !change.gone) continue;
      const { index } = change.link;
      const id = this.#going.get(index);
      this.#going.delete(index);
      // The thread is not done with it: it stays among those that wait, and the process must not end.
      if (id === undefined) this.#gone.add(index);
      else this.#waiting.get(id)?.resolve("removed");
    }
  }

  #settle({ id, removal, errno, detail }: RemovalVerdict): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#rest();
    if (errno === "") waiting?.resolve(removal);
    else waiting?.reject(new KernelError("link.delete", errno, detail));
  }

  #rest(): void {
    this.#going.clear();
    this.#gone.clear();
    if (!this.#isClosing) this.#worker.unref();
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

/** What the thread says. */
export type RemoverWord =
  /** The kernel is about to delete these, which takes the thread until its verdicts. */
  | { readonly kind: "going"; readonly links: readonly DoomedLink[] }
  | { readonly kind: "verdicts"; readonly verdicts: readonly RemovalVerdict[] };

export interface DoomedLink {
  /** Of the request. */
  readonly id: number;
  /** Of the interface. */
  readonly index: number;
}

/** What became of a request; an empty `errno` is success. */
export interface RemovalVerdict {
  readonly id: number;
  readonly removal: PairRemoval;
  readonly errno: string;
  readonly detail: string;
}

function isRemoverWord(value: unknown): value is RemoverWord {
  return typeof value === "object" && value !== null && ("links" in value || "verdicts" in value);
}
