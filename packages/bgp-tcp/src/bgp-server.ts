import { type Socket } from "node:net";
import {
  type BestRouteChange,
  type ConnectionId,
  type DecisionOptions,
  type Listings,
  type LocalRoute,
  type NextHopResolver,
  type PeerInput,
  type PeerRangeInput,
  type PeerSnapshot,
  type NamedPolicy,
  type RouteSnapshot,
  Recorder,
  Speaker,
  type SpeakerConfig,
  type SpeakerEffect,
  type SpeakerEvent,
  type SpeakerFact,
  everythingReachable,
  peerConfig,
  peerRange,
  rehearse,
  speakerDefaults,
} from "@caracal/bgp";
import { type IpFamily, type Prefix } from "@caracal/net";
import { BgpListener, type ListenAddress } from "./bgp-listener.ts";
import { BmpExport, type BmpOptions } from "./bmp-export.ts";
import { type BmpStationAddress } from "./bmp-station.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type PeerEndpoint, PeerSocket, type PeerSocketEvents, socketAddress } from "./peer-socket.ts";
import { type PeerTransport, type SocketOptions } from "./peer-transport.ts";
import { PeerTransports } from "./peer-transports.ts";
import { socketErrorText } from "./socket-error-text.ts";

export interface BgpServerOptions
  extends Pick<SpeakerConfig, "routerId" | "asn">, Partial<Omit<SpeakerConfig, "routerId" | "asn">> {
  /** Empty: only outgoing connections. */
  readonly listen: readonly ListenAddress[];
  readonly resolver?: NextHopResolver;
  /** Without it a peer that has a transport of its own is never connected. */
  readonly socketOptions?: SocketOptions;
  /** Has the hot path compiled before peers come, for a quarter of a second of one core: for speakers of large tables. */
  readonly rehearses?: boolean;
  readonly bmp?: BmpOptions;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Hears what a log or a metric may want to know. */
  readonly onFact?: (fact: SpeakerFact) => void;
  /** Gets the lines of a recording, which `replay` does again; no password is in it. */
  readonly onRecord?: (line: string) => void;
}

/** As much for one peer goes out at once; less waits for what else is there to tell. */
const promptBytes = 1 << 16;

/** A running BGP speaker: `Speaker` with sockets and a clock around it. */
export class BgpServer {
  readonly #options: BgpServerOptions;
  readonly #speaker: Speaker;
  readonly #clock: Clock;
  readonly #listener: BgpListener;
  readonly #transports: PeerTransports;
  readonly #bmp: BmpExport | undefined;
  readonly #recorder: Recorder | undefined;
  readonly #sockets = new Map<ConnectionId, PeerSocket>();
  readonly #touched = new Set<PeerSocket>();
  readonly #closing = new Set<Promise<void>>();
  readonly #bestRouteListeners = new Set<(changes: readonly BestRouteChange[]) => void>();
  readonly #syncListeners = new Set<() => void>();
  /** Events that came up while one was being carried out, such as a listener's answer. */
  readonly #waiting: (() => readonly SpeakerEffect[])[] = [];
  #isBusy = false;
  #cancelTimer: (() => void) | undefined;
  #turnEnd: NodeJS.Immediate | undefined;
  #acceptedCount = 0;
  #isSynced = false;
  #isStopped = false;

  constructor(options: BgpServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#transports = new PeerTransports(options.socketOptions);
    this.#bmp = options.bmp === undefined ? undefined : new BmpExport(options.bmp, this, this.#clock);
    this.#listener = new BgpListener({
      onConnection: (socket) => this.#accept(socket),
      onBound: (fd, family) => this.#transports.addListening(fd, family),
    });
    const config = { ...speakerDefaults, ...options };
    const ports = {
      resolver: options.resolver ?? everythingReachable,
      random: options.random ?? Math.random,
      policies: new Map(),
    };
    if (options.onRecord !== undefined) this.#recorder = new Recorder(config, ports, options.onRecord);
    this.#speaker = new Speaker(config, this.#recorder?.ports ?? ports);
  }

  /** Opens the listening sockets; throws `BgpListenError` and leaves nothing open if one is taken. */
  async start(): Promise<void> {
    if (this.#options.rehearses === true) rehearse({ ...speakerDefaults, ...this.#options });
    await this.#listener.open(this.#options.listen);
    this.#bmp?.start();
  }

  /** The ports listened on, in the order of the options. */
  get ports(): number[] {
    return this.#listener.ports;
  }

  /** Connections from unknown addresses since the start. */
  get refusedCount(): number {
    return this.#speaker.refusedCount;
  }

  /** Whether `onInitialSync` has been called. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /**
   * The peers are now these; sessions that did not change are not touched. `transports` are by peer name: kept apart, so
   * that passwords reach neither the speaker's snapshots nor recorded events. Whoever connects from one of `ranges` is a
   * peer as well, with the transport of its range.
   */
  setPeers(
    peers: readonly PeerInput[],
    transports: ReadonlyMap<string, PeerTransport> = new Map(),
    ranges: readonly PeerRangeInput[] = [],
  ): void {
    const changed = this.#transports.replace(peers, transports, ranges);
    this.#dispatch({ kind: "peers", peers: peers.map(peerConfig), ranges: ranges.map(peerRange) });
    for (const name of changed) {
      const members = this.#speaker.peers(this.#clock.now()).filter(({ range }) => range === name);
      for (const one of members) this.resetPeer(one.name);
      if (members.length === 0) this.resetPeer(name);
    }
  }

  /** The routes that this speaker is the source of are now these; only the difference is told. */
  setOrigins(routes: readonly LocalRoute[]): void {
    this.#dispatch({ kind: "localRoutes", routes });
  }

  /** Stations that are told by BMP are now these; only for a server that was made with `bmp`, perhaps with none. */
  setBmpStations(stations: readonly BmpStationAddress[]): void {
    this.#bmp?.setStations(stations);
  }

  /** Ties between routes are broken so from now on. */
  setBestPath(options: DecisionOptions): void {
    this.#dispatch({ kind: "bestPath", options });
  }

  /** Replaces policies; routes that a changed one can affect are decided about again, without a session's reset. */
  setPolicies(policies: readonly NamedPolicy[]): void {
    this.#dispatch({ kind: "policies", policies });
  }

  /** Links or kernel routes changed: next hops are resolved again. */
  networkChanged(): void {
    this.#dispatch({ kind: "resolution" });
  }

  /** Closes a session and starts it again, with a message to the operator of the other end (RFC 9003). */
  resetPeer(name: string, message?: string): void {
    this.#dispatch({ kind: "reset", peer: name, ...(message === undefined ? {} : { message }) });
  }

  /** Asks a peer for all its routes again; false if it cannot. */
  refreshPeer(name: string, family: IpFamily): boolean {
    const effects = this.#speaker.requestRefresh(name, family);
    if (effects !== undefined) this.#run(() => effects);
    return effects !== undefined;
  }

  /** Hears batches of changes of the best routes, in order. Returns what stops it. */
  onBestRoutes(listener: (changes: readonly BestRouteChange[]) => void): () => void {
    this.#bestRouteListeners.add(listener);
    return () => this.#bestRouteListeners.delete(listener);
  }

  /** Called once, when every peer has told all it has or the wait for that is over; at once if that has been. */
  onInitialSync(listener: () => void): void {
    if (this.#isSynced) listener();
    else this.#syncListeners.add(listener);
  }

  peers(): PeerSnapshot[] {
    const now = this.#clock.now();
    return this.#speaker
      .peers(now)
      .map((peer) =>
        peer.state === "Established" ? peer : { ...peer, lastError: this.#transports.explain(peer, now) },
      );
  }

  routes(prefix?: Prefix): RouteSnapshot[] {
    return this.#speaker.routes(prefix);
  }

  /** What is held and told, route by route, for tables that are too large to copy. */
  get listings(): Listings {
    return this.#speaker.listings;
  }

  /** Interned attribute sets and routes: for metrics. */
  get tables(): Speaker["tables"] {
    return this.#speaker.tables;
  }

  get sizes(): Speaker["sizes"] {
    return this.#speaker.sizes;
  }

  /** Bytes that wait for peers to read them, over all connections: for metrics. */
  get queuedBytes(): number {
    return [...this.#sockets.values()].reduce((sum, socket) => sum + socket.queuedBytes, 0);
  }

  /**
   * Closes everything. Gracefully: without a NOTIFICATION, so that peers keep our routes until we are back; else with one,
   * and a message to the operators of the other ends if there is one (RFC 9003).
   */
  async stop(options: { readonly graceful: boolean; readonly message?: string }): Promise<void> {
    this.#dispatch({ kind: "stop", ...options });
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    clearImmediate(this.#turnEnd);
    for (const socket of this.#sockets.values()) this.#close(socket);
    this.#sockets.clear();
    this.#transports.forgetListening();
    await this.#listener.close();
    await Promise.all(this.#closing);
    await this.#bmp?.stop();
  }

  #dispatch(event: SpeakerEvent): void {
    this.#run(() => {
      const now = this.#clock.now();
      this.#recorder?.event(event, now);
      const effects = this.#speaker.handle(event, now);
      this.#bmp?.observe(event, effects, now);
      return effects;
    });
  }

  /** One event after the other: what comes up meanwhile waits its turn. */
  #run(step: () => readonly SpeakerEffect[]): void {
    this.#waiting.push(step);
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        for (const effect of next()) this.#perform(effect);
      }
    } finally {
      this.#isBusy = false;
    }
    this.#turnEnd ??= setImmediate(() => this.#endTurn());
  }

  /**
   * After all that came in at one time: what a peer is told of it leaves in one system call, and the next deadline, which
   * asks every peer, is looked for once.
   */
  #endTurn(): void {
    this.#turnEnd = undefined;
    const touched = [...this.#touched];
    this.#touched.clear();
    for (const socket of touched) socket.flush();
    this.#schedule();
  }

  #perform(effect: SpeakerEffect): void {
    switch (effect.kind) {
      case "connect":
        this.#connect(effect.connection, effect);
        return;
      case "send": {
        const socket = this.#sockets.get(effect.connection);
        if (socket === undefined) return;
        socket.send(effect.bytes);
        if (socket.heldBytes >= promptBytes) socket.flush();
        else this.#touched.add(socket);
        return;
      }
      case "close": {
        const socket = this.#sockets.get(effect.connection);
        if (socket === undefined) return;
        this.#sockets.delete(effect.connection);
        this.#touched.delete(socket);
        this.#close(socket);
        return;
      }
      case "bestRoutes":
        for (const listener of this.#bestRouteListeners) listener(effect.changes);
        return;
      case "initialSync":
        this.#isSynced = true;
        for (const listener of this.#syncListeners) listener();
        this.#syncListeners.clear();
        return;
      case "log":
        this.#options.onFact?.(effect.fact);
        return;
    }
  }

  #connect(connection: ConnectionId, to: PeerEndpoint): void {
    try {
      const protect = this.#transports.protection(to.address);
      this.#sockets.set(connection, PeerSocket.connect(to, this.#events(connection), protect));
    } catch (error) {
      // A socket that cannot be bound or protected as asked is an attempt that failed.
      const reason = error instanceof Error ? socketErrorText(error) : String(error);
      this.#dispatch({ kind: "failed", connection, reason });
    }
  }

  #events(connection: ConnectionId): PeerSocketEvents {
    return {
      onConnected: (localAddress) => this.#dispatch({ kind: "connected", connection, localAddress }),
      onBytes: (bytes) => this.#dispatch({ kind: "received", connection, bytes }),
      onCongested: (full) => this.#dispatch({ kind: "congested", connection, full }),
      onStalled: (stalled) => this.#dispatch({ kind: "stalled", connection, stalled }),
      onOverflow: () => this.#dispatch({ kind: "overflowed", connection }),
      onClosed: (reason) => {
        this.#sockets.delete(connection);
        this.#dispatch({ kind: "failed", connection, reason });
      },
    };
  }

  #accept(socket: Socket): void {
    const localAddress = socketAddress(socket.localAddress);
    const remoteAddress = socketAddress(socket.remoteAddress);
    if (localAddress === undefined || remoteAddress === undefined) {
      // It is gone already.
      socket.destroy();
      return;
    }
    if (this.#transports.protectAccepted(socket, remoteAddress) !== undefined) {
      socket.destroy();
      return;
    }
    this.#acceptedCount += 1;
    const connection = `<${this.#acceptedCount}`;
    this.#sockets.set(connection, PeerSocket.accepted(socket, this.#events(connection)));
    this.#dispatch({ kind: "accepted", connection, localAddress, remoteAddress });
  }

  #close(socket: PeerSocket): void {
    const closed = socket.close();
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
  }

  #schedule(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const { deadline } = this.#speaker;
    if (deadline === undefined || this.#isStopped) return;
    const delay = deadline - this.#clock.now();
    this.#cancelTimer = this.#clock.after(delay, () => this.#dispatch({ kind: "tick" }));
  }
}
