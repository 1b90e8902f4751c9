import type { Socket } from "node:net";
import { ControlCode, ControlError } from "./control-error.ts";
import type { ControlMethod } from "./control-server.ts";
import { LineSplitter, MAX_LINE_BYTES } from "./line-splitter.ts";
import { type Failure, readRequest, type Request, writeFailure, writeResult } from "./message.ts";

/** Requests of one connection that run at once; further ones wait unread in the socket. */
export const MAX_CONCURRENT_REQUESTS = 64;
/** A client that leaves more than this unread is dropped. */
export const MAX_UNSENT_BYTES: number = 4 * MAX_LINE_BYTES;
const REFUSAL_LINGER_MS = 1_000;
/** Every connection ends with it, most of them with nobody who listens: an error of their own would cost them its trace. */
const clientGone = new ControlError(ControlCode.aborted, "the client has gone");

/** One client: reads lines, runs methods, writes answers. */
export class ServerConnection {
  readonly #socket: Socket;
  readonly #methods: ReadonlyMap<string, ControlMethod>;
  readonly #onError: (error: Error) => void;
  readonly #splitter = new LineSplitter();
  readonly #gone = new AbortController();
  /** Lines that came in one chunk with others while the bound was reached. */
  readonly #waiting: string[] = [];
  #runningCount = 0;

  constructor(socket: Socket, methods: ReadonlyMap<string, ControlMethod>, onError: (error: Error) => void) {
    this.#socket = socket;
    this.#methods = methods;
    this.#onError = onError;
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.on("drain", () => this.#proceed());
    // A client may vanish at any moment; `close` follows.
    socket.on("error", () => undefined);
    socket.once("close", () => this.#gone.abort(clientGone));
  }

  /** Drops the client and aborts its requests. */
  cut(): void {
    this.#socket.destroy();
    this.#gone.abort(clientGone);
  }

  #receive(chunk: Uint8Array): void {
    const lines = this.#splitter.push(chunk);
    if (lines === "too-large") {
      this.#refuse(`the line is longer than ${MAX_LINE_BYTES} bytes`);
      return;
    }
    this.#waiting.push(...lines);
    this.#proceed();
  }

  /** Says why and hangs up; what the client still sends is thrown away for a while, so that it can read the reason. */
  #refuse(message: string): void {
    this.#socket.removeAllListeners("data");
    this.#socket.resume();
    this.#socket.end(writeFailure(null, { code: ControlCode.tooLarge, message }));
    setTimeout(() => this.cut(), REFUSAL_LINGER_MS).unref();
  }

  /** Starts what may start; reads on only when nothing waits and the client takes its answers. */
  #proceed(): void {
    while (this.#waiting.length > 0 && this.#mayStart()) this.#start(this.#waiting.shift() ?? "");
    if (this.#waiting.length === 0 && this.#mayStart()) this.#socket.resume();
    else this.#socket.pause();
  }

  #mayStart(): boolean {
    return this.#runningCount < MAX_CONCURRENT_REQUESTS && !this.#socket.writableNeedDrain;
  }

  #start(line: string): void {
    const request = readRequest(line);
    if ("error" in request) {
      this.#send(writeFailure(request.id, request.error));
      return;
    }
    this.#runningCount++;
    void this.#answer(request).then((text) => {
      this.#runningCount--;
      this.#send(text);
      this.#proceed();
    });
  }

  async #answer(request: Request): Promise<string> {
    const { id, method: name, params } = request;
    const method = this.#methods.get(name);
    if (method === undefined) {
      const known = [...this.#methods.keys()].join(", ");
      const message = `no method ${JSON.stringify(name)}; there are: ${known}`;
      return writeFailure(id, { code: ControlCode.unknownMethod, message });
    }
    try {
      return writeResult(id, await method(params, this.#gone.signal));
    } catch (error) {
      return writeFailure(id, this.#describe(name, error));
    }
  }

  #describe(method: string, error: unknown): Failure {
    if (error instanceof ControlError) return { code: error.code, message: error.message };
    const message = error instanceof Error ? error.message : String(error);
    this.#onError(new Error(`control method ${method} failed: ${message}`, { cause: error }));
    return { code: ControlCode.internal, message };
  }

  #send(text: string): void {
    if (!this.#socket.writable) return;
    this.#socket.write(text);
    if (this.#socket.writableLength <= MAX_UNSENT_BYTES) return;
    this.#onError(
      new Error(`a control client that left ${this.#socket.writableLength} bytes unread was dropped`),
    );
    this.cut();
  }
}
