import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import type { Socket } from "node:net";
import { connectionReason } from "./failure-reason.ts";
import { GrpcStatus } from "./grpc-status.ts";
import { framePrefixBytes } from "./message-parts.ts";

/** What a server may have on its way to us before we have read it: a page of a listing is some megabytes. */
const windowBytes = 8 * 1_048_576;
/** What requests call the server: it serves whoever reaches it. */
const authority = "http://localhost";
/** Calico's client sends no larger message either; etcd takes 1.5 MiB unless its operator says otherwise. */
const messageBytesMax = 2 * 1_048_576;

/** A call that failed, as gRPC names failures. */
export class UnaryFailure extends Error {
  override readonly name = "UnaryFailure";
  readonly code: number;
  readonly details: string;
  /** The server's connection took no more calls: this one was not looked at. */
  readonly isRefused: boolean;

  constructor(
    code: number,
    details: string,
    options: { readonly cause?: unknown; readonly isRefused?: boolean } = {},
  ) {
    super(details, options);
    this.code = code;
    this.details = details;
    this.isRefused = options.isRefused ?? false;
  }
}

/**
 * Calls with one request and one answer to one gRPC server (gRPC over HTTP/2), straight on Node's HTTP/2: a third of what a
 * general gRPC library takes for each, and that time is on every pod's way. Connects when first used and whenever the
 * connection was lost; throws `UnaryFailure` only.
 */
export class UnaryChannel {
  readonly #dial: () => Socket;
  readonly #timeoutMs: number;
  #session: Promise<ClientHttp2Session> | undefined;
  #connection: AbortController | undefined;
  #callCount = 0;

  constructor(dial: () => Socket, timeoutMs: number) {
    this.#dial = dial;
    this.#timeoutMs = timeoutMs;
  }

  /** The answer's message. The request comes behind its length prefix; `token` is etcd's, for users. */
  async call(path: string, frame: Uint8Array, token: string | undefined): Promise<Uint8Array> {
    if (frame.length > messageBytesMax) {
      // A server that is sent more may end the connection, and with it the calls beside this one.
      const sizes = `${frame.length} vs. ${messageBytesMax}`;
      throw new UnaryFailure(GrpcStatus.resourceExhausted, `message larger than max (${sizes})`);
    }
    const deadline = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      // A server that does not answer may be gone without a word: the next call tries anew.
      this.close();
      deadline.reject(new UnaryFailure(GrpcStatus.deadlineExceeded, "Deadline exceeded"));
    }, this.#timeoutMs);
    this.#callCount += 1;
    try {
      return await Promise.race([this.#exchange(path, frame, token), deadline.promise]);
    } finally {
      clearTimeout(timer);
      this.#callCount -= 1;
      // An idle connection does not keep the process from ending.
      if (this.#callCount === 0) void this.#session?.then((session) => session.unref(), ignore);
    }
  }

  /** Ends the connection; the calls under way fail. A later call makes a new one. */
  close(): void {
    this.#session = undefined;
    // One that a silent server never finishes, too: it would keep the process from ending.
    this.#connection?.abort();
  }

  /** Once more on a new connection when the one that there was takes no calls any more. */
  async #exchange(path: string, frame: Uint8Array, token: string | undefined): Promise<Uint8Array> {
    const isReused = this.#session !== undefined;
    const known = this.#session;
    const session = await this.#connected();
    session.ref();
    const asked = ask(session, path, frame, token);
    if (!isReused) return asked;
    try {
      return await asked;
    } catch (error) {
      if (!(error instanceof UnaryFailure) || !error.isRefused) throw error;
      if (this.#session === known) this.#session = undefined;
      const next = await this.#connected();
      next.ref();
      return ask(next, path, frame, token);
    }
  }

  #connected(): Promise<ClientHttp2Session> {
    if (this.#session !== undefined) return this.#session;
    const giveUp = new AbortController();
    const opening = open(this.#dial, giveUp.signal);
    this.#session = opening;
    this.#connection = giveUp;
    const forget = (): void => {
      if (this.#session === opening) this.#session = undefined;
    };
    opening.then((session) => {
      // After "goaway" the server takes no more calls; those under way still end.
      session.once("goaway", forget);
      session.once("close", forget);
      if (session.destroyed || session.closed) forget();
    }, forget);
    return opening;
  }
}

function open(dial: () => Socket, giveUp: AbortSignal): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const settings = { initialWindowSize: windowBytes };
    const createConnection = (): Socket => {
      const socket = dial();
      // What breaks after TLS and before HTTP/2, such as a refused certificate, the session does not tell.
      socket.once("error", refuse);
      socket.once("close", () => refuse());
      return socket;
    };
    const refuse = (cause?: Error): void => {
      const reason = cause === undefined ? "connection closed" : connectionReason(cause);
      const details = `No connection established. Last error: ${reason}`;
      reject(new UnaryFailure(GrpcStatus.unavailable, details, { cause }));
    };
    let session: ClientHttp2Session;
    try {
      session = connect(authority, { createConnection, settings });
    } catch (cause) {
      // Certificates that are none.
      refuse(cause instanceof Error ? cause : new Error(String(cause)));
      return;
    }
    // What breaks later is told to the streams.
    session.on("error", refuse);
    session.once("close", () => refuse());
    giveUp.addEventListener("abort", () => session.destroy(), { once: true });
    // Only a server's settings tell that it speaks HTTP/2.
    session.once("remoteSettings", () => {
      session.setLocalWindowSize(windowBytes);
      resolve(session);
    });
  });
}

async function ask(
  session: ClientHttp2Session,
  path: string,
  frame: Uint8Array,
  token: string | undefined,
): Promise<Uint8Array> {
  let stream: ClientHttp2Stream;
  try {
    stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...(token !== undefined && { token }),
    });
  } catch (cause) {
    throw refused(cause);
  }
  stream.end(frame);
  return answerOf(stream);
}

function refused(cause: unknown): UnaryFailure {
  const details = "No connection established. Last error: it takes no more calls";
  return new UnaryFailure(GrpcStatus.unavailable, details, { cause, isRefused: true });
}

function answerOf(stream: ClientHttp2Stream): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let headers: IncomingHttpHeaders = {};
    let httpStatus: number | undefined;
    let failure: unknown;
    stream.on("response", (found) => {
      headers = found;
      httpStatus = found[":status"];
    });
    // A refused call has its status in the only headers.
    stream.on("trailers", (found) => void (headers = { ...headers, ...found }));
    stream.on("data", (chunk: Buffer) => void chunks.push(chunk));
    stream.on("error", (error) => void (failure = error));
    stream.once("close", () => {
      const found = headers["grpc-status"];
      if (found === "0") {
        const message = messageOf(Buffer.concat(chunks));
        if (message === undefined)
          reject(new UnaryFailure(GrpcStatus.internal, "an answer without its message"));
        else resolve(message);
      } else if (typeof found === "string") {
        reject(new UnaryFailure(Number(found), percentDecoded(String(headers["grpc-message"] ?? ""))));
      } else reject(lost(stream.rstCode, httpStatus, failure));
    });
  });
}

/** The call had no end that gRPC knows. */
function lost(reset: number | undefined, httpStatus: number | undefined, cause: unknown): UnaryFailure {
  // RFC 9113 §8.7: a refused stream was not processed, so it may be tried again.
  if (reset === constants.NGHTTP2_REFUSED_STREAM) return refused(cause);
  const isForeign = httpStatus !== undefined && httpStatus !== 200;
  const details = isForeign ? `it answers with HTTP status ${httpStatus}` : "Connection dropped";
  return new UnaryFailure(GrpcStatus.unavailable, details, { cause });
}

/** The one message of an answer; compressed ones were not asked for. */
function messageOf(bytes: Buffer): Uint8Array | undefined {
  if (bytes.length < framePrefixBytes || bytes[0] !== 0) return undefined;
  const length = bytes.readUInt32BE(1);
  if (bytes.length !== framePrefixBytes + length) return undefined;
  return bytes.subarray(framePrefixBytes);
}

/** gRPC's messages are percent-encoded; what is not is taken as it is. */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function ignore(): void {}
