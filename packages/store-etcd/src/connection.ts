import { StoreError } from "@caracal/datastore";
import type { WireMethod } from "@caracal/etcd-api";
import type { Call, Client, ClientDuplexStream } from "@grpc/grpc-js";
import { type Endpoint, parseEndpoint } from "./endpoint.ts";
import type { EtcdConfig, EtcdTls } from "./etcd-config.ts";
import { authenticate, type UnaryMethod } from "./etcd-methods.ts";
import { isCallFailure, isUnavailable, isUnsent, mapError } from "./map-error.ts";
import { UnaryChannel } from "./unary-channel.ts";

/** Whether a call may be made twice. */
export type CallKind = "read" | "write";

/** How often a read is tried that elections of the servers' leader make fail; etcd answers once there is one. */
const electionTries = 4;

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
  /** For streams, once there was one, and what its connections are made with. */
  streams: { readonly client: Client; readonly tls: EtcdTls | undefined } | undefined;
}

/** Calls to the first of several servers that answers. Connects when first used; throws `StoreError` only. */
export class Connection {
  readonly #peers: readonly Peer[];
  readonly #config: EtcdConfig;
  readonly #calls = new Set<Pick<Call, "cancel">>();
  #current = 0;
  #closed = false;
  /** One login serves all calls that come meanwhile. */
  #token: Promise<string | undefined> | undefined;

  constructor(config: EtcdConfig, requestTimeoutMs: number) {
    if (config.endpoints.length === 0) throw new StoreError("invalid", "no etcd endpoint is given");
    this.#config = config;
    this.#peers = config.endpoints.map((endpoint) => {
      const parsed = parseEndpoint(endpoint, config);
      const channel = new UnaryChannel(parsed.dial, requestTimeoutMs);
      return { text: parsed.text, endpoint: parsed, channel, streams: undefined };
    });
  }

  /**
   * One call, tried once at each server until one answers; a read that fell into an election is tried again. A write goes
   * to a second server only if it never left for the first: otherwise it may already have happened.
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
        if (!this.#hasUser) return await once(peer, method, request, undefined);
        return await this.#authorized((token) => once(peer, method, request, token));
      } catch (error) {
        this.#leave(index, error);
        const mayRetry = kind === "read" ? isUnavailable(error) : isUnsent(error);
        const triesMax = isElection(error) ? Math.max(electionTries, this.#peers.length) : this.#peers.length;
        if (this.#closed || !mayRetry || tries >= triesMax) throw mapError(error, peer.text);
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
    const tls = peer.endpoint.secure?.tls();
    if (peer.streams === undefined || peer.streams.tls !== tls) {
      // Its streams go on to their end.
      peer.streams?.client.close();
      peer.streams = { client: openStreamClient(peer.endpoint), tls };
    }
    const metadata = new Metadata();
    if (token !== undefined) metadata.set("token", token);
    // Asks a member cut off from its cluster to end the stream instead of staying silent.
    metadata.set("hasleader", "true");
    const { path, requestSerialize, responseDeserialize } = method;
    const { client } = peer.streams;
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
    this.#calls.add(call);
    call.once("status", () => this.#calls.delete(call));
    return { call, endpoint: peer.text };
  }

  /** A stream of that endpoint failed: the next one goes to another server, if there is one. */
  failed(endpoint: string, error: unknown): void {
    const index = this.#peers.findIndex((peer) => peer.text === endpoint);
    this.#leave(index, error);
  }

  get #hasUser(): boolean {
    return this.#config.username !== undefined;
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
    for (const { channel, streams } of this.#peers) {
      channel.close();
      streams?.client.close();
    }
    // A client that is closed lets its streams go on.
    for (const call of this.#calls) call.cancel();
  }

  #peer(index: number): Peer {
    const peer = this.#peers[index];
    if (this.#closed || peer === undefined) throw new StoreError("unavailable", "the store is closed");
    return peer;
  }

  #leave(index: number, error: unknown): void {
    if (isStaleToken(error)) this.#token = undefined;
    const isAway = isUnavailable(error) || (error instanceof StoreError && error.code === "unavailable");
    // Only the first of several calls that fail together moves on.
    if (index === this.#current && isAway) this.#current = (index + 1) % this.#peers.length;
  }

  async #authorized<Result>(run: (token: string | undefined) => Promise<Result>): Promise<Result> {
    const login = this.#login();
    const token = this.#token;
    try {
      return await run(await login);
    } catch (error) {
      if (token === undefined || !isStaleToken(error)) throw error;
      // One new one is asked for, by the first of several calls that find out.
      if (this.#token === token) this.#token = undefined;
      return run(await this.#login());
    }
  }

  /** The user's token, if there is a user and the server has users. */
  async #login(): Promise<string | undefined> {
    const { username, password } = this.#config;
    if (username === undefined || password === undefined) return undefined;
    const token = (this.#token ??= newToken(this.#peer(this.#current), username, password));
    try {
      return await token;
    } catch (error) {
      if (this.#token === token) this.#token = undefined;
      throw error;
    }
  }
}

async function newToken(peer: Peer, name: string, password: string): Promise<string | undefined> {
  try {
    return await once(peer, authenticate, { name, password }, undefined);
  } catch (error) {
    // Calico's client goes on without, too; should users come, calls are refused for having none.
    if (isCallFailure(error) && error.details.includes("authentication is not enabled")) return undefined;
    throw error;
  }
}

function isElection(error: unknown): boolean {
  return isCallFailure(error) && error.details.includes("etcdserver: leader changed");
}

/** etcd's tokens expire, go with its restart, and with changes of its users; a call without one is refused by "user name is empty". */
function isStaleToken(error: unknown): boolean {
  // A watch is told in its stream, in an answer of its own.
  const said = isCallFailure(error) ? error.details : error instanceof StoreError ? error.message : "";
  return /invalid auth token|revision of auth store is old|user name is empty/.test(said);
}

async function once<Request, Response>(
  { channel }: Peer,
  { path, frame, read }: UnaryMethod<Request, Response>,
  request: Request,
  token: string | undefined,
): Promise<Response> {
  return read(await channel.call(path, frame(request), token));
}
