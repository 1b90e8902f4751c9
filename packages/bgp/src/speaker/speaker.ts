import { type IpAddress, type IpFamily, type Prefix } from "@caracal/net";
import { type ExportSource } from "../export/export-rules.ts";
import { type SendTo } from "../export/group-outbox.ts";
import { type Policies } from "../export/policy.ts";
import { CeaseCode, RefreshKind } from "../iana.ts";
import { AttributeTable } from "../rib/attribute-table.ts";
import { Decision } from "../rib/decision.ts";
import { type NextHopResolver, NextHops } from "../rib/next-hops.ts";
import { Rib } from "../rib/rib.ts";
import { type PeerIndex } from "../rib/route-rows.ts";
import { type Negotiated } from "../session/negotiated.ts";
import { type ConnectionId, type Millis } from "../session/session-config.ts";
import { refuseConnection } from "../session/reasons.ts";
import { type SessionEffect, type SessionEvent } from "../session/session-events.ts";
import { unicastFamily } from "../wire/capability.ts";
import { type RouteRefresh } from "../wire/route-refresh.ts";
import { type Update } from "../wire/update.ts";
import { connectionEvent } from "./connection-event.ts";
import { DynamicPeers, type PeerRange, forgetAt } from "./dynamic-peers.ts";
import { Exporter } from "./exporter.ts";
import { PolicyBook } from "./policy-book.ts";
import { Importer } from "./importer.ts";
import { InitialSync } from "./initial-sync.ts";
import { Listings } from "./listings.ts";
import { LocalRoutes } from "./local-routes.ts";
import { type PeerConfig, comparePeers, importsDiffer } from "./peer-config.ts";
import { checkMaxPrefixes } from "./max-prefixes.ts";
import { refreshRequest } from "./peer-refresh.ts";
import { PeerTable } from "./peer-table.ts";
import { Peer } from "./peer.ts";
import { Refusals } from "./refusals.ts";
import { RouteKeeper } from "./route-keeper.ts";
import { renamedPeers } from "./renamed-peers.ts";
import { Selector } from "./selector.ts";
import { type TableSizes, tableSizes } from "./table-sizes.ts";
import { type PeerSnapshot, type RouteSnapshot, countRoutes, snapshotPeer } from "./snapshot.ts";
import {
  type BestRouteChange,
  type SpeakerConfig,
  type SpeakerEffect,
  type SpeakerEvent,
  type SpeakerFact,
} from "./speaker-events.ts";
import { removeRoutes } from "./stale-routes.ts";

/** What the speaker takes from outside. */
export interface SpeakerPorts {
  readonly resolver: NextHopResolver;
  /** Numbers from 0 up to 1, for jitter. */
  readonly random: () => number;
  /** Policies that are code, read with each event about policies, whose own come first. A recording does not have them. */
  readonly policies: Policies;
}

/** A BGP speaker without sockets or clock: sessions, tables, decision and announcements of one router. */
export class Speaker {
  readonly #config: SpeakerConfig;
  readonly #ports: SpeakerPorts;
  readonly #attributes: AttributeTable;
  readonly #ribs: Readonly<Record<IpFamily, Rib>>;
  readonly #nextHops: NextHops;
  readonly #decision: Decision;
  readonly #importer: Importer;
  readonly #exporter: Exporter;
  readonly #selector: Selector;
  readonly #localRoutes: LocalRoutes;
  /** What is held and told, route by route. */
  readonly listings: Listings;
  readonly #sync: InitialSync;
  readonly #keeper: RouteKeeper;
  readonly #dynamic: DynamicPeers = new DynamicPeers();
  readonly #refusals: Refusals = new Refusals();
  readonly #peers: PeerTable = new PeerTable();
  readonly #byConnection = new Map<ConnectionId, Peer>();
  readonly #policies: PolicyBook;
  #effects: SpeakerEffect[] = [];
  /** When the event at hand happened. */
  #now: Millis = 0;
  #isStopped = false;
  readonly #send: SendTo = (index, bytes) => {
    const connection = this.#peers.at(index)?.negotiated?.connection;
    if (connection !== undefined) this.#effects.push({ kind: "send", connection, bytes });
  };

  constructor(config: SpeakerConfig, ports: SpeakerPorts) {
    this.#config = config;
    this.#ports = ports;
    // Peers choose what is looked up by hash, so they must not know where it falls.
    const secret = (): number => Math.floor(ports.random() * 2 ** 30);
    this.#attributes = new AttributeTable(secret());
    this.#ribs = {
      4: new Rib(4, this.#attributes, secret()),
      6: new Rib(6, this.#attributes, secret()),
    };
    const rib = (family: IpFamily): Rib => this.#ribs[family];
    const source = (index: PeerIndex): ExportSource | undefined => this.#peers.at(index)?.facts;
    this.#nextHops = new NextHops(ports.resolver);
    this.#decision = new Decision(this.#attributes, this.#nextHops, source);
    this.#decision.localOnly = config.restarting;
    this.#policies = new PolicyBook(ports.policies, (nextHop) => {
      const resolution = this.#nextHops.resolve(nextHop);
      return resolution.reachable ? resolution.link : undefined;
    });
    this.#importer = new Importer(this.#attributes, config.routerId, rib, this.#policies);
    this.#exporter = new Exporter(this.#attributes, this.#decision, rib, source, this.#policies, {
      now: () => this.#now,
      random: ports.random,
    });
    this.#selector = new Selector(
      this.#attributes,
      this.#decision,
      this.#nextHops,
      source,
      config.tellsBestRoutes,
    );
    this.#localRoutes = new LocalRoutes(this.#attributes);
    this.listings = new Listings({
      attributes: this.#attributes,
      nextHops: this.#nextHops,
      decision: this.#decision,
      routerId: config.routerId,
      exporter: this.#exporter,
      rib,
      peer: (index) => this.#peers.at(index),
      peerNamed: (name) => this.#peers.get(name),
    });
    this.#sync = new InitialSync(config);
    this.#keeper = new RouteKeeper({
      ribs: this.#ribs,
      attributes: this.#attributes,
      importer: this.#importer,
      staleRoutesMs: config.staleRoutesMs,
      log: (fact) => this.#log(fact),
    });
  }

  /** Connections from addresses that are no peer's, since the start. */
  get refusedCount(): number {
    return this.#refusals.count;
  }

  /** Interned attribute sets, and routes of each family: for metrics. */
  get sizes(): { readonly attributeSets: number; readonly routes4: number; readonly routes6: number } {
    return {
      attributeSets: this.#attributes.size,
      routes4: this.#ribs[4].rows.size,
      routes6: this.#ribs[6].rows.size,
    };
  }

  /** The room that tables have taken. */
  get tables(): TableSizes {
    const counts = { connections: this.#byConnection.size, peers: this.#peers.byName.size };
    return tableSizes([this.#ribs[4], this.#ribs[6]], this.#attributes, counts);
  }

  /** When a "tick" is next due; in the past when there is more to tell right now. */
  get deadline(): Millis | undefined {
    if (this.#exporter.hasBacklog) return Number.NEGATIVE_INFINITY;
    let least = Math.min(this.#sync.deadline ?? Infinity, this.#exporter.deadline);
    for (const peer of this.#peers.values()) {
      least = Math.min(least, peer.session.deadline ?? Infinity, this.#keeper.deadline(peer), forgetAt(peer));
      least = Math.min(least, peer.refresh.deadline ?? Infinity);
    }
    return least === Infinity ? undefined : least;
  }

  /** Advances the speaker. Effects are in the order in which they are to be carried out. */
  handle(event: SpeakerEvent, now: Millis): readonly SpeakerEffect[] {
    this.#now = now;
    this.#effects = [];
    this.#dispatch(event, now);
    this.#settle(now, event.kind === "tick");
    return this.#effects;
  }

  /** In the order configured. */
  peers(now: Millis): PeerSnapshot[] {
    const counts = countRoutes([this.#ribs[4], this.#ribs[6]]);
    return [...this.#peers.values()].map((peer) =>
      snapshotPeer(peer, counts.get(peer.index), this.#exporter.summary(peer), now),
    );
  }

  /** All paths, grouped by prefix, the best of each first; of one prefix only if one is named. */
  routes(prefix?: Prefix): RouteSnapshot[] {
    return [...this.listings.routes(prefix)].filter((route) => route !== undefined);
  }

  #dispatch(event: SpeakerEvent, now: Millis): void {
    switch (event.kind) {
      case "peers":
        this.#dynamic.replace(event.ranges ?? []);
        this.#setPeers(event.peers, now);
        this.#tellMissingPolicies();
        return;
      case "policies":
        this.#policiesChanged(this.#policies.replace(event.policies));
        this.#tellMissingPolicies();
        return;
      case "localRoutes":
        this.#localRoutes.replace(event.routes, (prefix) => this.#ribs[prefix.family], now);
        return;
      case "accepted":
        this.#accept(event.connection, event.localAddress, event.remoteAddress, now);
        return;
      case "connected":
      case "failed":
      case "received":
      case "stalled":
      case "overflowed":
        this.#toConnection(event.connection, connectionEvent(event), now);
        if (event.kind === "failed") this.#byConnection.delete(event.connection);
        return;
      case "congested":
        this.#setCongested(event.connection, event.full);
        return;
      case "bestPath":
        if (!this.#decision.take(event.options)) return;
        for (const rib of [this.#ribs[4], this.#ribs[6]]) rib.markAllDirty();
        return;
      case "resolution":
        this.#resolutionChanged();
        this.#policiesChanged(this.#policies.linksChanged());
        return;
      case "reset":
        this.#reset(event.peer, event.message, now);
        return;
      case "stop":
        this.#stop(event.graceful, event.message, now);
        return;
      case "tick":
        this.#tick(now);
        return;
    }
  }

  #setPeers(configs: readonly PeerConfig[], now: Millis): void {
    const wanted = new Map<string, PeerConfig>();
    const ranges = new Map<string, PeerRange>();
    for (const config of configs) wanted.set(config.name, config);
    for (const { config, range } of this.#dynamic.configs(this.#peers.values(), configs)) {
      wanted.set(config.name, config);
      ranges.set(config.name, range);
    }
    for (const { peer, config } of renamedPeers(this.#peers.byName, wanted))
      this.#renamePeer(peer, config, now);
    for (const peer of this.#peers.values()) {
      if (!wanted.has(peer.config.name)) this.#removePeer(peer, CeaseCode.peerDeconfigured, now);
    }
    for (const config of wanted.values()) {
      const peer = this.#peers.get(config.name);
      if (peer === undefined) {
        this.#addPeer(config, ranges.get(config.name), now);
        continue;
      }
      peer.range = ranges.get(config.name);
      const change = comparePeers(peer.config, config);
      if (change === "soft") this.#changePeer(peer, config, now);
      if (change !== "reset") continue;
      this.#removePeer(peer, CeaseCode.otherConfigurationChange, now);
      this.#addPeer(config, ranges.get(config.name), now, true);
    }
    this.#peers.order(wanted.values());
    this.#sync.begin(now, !this.#dynamic.isEmpty);
  }

  /** What comes in is decided before what goes out, so that the latter sees the best routes that stand then. */
  #policiesChanged(names: readonly string[]): void {
    if (names.length === 0) return;
    this.#exporter.policiesChanged(names);
    for (const peer of this.#peers.values()) {
      if (names.includes(peer.config.importPolicy)) this.#reconsider(peer);
    }
    this.#select();
    for (const name of names) {
      for (const family of this.#exporter.familiesOf(name))
        this.#exporter.considerAll(this.#ribs[family], name);
    }
    this.#exporter.flush(this.#send);
  }

  #tellMissingPolicies(): void {
    const configs = Array.from(this.#peers.values(), ({ config }) => config);
    for (const fact of this.#policies.missing(configs)) this.#log(fact);
  }

  #addPeer(config: PeerConfig, range: PeerRange | undefined, now: Millis, isAgain = false): Peer {
    const peer = this.#peers.add(
      config.name,
      (index, sessionName) => new Peer(index, config, this.#config, this.#ports.random, now, sessionName),
    );
    peer.range = range;
    peer.session.restarted = this.#config.restarting && !this.#sync.done;
    this.#startOrShut(peer, now, isAgain);
    return peer;
  }

  /** As the operator wants it; nothing happens to a session that is so already. */
  #startOrShut(peer: Peer, now: Millis, isAgain = false): void {
    const { shutdown: message, timers } = peer.config;
    if (this.#isStopped) return;
    // What ended the last session is to be read before a new connection says otherwise: that may look like a restart.
    const leastDelayMs = isAgain ? timers.connectRetryMinMs : 0;
    const event: SessionEvent =
      message === undefined
        ? { kind: "ManualStart", leastDelayMs }
        : { kind: "ManualStop", cease: CeaseCode.administrativeShutdown, message };
    this.#toSession(peer, event, now);
  }

  #removePeer(peer: Peer, cease: number, now: Millis): void {
    this.#toSession(peer, { kind: "ManualStop", cease }, now);
    if (peer.wasUp) {
      for (const rib of [this.#ribs[4], this.#ribs[6]]) removeRoutes(rib, peer, "all");
      // Its routes' withdrawal names it as their source, so it must still be known while that is told.
      this.#select();
      this.#exporter.forgetExports();
    }
    this.#peers.remove(peer);
  }

  /** The session goes on; only what it is called changes, and what may change without it. */
  #renamePeer(peer: Peer, config: PeerConfig, now: Millis): void {
    this.#peers.rename(peer, config.name);
    this.#changePeer(peer, config, now);
  }

  #changePeer(peer: Peer, config: PeerConfig, now: Millis): void {
    const before = peer.config;
    peer.config = config;
    peer.session.retime(config.timers, config.passive, now);
    if (before.shutdown !== config.shutdown) this.#startOrShut(peer, now);
    for (const family of [4, 6] as const) this.#limit(peer, family, now);
    if (importsDiffer(before, config)) this.#reconsider(peer);
    // What is chosen may just have been refused: a group that the peer moves to must see what stands.
    this.#select();
    // A client's routes go where those of other internal peers do not, and carry its cluster.
    if (before.reflectorClient !== config.reflectorClient || before.clusterId !== config.clusterId) {
      this.#exporter.forgetExports();
      for (const rib of [this.#ribs[4], this.#ribs[6]]) rib.markAllDirty();
    }
    this.#exporter.move(peer);
  }

  #reconsider(peer: Peer): void {
    for (const rib of [this.#ribs[4], this.#ribs[6]]) this.#importer.reconsider(peer, rib);
  }

  #accept(connection: ConnectionId, localAddress: IpAddress, remoteAddress: IpAddress, now: Millis): void {
    const peer = this.#peers.withAddress(remoteAddress);
    if (peer !== undefined) {
      this.#toPeer(peer, connection, localAddress, now);
      return;
    }
    const welcome = this.#isStopped ? "unknown" : this.#dynamic.welcome(remoteAddress, this.#peers.values());
    if (typeof welcome === "object" && !this.#peers.byName.has(welcome.config.name)) {
      if (welcome.instead !== undefined) this.#removePeer(welcome.instead, CeaseCode.outOfResources, now);
      this.#toPeer(this.#addPeer(welcome.config, welcome.range, now), connection, localAddress, now);
      return;
    }
    this.#effects.push(...refuseConnection(connection));
    const fact = this.#refusals.note(remoteAddress, welcome === "full" ? "full" : "unknown", now);
    if (fact !== undefined) this.#log(fact);
  }

  #toPeer(peer: Peer, connection: ConnectionId, localAddress: IpAddress, now: Millis): void {
    this.#byConnection.set(connection, peer);
    this.#toSession(peer, { kind: "TcpConnectionConfirmed", connection, localAddress }, now);
  }

  #setCongested(connection: ConnectionId, full: boolean): void {
    const peer = this.#byConnection.get(connection);
    if (peer?.negotiated?.connection === connection) this.#exporter.setCongested(peer, full);
  }

  #resolutionChanged(): void {
    const changes: BestRouteChange[] = [];
    this.#selector.resolutionChanged([this.#ribs[4], this.#ribs[6]], changes, (rib, slot) =>
      this.#exporter.consider(rib.family, slot),
    );
    this.#exporter.flush(this.#send);
    this.#tellBest(changes);
  }

  #reset(name: string, message: string | undefined, now: Millis): void {
    const peer = this.#peers.get(name);
    if (peer === undefined || peer.config.shutdown !== undefined) return;
    this.#toSession(peer, { kind: "ManualStop", cease: CeaseCode.administrativeReset, message }, now);
    this.#startOrShut(peer, now, true);
  }

  #stop(graceful: boolean, message: string | undefined, now: Millis): void {
    this.#isStopped = true;
    const cease = graceful ? undefined : CeaseCode.administrativeShutdown;
    for (const peer of this.#peers.values()) {
      this.#toSession(peer, { kind: "ManualStop", cease, message }, now);
    }
  }

  #tick(now: Millis): void {
    for (const peer of this.#peers.values()) {
      if ((peer.session.deadline ?? Infinity) <= now) this.#toSession(peer, { kind: "Tick" }, now);
      this.#keeper.tick(peer, now);
      if (forgetAt(peer) <= now) this.#removePeer(peer, CeaseCode.peerDeconfigured, now);
      for (const family of peer.refresh.overdue(now)) this.#endRefresh(peer, family);
    }
  }

  #toConnection(connection: ConnectionId, event: SessionEvent, now: Millis): void {
    const peer = this.#byConnection.get(connection);
    if (peer === undefined) {
      // A connection that was given up while the driver was still making it.
      if (event.kind === "Tcp_CR_Acked") this.#effects.push({ kind: "close", connection });
      return;
    }
    this.#toSession(peer, event, now);
  }

  #toSession(peer: Peer, event: SessionEvent, now: Millis): void {
    for (const effect of peer.session.handle(event, now)) this.#apply(peer, effect, now);
  }

  #apply(peer: Peer, effect: SessionEffect, now: Millis): void {
    switch (effect.kind) {
      case "connect": {
        const { address, port, sourceAddress } = peer.config;
        this.#byConnection.set(effect.connection, peer);
        this.#effects.push({ kind: "connect", connection: effect.connection, address, port, sourceAddress });
        return;
      }
      case "close":
        this.#byConnection.delete(effect.connection);
        this.#effects.push(effect);
        return;
      case "send":
        this.#effects.push(effect);
        return;
      case "state": {
        peer.since = now;
        const { from, to } = effect;
        const reason = peer.session.lastError;
        this.#log({ kind: "sessionState", peer: peer.config.name, from, to, reason });
        return;
      }
      case "established":
        this.#established(peer, effect.negotiated, now);
        return;
      case "lost":
        this.#lost(peer, effect.graceful, now);
        return;
      case "update":
        this.#updated(peer, effect.update, now);
        return;
      case "plainUpdate":
        this.#importer.plainUpdate(peer, effect, now);
        this.#limit(peer, effect.family, now);
        return;
      case "refresh":
        this.#refreshed(peer, effect.refresh, now);
        return;
    }
  }

  #established(peer: Peer, negotiated: Negotiated, now: Millis): void {
    // What was worked out for its routes names the identifier that it had.
    if (peer.begin(negotiated)) this.#exporter.forgetExports();
    this.#keeper.established(peer, negotiated, now);
    // So that its Adj-RIB-Out starts from what is chosen now.
    this.#select();
    this.#exporter.join(peer, negotiated);
  }

  #lost(peer: Peer, graceful: boolean, now: Millis): void {
    const { negotiated } = peer;
    this.#exporter.leave(peer);
    peer.negotiated = undefined;
    peer.refresh.forget();
    this.#keeper.lost(peer, negotiated, graceful && !this.#isStopped, now);
  }

  #updated(peer: Peer, update: Update, now: Millis): void {
    for (const { action, what, code } of update.faults) {
      this.#log({ kind: "attributeFault", peer: peer.config.name, attribute: code, action, what });
    }
    if (update.endOfRib !== undefined) {
      peer.endOfRib.add(update.endOfRib);
      this.#keeper.confirmed(peer, update.endOfRib);
      return;
    }
    this.#importer.update(peer, update, now);
    for (const { nlri } of update.announced) this.#limit(peer, nlri.family, now);
  }

  /** After an UPDATE, so that a flood ends with the message that goes beyond what the peer may say. */
  #limit(peer: Peer, family: IpFamily, now: Millis): void {
    const outcome = checkMaxPrefixes(peer, family);
    if (outcome === undefined) return;
    this.#log(outcome.fact);
    if (outcome.stop !== undefined) this.#toSession(peer, outcome.stop, now);
  }

  #refreshed(peer: Peer, { subtype, ...pair }: RouteRefresh, now: Millis): void {
    const family = unicastFamily(pair);
    const { families = [], enhancedRefresh = false } = peer.negotiated ?? {};
    // RFC 2918 §4: a family that was not agreed on is ignored. RFC 7313 §5: so is an unknown subtype.
    if (family === undefined || !families.includes(family)) return;
    if (subtype === RefreshKind.request) this.#exporter.refresh(peer, family, this.#send);
    if (!enhancedRefresh) return;
    if (subtype === RefreshKind.end) this.#endRefresh(peer, family);
    if (subtype !== RefreshKind.begin || peer.refresh.begin(peer, this.#ribs[family], now)) return;
    this.#log({ kind: "refreshIgnored", peer: peer.config.name, family });
  }

  #endRefresh(peer: Peer, family: IpFamily): void {
    const count = peer.refresh.end(peer, this.#ribs[family]);
    if (count > 0) this.#log({ kind: "unrefreshedRoutesRemoved", peer: peer.config.name, family, count });
  }

  /**
   * Brings decisions, announcements and waits up to date with what happened. Those that lag are told more by ticks only:
   * so peers that join within one turn of the driver's loop share the work, and a dump leaves room for other events.
   */
  #settle(now: Millis, isTick: boolean): void {
    const isSyncChanged = this.#sync.check(this.#peers.values(), now);
    if (this.#decision.localOnly && !this.#sync.deferring) {
      this.#decision.localOnly = false;
      for (const rib of [this.#ribs[4], this.#ribs[6]]) rib.markAllDirty();
    }
    this.#select();
    if (isTick) this.#exporter.catchUp(this.#send);
    if (!this.#sync.deferring) this.#exporter.endRib(this.#send);
    if (isSyncChanged && this.#sync.done) {
      for (const peer of this.#peers.values()) peer.session.restarted = false;
      this.#effects.push({ kind: "initialSync" });
    }
    this.#attributes.collect((id) => this.#exporter.forget(id));
  }

  #select(): void {
    const changes: BestRouteChange[] = [];
    for (const rib of [this.#ribs[4], this.#ribs[6]]) {
      this.#selector.run(rib, changes, (slot) => this.#exporter.consider(rib.family, slot));
    }
    // Before anything else is chosen, so that no prefix changes twice in one batch.
    this.#exporter.flush(this.#send);
    this.#tellBest(changes);
  }

  #tellBest(changes: readonly BestRouteChange[]): void {
    if (changes.length > 0) this.#effects.push({ kind: "bestRoutes", changes });
  }

  #log(fact: SpeakerFact): void {
    this.#effects.push({ kind: "log", fact });
  }

  /** Asks a peer for everything again, in a family; for peers that cannot, false. */
  requestRefresh(name: string, family: IpFamily): readonly SpeakerEffect[] | undefined {
    const negotiated = this.#peers.get(name)?.negotiated;
    const bytes = negotiated === undefined ? undefined : refreshRequest(negotiated, family);
    if (negotiated === undefined || bytes === undefined) return undefined;
    return [{ kind: "send", connection: negotiated.connection, bytes }];
  }
}
