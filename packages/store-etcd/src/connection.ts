import { StoreError } from "@caracal/datastore";
import type { WireMethod } from "@caracal/etcd-api";
import { Client, type ClientDuplexStream, type ClientOptions, Metadata } from "@grpc/grpc-js";
import { parseEndpoint } from "./endpoint.ts";
import type { EtcdConfig } from "./etcd-config.ts";
import { authenticate } from "./etcd-methods.ts";
import { isCallFailure, isUnavailable, isUnsent, mapError } from "./map-error.ts";

/** Whether a call may be made twice. */
export type CallKind = "read" | "write";

/** Names the endpoint of a failure. */
export interface OpenStream<Request, Response> {
  readonly call: ClientDuplexStream<Request, Response>;
  readonly endpoint: string;
}

interface Peer {
  readonly text: string;
  readonly client: Client;
}

/** Calico's: dial and request time-out of 10 s, keepalive every 30 s with 10 s to answer. */
const channelOptions: ClientOptions = {
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 2_000,
  // A server's answer is as large as what was asked for; listings are paged.
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  // Two stores of one process must not share a channel: closing one would disturb the other.
  "grpc.use_local_subchannel_pool": 1,
};

/** Calls to the first of several servers that answers. Connects when first used; throws `StoreError` only. */
export class Connection {
  readonly #peers: readonly Peer[];
  readonly #config: EtcdConfig;
  readonly #timeoutMs: number;
  #current = 0;
  #closed = false;
  #token: string | undefined;

  constructor(config: EtcdConfig, requestTimeoutMs: number) {
    if (config.endpoints.length === 0) throw new StoreError("invalid", "no etcd endpoint is given");
    this.#config = config;
    this.#timeoutMs = requestTimeoutMs;
    this.#peers = config.endpoints.map((endpoint) => {
      const { text, target, credentials, options } = parseEndpoint(endpoint, config.tls);
      return { text, client: new Client(target, credentials, { ...channelOptions, ...options }) };
    });
  }

  /**
   * One call, tried once at each server until one answers. A write goes to a second server only if it never left for
   * the first: otherwise it may already have happened.
   */
  async call<RequestInit, Request, ResponseInit, Response>(
    method: WireMethod<RequestInit, Request, ResponseInit, Response, Buffer>,
    request: RequestInit,
    kind: CallKind,
  ): Promise<Response> {
    for (let tries = 1; ; tries += 1) {
      const index = this.#current;
      const peer = this.#peer(index);
      try {
        return await this.#authorized((metadata) => this.#once(peer, method, request, metadata));
      } catch (error) {
        this.#leave(index, error);
        const mayRetry = kind === "read" ? isUnavailable(error) : isUnsent(error);
        if (this.#closed || !mayRetry || tries >= this.#peers.length) throw mapError(error, peer.text);
      }
    }
  }

  /** Opens a stream at the current server. It fails while it is read; report that to `failed`. */
  async stream<RequestInit, Request, ResponseInit, Response>(
    method: WireMethod<RequestInit, Request, ResponseInit, Response, Buffer>,
  ): Promise<OpenStream<RequestInit, Response>> {
    const peer = this.#peer(this.#current);
    const metadata = await this.#metadata();
    // Asks a member cut off from its cluster to end the stream instead of staying silent.
    metadata.set("hasleader", "true");
    const { path, requestSerialize, responseDeserialize } = method;
    const call = peer.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
    return { call, endpoint: peer.text };
  }

  /** A stream of that endpoint failed: the next one goes to another server, if there is one. */
  failed(endpoint: string, error: unknown): void {
    const index = this.#peers.findIndex((peer) => peer.text === endpoint);
    this.#leave(index, error);
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
    for (const { client } of this.#peers) client.close();
  }

  #peer(index: number): Peer {
    const peer = this.#peers[index];
    if (this.#closed || peer === undefined) throw new StoreError("unavailable", "the store is closed");
    return peer;
  }

  #leave(index: number, error: unknown): void {
    if (isCallFailure(error) && error.details.includes("invalid auth token")) this.#token = undefined;
    // Only the first of several calls that fail together moves on.
    if (index === this.#current && isUnavailable(error)) this.#current = (index + 1) % this.#peers.length;
  }

  async #authorized<Result>(run: (metadata: Metadata) => Promise<Result>): Promise<Result> {
    try {
      return await run(await this.#metadata());
    } catch (error) {
      // etcd's tokens expire: one new one is asked for.
      if (!isCallFailure(error) || !error.details.includes("invalid auth token")) throw error;
      this.#token = undefined;
      return run(await this.#metadata());
    }
  }

  async #metadata(): Promise<Metadata> {
    const metadata = new Metadata();
    const { username, password } = this.#config;
    if (username === undefined || password === undefined) return metadata;
    if (this.#token === undefined) {
      const peer = this.#peer(this.#current);
      const login = await this.#once(peer, authenticate, { name: username, password }, metadata);
      this.#token = login.token;
    }
    metadata.set("token", this.#token);
    return metadata;
  }

  async #once<RequestInit, Request, ResponseInit, Response>(
    { client }: Peer,
    method: WireMethod<RequestInit, Request, ResponseInit, Response, Buffer>,
    request: RequestInit,
    metadata: Metadata,
  ): Promise<Response> {
    const { path, requestSerialize, responseDeserialize } = method;
    const deadline = Date.now() + this.#timeoutMs;
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        { deadline },
        (error, response) => {
          if (response === undefined) reject(error ?? new Error("an empty answer"));
          else resolve(response);
        },
      );
    });
  }
}
