import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { ControlCode, ControlError } from "./control-error.ts";
import { LineSplitter, MAX_LINE_BYTES } from "./line-splitter.ts";
import { readResponse, type Response, writeRequest } from "./message.ts";

/** How to reach the daemon. */
export interface ConnectOptions {
  /** 5 s unless told. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** How long to wait for an answer. */
export interface RequestOptions {
  /** 30 s unless told. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const DEFAULT_CONNECT_MS = 5_000;
const DEFAULT_REQUEST_MS = 30_000;
/** Requests of one client that wait for their answer. */
export const MAX_PENDING_REQUESTS = 1024;

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: ControlError) => void;
}

/** A connection to a daemon's control socket. Any number of requests may be under way, up to a bound. */
export class ControlClient implements Disposable {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #splitter = new LineSplitter();
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  /** Why no more requests can be made. */
  #ended: ControlError | undefined;

  private constructor(socket: Socket, path: string) {
    this.#socket = socket;
    this.#path = path;
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.on("error", () => undefined);
    socket.once("close", () => {
      this.#end(new ControlError(ControlCode.unavailable, `the daemon on ${path} closed the connection`));
    });
    // Only requests under way keep the process alive.
    socket.unref();
  }

  /** Connects; nobody there throws `ControlError` code `unavailable`. */
  static async connect(path: string, options: ConnectOptions = {}): Promise<ControlClient> {
    const deadline = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_CONNECT_MS);
    const signal = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
    const socket = connect(path);
    try {
      await once(socket, "connect", { signal });
      return new ControlClient(socket, path);
    } catch (cause) {
      socket.destroy();
      if (options.signal?.aborted === true) throw abortedError(cause);
      const why = deadline.aborted ? "it does not accept connections" : reasonOf(cause);
      throw new ControlError(ControlCode.unavailable, `no daemon answers on ${path}: ${why}`, { cause });
    }
  }

  /** Asks, and gives the result as it came. Every failure is a `ControlError`. */
  request(method: string, params: unknown = {}, options: RequestOptions = {}): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (this.#pending.size >= MAX_PENDING_REQUESTS) {
      const message = `${MAX_PENDING_REQUESTS} requests already wait for ${this.#path}`;
      return Promise.reject(new ControlError(ControlCode.busy, message));
    }
    const id = ++this.#lastId;
    const line = writeRequest({ id, method, params });
    if (line === undefined) {
      const message = `the request is longer than ${MAX_LINE_BYTES} bytes`;
      return Promise.reject(new ControlError(ControlCode.tooLarge, message));
    }
    return this.#send(id, line, method, options);
  }

  /** Closes the connection; requests under way fail with `unavailable`. */
  close(): void {
    this.#end(new ControlError(ControlCode.unavailable, `the connection to ${this.#path} was closed`));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #send(id: number, line: string, method: string, options: RequestOptions): Promise<unknown> {
    const { signal } = options;
    if (signal?.aborted === true) throw abortedError(signal.reason);
    const timeoutMs = options.timeoutMs ?? DEFAULT_REQUEST_MS;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const onAbort = (): void => reject(abortedError(signal?.reason));
    const timer = setTimeout(() => {
      reject(
        new ControlError(
          ControlCode.timeout,
          `no answer to ${method} from ${this.#path} within ${timeoutMs} ms`,
        ),
      );
    }, timeoutMs);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#pending.set(id, { resolve, reject });
    this.#socket.ref();
    this.#socket.write(line);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      this.#pending.delete(id);
      if (this.#pending.size === 0) this.#socket.unref();
    }
  }

  #receive(chunk: Uint8Array): void {
    const lines = this.#splitter.push(chunk);
    if (lines === "too-large") {
      const message = `the daemon on ${this.#path} sent a line longer than ${MAX_LINE_BYTES} bytes`;
      this.#end(new ControlError(ControlCode.tooLarge, message));
      return;
    }
    for (const line of lines) this.#deliver(readResponse(line));
  }

  #deliver(response: Response | undefined): void {
    if (response === undefined) {
      const message = `the daemon on ${this.#path} sent a line that is no response`;
      this.#end(new ControlError(ControlCode.malformed, message));
      return;
    }
    if (response.id === null && response.kind === "error") {
      this.#end(new ControlError(response.error.code, response.error.message));
      return;
    }
    // An answer to a request that timed out finds nobody waiting.
    const pending = typeof response.id === "number" ? this.#pending.get(response.id) : undefined;
    if (response.kind === "result") pending?.resolve(response.result);
    else pending?.reject(new ControlError(response.error.code, response.error.message));
  }

  #end(reason: ControlError): void {
    this.#ended ??= reason;
    this.#socket.destroy();
    for (const pending of this.#pending.values()) pending.reject(this.#ended);
  }
}

/** One request on a connection of its own; `timeoutMs` bounds the connecting and the answer each. */
export async function controlRequest(
  path: string,
  method: string,
  params: unknown = {},
  options: RequestOptions = {},
): Promise<unknown> {
  using client = await ControlClient.connect(path, options);
  return await client.request(method, params, options);
}

function abortedError(cause: unknown): ControlError {
  return new ControlError(ControlCode.aborted, "the request was given up", { cause });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!("code" in error)) return error.message;
  switch (error.code) {
    case "ENOENT":
      return "there is no such socket";
    case "ECONNREFUSED":
      return "its process is gone";
    case "EACCES":
      return "permission denied";
    default:
      return error.message;
  }
}
