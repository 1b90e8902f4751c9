import { StoreError } from "@caracal/datastore";
import type { WireMethod } from "@caracal/etcd-api";
import type { Client, ClientDuplexStream } from "@grpc/grpc-js";
import { type Endpoint, parseEndpoint } from "./endpoint.ts";
import type { EtcdConfig } from "./etcd-config.ts";
import { authenticate, type UnaryMethod } from "./etcd-methods.ts";
import { isCallFailure, isUnavailable, isUnsent, mapError } from "./map-error.ts";
import { UnaryChannel } from "./unary-channel.ts";

/** Whether a call may be made twice. */
export type CallKind = "read" | "write";

/** Names the endpoint of a failure. */
export interface OpenStream<Request, Response> {
  readonly call: ClientDuplexStream<Request, Response>;
  readonly endpoint: string;
}

interface Peer {
  readonly text: string;
  readonly endpoint: Endpoint;
  /** For calls with one answer. */
  readonly channel: UnaryChannel;
  /** For streams, once there was one. */
  client: Client | undefined;
}

/** Calls to the first of several servers that answers. Connects when first used; throws `StoreError` only. */
export class Connection {
  readonly #peers: readonly Peer[];
  readonly #config: EtcdConfig;
  #current = 0;
  #closed = false;
  #token: string | undefined;

  constructor(config: EtcdConfig, requestTimeoutMs: number) {
    if (config.endpoints.length === 0) throw new StoreError("invalid", "no etcd endpoint is given");
    this.#config = config;
    this.#peers = config.endpoints.map((endpoint) => {
      const parsed = parseEndpoint(endpoint, config.tls);
      const channel = new UnaryChannel(parsed.dial, requestTimeoutMs);
      return { text: parsed.text, endpoint: parsed, channel, client: undefined };
    });
  }

  /**
   * One call, tried once at each server until one answers. A write goes to a second server only if it never left for
   * the first: otherwise it may already have happened.
   */
  async call<Request, Response>(
    method: UnaryMethod<Request, Response>,
    request: Request,
    kind: CallKind,
  ): Promise<Response> {
    for (let tries = 1; ; tries += 1) {
      const index = this.#current;
      const peer = this.#peer(index);
      try {
        return await this.#authorized((token) => once(peer, method, request, token));
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
    const token = await this.#login();
    const [{ Metadata }, { openStreamClient }] = await Promise.all([
      import("@grpc/grpc-js"),
      import("./stream-client.ts"),
    ]);
    const peer = this.#peer(this.#current);
    peer.client ??= openStreamClient(peer.endpoint);
    const metadata = new Metadata();
    if (token !== undefined) metadata.set("token", token);
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
    for (const { channel, client } of this.#peers) {
      channel.close();
      client?.close();
    }
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

  async #authorized<Result>(run: (token: string | undefined) => Promise<Result>): Promise<Result> {
    try {
      return await run(await this.#login());
    } catch (error) {
      // etcd's tokens expire: one new one is asked for.
      if (!isCallFailure(error) || !error.details.includes("invalid auth token")) throw error;
      this.#token = undefined;
      return run(await this.#login());
    }
  }

  /** The user's token, if there is a user. */
  async #login(): Promise<string | undefined> {
    const { username, password } = this.#config;
    if (username === undefined || password === undefined) return undefined;
    if (this.#token === undefined) {
      const peer = this.#peer(this.#current);
      const login = await once(peer, authenticate, { name: username, password }, undefined);
      this.#token = login.token;
    }
    return this.#token;
  }
}

async function once<Request, Response>(
  { channel }: Peer,
  { path, frame, read }: UnaryMethod<Request, Response>,
  request: Request,
  token: string | undefined,
): Promise<Response> {
  return read(await channel.call(path, frame(request), token));
}
