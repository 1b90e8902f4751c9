import { setTimeout as delay } from "node:timers/promises";
import { StoreError } from "@caracal/datastore";
import { parseJson, writeJson } from "@caracal/resources";
import { connectionFailure, isUnsent, refusalText } from "./api-failure.ts";
import type { ApiServer, Identity } from "./api-server.ts";
import type { Channel, ChannelAnswer } from "./channel.ts";
import { openChannel } from "./open-channel.ts";
import { Pace } from "./pace.ts";
import { Slots } from "./slots.ts";

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below the server's URL: `/api/v1/nodes`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** `application/json` unless told. */
  readonly contentType?: string;
  /** Whole numbers beyond 2^53 must survive. */
  readonly hasBigNumbers?: boolean;
  readonly timeoutMs?: number;
}

/** An answer that the server gave with a status that a caller may expect. */
export interface ApiAnswer {
  readonly status: number;
  readonly document: unknown;
}

/** The server's words, as they come, until it ends them. */
export interface ApiStream {
  readonly chunks: AsyncIterable<Buffer>;
}

/** Requests in flight at a time; further ones wait. */
const maxInFlight = 64;
/** Larger answers are not read. */
const maxAnswerBytes = 256 * 1024 * 1024;
/** A server that is busy, or says when it will be back, is asked so often, as far apart as it says, but no longer than the bound. */
const maxBusyAnswers = 5;
const busyPauseMs = 1_000;
const maxBusyPauseMs = 5_000;

/** Requests to one Kubernetes API server. Throws `StoreError` only; connects when first used. */
export class ApiClient {
  readonly #server: ApiServer;
  readonly #basePath: string;
  readonly #timeoutMs: number;
  readonly #slots = new Slots(maxInFlight);
  readonly #pace: Pace | undefined;
  readonly #headers: Readonly<Record<string, string[]>>;
  readonly #closing = new AbortController();
  #channel: { readonly identity: Identity; readonly open: Promise<Channel> } | undefined;

  constructor(server: ApiServer, timeoutMs: number) {
    this.#server = server;
    this.#timeoutMs = timeoutMs;
    this.#pace = server.pace === undefined ? undefined : new Pace(server.pace);
    const headers = Object.entries(server.headers ?? {});
    this.#headers = Object.fromEntries(headers.map(([name, values]) => [name, [...values]]));
    this.#basePath = new URL(server.url).pathname.replace(/\/+$/, "");
  }

  /** What failures name the server by. */
  get where(): string {
    return this.#server.url;
  }

  /** Ends every request and stream; later ones are refused. */
  close(): void {
    this.#closing.abort();
    void this.#channel?.open.then(
      (channel) => channel.close(),
      () => undefined,
    );
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Aborts when the client is closed. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** One request. What the server refuses for good is an answer, as far as callers can tell it from its status. */
  async request(request: ApiRequest): Promise<ApiAnswer> {
    return this.#slots.run(async () => {
      for (let busy = 0; ; busy += 1) {
        await this.#pace?.take(this.#closing.signal);
        const outcome = await this.#exchange(request, busy >= maxBusyAnswers);
        if ("status" in outcome) return outcome;
        const { pauseMs } = outcome;
        await delay(pauseMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
      }
    });
  }

  /** Opens a stream; refusals are thrown as `refuse` says. It ends when the signal aborts. */
  async stream(
    request: ApiRequest,
    signal: AbortSignal,
  ): Promise<ApiStream | (ApiAnswer & { chunks?: never })> {
    await this.#pace?.take(AbortSignal.any([signal, this.#closing.signal]));
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), request.timeoutMs ?? this.#timeoutMs);
    const either = AbortSignal.any([signal, timeout.signal, this.#closing.signal]);
    try {
      const answer = await this.#open(request, either);
      if (answer.status === 200) return { chunks: answer.body };
      if (answer.status === 401) this.#server.credentials.forget();
      const body = await readAll(answer, maxAnswerBytes);
      return this.#judge(request, answer.status, body);
    } catch (error) {
      throw this.#failure(error, timeout.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The answer, or how long to wait before the request is made again. */
  async #exchange(request: ApiRequest, isLast: boolean): Promise<ApiAnswer | { readonly pauseMs: number }> {
    const timeout = AbortSignal.timeout(request.timeoutMs ?? this.#timeoutMs);
    const signal = AbortSignal.any([timeout, this.#closing.signal]);
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await this.#open(request, signal);
        const body = await readAll(answer, maxAnswerBytes);
        // A token may have been replaced since it was read.
        if (answer.status === 401 && attempt === 1) {
          this.#server.credentials.forget();
          continue;
        }
        const pauseMs = pauseOf(request, answer);
        if (pauseMs !== undefined && !isLast) return { pauseMs };
        return this.#judge(request, answer.status, body);
      } catch (error) {
        if (error instanceof StoreError) throw error;
        // A kept connection may have ended just then: what only reads is asked once more.
        const mayRepeat = attempt === 1 && !signal.aborted && (request.method === "GET" || isUnsent(error));
        if (!mayRepeat) throw this.#failure(error, timeout);
      }
    }
  }

  async #open(
    { method, path, query, body, contentType }: ApiRequest,
    signal: AbortSignal,
  ): Promise<ChannelAnswer> {
    if (this.isClosed) throw new StoreError("unavailable", "the store is closed");
    const identity = await this.#server.credentials.present();
    const channel = await this.#channelFor(identity);
    signal.throwIfAborted();
    const search = query === undefined ? "" : `?${new URLSearchParams(query).toString()}`;
    const { authorization } = identity;
    return channel.open({
      method,
      path: `${this.#basePath}${path}${search}`,
      headers: {
        accept: "application/json",
        "user-agent": "caracal",
        ...(authorization === undefined ? {} : { authorization }),
        ...(body === undefined ? {} : { "content-type": contentType ?? "application/json" }),
        ...this.#headers,
      },
      ...(body === undefined ? {} : { body: writeJson(body) }),
      signal,
    });
  }

  async #channelFor(identity: Identity): Promise<Channel> {
    const known = this.#channel;
    const isSame =
      known?.identity.certificate?.cert === identity.certificate?.cert &&
      known?.identity.certificate?.key === identity.certificate?.key;
    if (known !== undefined && isSame) {
      const channel = await known.open.catch(() => undefined);
      if (channel?.isOpen === true) return channel;
      // Another request may have connected anew meanwhile.
      if (this.#channel !== known) return this.#channelFor(identity);
    }
    void known?.open.then(
      (channel) => channel.retire(),
      () => undefined,
    );
    const open = openChannel(this.#server, identity);
    this.#channel = { identity, open };
    const channel = await open;
    if (this.isClosed) channel.close();
    return channel;
  }

  /** The answer, unless it says that the server cannot or will not answer us. */
  #judge(request: ApiRequest, status: number, body: string): ApiAnswer {
    if (status === 429) throw this.#unavailable("it is busy (429)");
    const document = parseAnswer(body, request.hasBigNumbers === true);
    if (status === 401 || status === 403) {
      throw new StoreError("unauthorized", refusalText(document, body));
    }
    // What the API server refuses, it refuses in JSON; only of a path that it does not know, it says so in plain text.
    const isItself = document !== undefined || status === 404;
    if (status >= 500 || (status >= 400 && !isItself))
      throw this.#unavailable(`${refusalText(document, body)} (${status})`);
    if (status < 200 || (status >= 300 && status < 400) || (status < 300 && document === undefined)) {
      throw this.#unavailable("it does not answer as a Kubernetes API server does");
    }
    return { status, document };
  }

  #unavailable(reason: string): StoreError {
    return new StoreError("unavailable", `${this.where}: ${reason}`);
  }

  #failure(error: unknown, timeout: AbortSignal): StoreError {
    if (this.isClosed) return new StoreError("unavailable", "the store is closed");
    return timeout.aborted ? this.#unavailable("no answer in time") : connectionFailure(error, this.where);
  }
}

/**
 * RFC 9110 §10.2.3: after how many seconds to ask again. A server that is busy (429) or starts (503) has done nothing yet; after
 * other failures a write may have been done.
 */
function pauseOf({ method }: ApiRequest, { status, header }: ChannelAnswer): number | undefined {
  const told = header("retry-after");
  const isAway = told !== undefined && (status === 503 || (status >= 500 && method === "GET"));
  if (status !== 429 && !isAway) return undefined;
  const ms = told !== undefined && /^[0-9]+$/.test(told) ? Number(told) * 1000 : busyPauseMs;
  return Math.min(ms, maxBusyPauseMs);
}

async function readAll({ body }: ChannelAnswer, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    if (!(chunk instanceof Buffer)) continue;
    length += chunk.length;
    if (length > maxBytes) throw new Error(`an answer of more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Parsed, or undefined when it is not JSON. Keeping big numbers costs, so it is done where they are. */
export function parseAnswer(body: string, hasBigNumbers: boolean): unknown {
  if (hasBigNumbers) {
    const reading = parseJson(body);
    return reading.kind === "ok" ? reading.value : undefined;
  }
  try {
    const value: unknown = JSON.parse(body);
    return value;
  } catch {
    return undefined;
  }
}
