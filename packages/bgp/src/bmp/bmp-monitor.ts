import { type IpAddress, type IpFamily } from "@caracal/net";
import { type ConnectionId, type Millis } from "../session/session-config.ts";
import { type PeerSnapshot, type RouteSnapshot } from "../speaker/snapshot.ts";
import { type SpeakerEffect, type SpeakerEvent } from "../speaker/speaker-events.ts";
import { encodeNlri } from "../wire/nlri.ts";
import { UpdateWriter } from "../wire/update-writer.ts";
import {
  type BmpPeer,
  type BmpPeerDown,
  Statistic,
  encodePeerDown,
  encodePeerUp,
  encodeRouteMonitoring,
  encodeStatistics,
} from "./bmp-messages.ts";
import { WatchedConnection, type WatchedSession } from "./watched-connection.ts";

/** RFC 4271 §8.1.2: what a session ended by that ends without a NOTIFICATION of either side. */
const ManualStop = 2;
const unknownEvent = 0;

/**
 * Tells monitoring stations what a speaker's peers say (RFC 7854): Adj-RIB-In before policy. It watches what goes into
 * the speaker and comes out of it, live or from a recording, and so does not know how the speaker works.
 */
export class BmpMonitor {
  readonly #connections = new Map<ConnectionId, WatchedConnection>();
  /** The connection of each established session, by peer name. */
  readonly #established = new Map<
    string,
    { readonly connection: ConnectionId; readonly session: WatchedSession }
  >();
  #addresses: ReadonlyMap<string, IpAddress> = new Map();

  /** Takes an event and what the speaker made of it; gives the messages for stations. The event's bytes are read during the call only. */
  observe(event: SpeakerEvent, effects: readonly SpeakerEffect[], now: Millis): Uint8Array[] {
    const messages: Uint8Array[] = [];
    const updates = this.#before(event);
    const from = event.kind === "received" ? event.connection : undefined;
    // What came in a session that ends by the same event still belongs to it.
    const known = this.#sessionOn(from);
    if (known !== undefined) monitorRoutes(messages, known.peer, updates, now);
    const gone = new Set(event.kind === "failed" ? [event.connection] : []);
    for (const effect of effects) this.#effect(effect, gone);
    const ended = this.#endSessions(gone, event, messages, now);
    for (const connection of gone) this.#connections.delete(connection);
    // A session that follows another at once, on a new connection, is no change of state.
    for (const name of new Set([...ended, ...newlyEstablished(effects)]))
      this.#beginSession(name, from, messages, now);
    const fresh = known === undefined ? this.#sessionOn(from) : undefined;
    if (fresh !== undefined) monitorRoutes(messages, fresh.peer, updates, now);
    if (event.kind === "peers") this.#addresses = addressesOf(event);
    return messages;
  }

  /** What a station that comes in the middle must hear first: the sessions, and all that their peers have said. */
  *table(routes: Iterable<RouteSnapshot>, now: Millis): Generator<Uint8Array> {
    // What changes while this is read comes in later messages.
    const sessions = new Map([...this.#established].map(([name, { session }]) => [name, session]));
    const writers = new Map<string, Map<IpFamily, UpdateWriter>>();
    for (const [name, session] of sessions) {
      yield encodePeerUp(session.peer, session.up, now);
      writers.set(
        name,
        new Map(session.agreed.families.map((family) => [family, writerFor(session, family)])),
      );
    }
    for (const route of routes) {
      const name = route.source.kind === "peer" ? route.source.name : "";
      const [session, writer] = [sessions.get(name), writers.get(name)?.get(route.prefix.family)];
      // What is left from the session before is not what the peer says now.
      if (session === undefined || writer === undefined || route.stale) continue;
      const addPath = session.agreed.addPath.includes(route.prefix.family);
      writer.announce(route.received ?? route.attributes, 1, (out) => encodeNlri(out, route, addPath));
      if (writer.length > 0) yield encodeRouteMonitoring(session.peer, writer.take(), now);
    }
    for (const [name, session] of sessions) {
      for (const writer of writers.get(name)?.values() ?? []) {
        writer.endOfRib();
        yield encodeRouteMonitoring(session.peer, writer.take(), now);
      }
    }
  }

  /** The counters of the established sessions (RFC 7854 §4.8). */
  statistics(peers: readonly PeerSnapshot[], now: Millis): Uint8Array[] {
    return peers.flatMap(({ name, imports, importedCount }) => {
      const session = this.#established.get(name)?.session;
      if (session === undefined) return [];
      const statistics = new Map<number, number>([
        [Statistic.rejectedByPolicy, imports.updatesFiltered],
        [Statistic.duplicateAnnouncements, imports.updatesIgnored],
        [Statistic.duplicateWithdrawals, imports.withdrawsIgnored],
        [Statistic.adjRibInRoutes, importedCount],
      ]);
      return [encodeStatistics(session.peer, statistics, now)];
    });
  }

  #before(event: SpeakerEvent): Uint8Array[] {
    switch (event.kind) {
      case "peers":
        // Those that go are still told of while they do.
        this.#addresses = new Map([...this.#addresses, ...addressesOf(event)]);
        return [];
      case "accepted": {
        const { connection, localAddress, remoteAddress } = event;
        this.#connections.set(connection, new WatchedConnection(remoteAddress, 0, localAddress));
        return [];
      }
      case "connected": {
        const connection = this.#connections.get(event.connection);
        if (connection !== undefined) connection.localAddress = event.localAddress;
        return [];
      }
      case "received":
        return this.#connections.get(event.connection)?.received(event.bytes) ?? [];
      default:
        return [];
    }
  }

  #effect(effect: SpeakerEffect, gone: Set<ConnectionId>): void {
    switch (effect.kind) {
      case "connect":
        this.#connections.set(effect.connection, new WatchedConnection(effect.address, effect.port));
        return;
      case "send":
        this.#connections.get(effect.connection)?.sent(effect.bytes);
        return;
      case "close":
        gone.add(effect.connection);
        return;
      default:
        return;
    }
  }

  #endSessions(
    gone: ReadonlySet<ConnectionId>,
    event: SpeakerEvent,
    messages: Uint8Array[],
    now: Millis,
  ): string[] {
    const ended: string[] = [];
    for (const [name, { connection, session }] of this.#established) {
      if (!gone.has(connection)) continue;
      this.#established.delete(name);
      ended.push(name);
      const down = whyDown(this.#connections.get(connection), event);
      messages.push(encodePeerDown(session.peer, down, now));
    }
    return ended;
  }

  #beginSession(name: string, from: ConnectionId | undefined, messages: Uint8Array[], now: Millis): void {
    // A peer of a range is known by the connection that its last word came on.
    const address =
      this.#addresses.get(name) ??
      (from === undefined ? undefined : this.#connections.get(from)?.remoteAddress);
    for (const [connection, one] of this.#connections) {
      const session = one.remoteAddress === address ? one.session : undefined;
      if (session === undefined) continue;
      one.established = session;
      this.#established.set(name, { connection, session });
      messages.push(encodePeerUp(session.peer, session.up, now));
      return;
    }
  }

  #sessionOn(connection: ConnectionId | undefined): WatchedSession | undefined {
    return connection === undefined ? undefined : this.#connections.get(connection)?.established;
  }
}

function whyDown(connection: WatchedConnection | undefined, event: SpeakerEvent): BmpPeerDown {
  const sent = connection?.sentNotification;
  if (sent !== undefined) return { kind: "localNotification", message: sent };
  const received = connection?.receivedNotification;
  if (received !== undefined) return { kind: "remoteNotification", message: received };
  if (event.kind === "failed") return { kind: "remoteClosed" };
  return { kind: "localEvent", event: event.kind === "stop" ? ManualStop : unknownEvent };
}

function newlyEstablished(effects: readonly SpeakerEffect[]): string[] {
  return effects.flatMap((effect) =>
    effect.kind === "log" && effect.fact.kind === "sessionState" && effect.fact.to === "Established"
      ? [effect.fact.peer]
      : [],
  );
}

function addressesOf({ peers }: Extract<SpeakerEvent, { kind: "peers" }>): Map<string, IpAddress> {
  return new Map(peers.map(({ name, address }) => [name, address]));
}

function monitorRoutes(
  messages: Uint8Array[],
  peer: BmpPeer,
  updates: readonly Uint8Array[],
  now: Millis,
): void {
  for (const update of updates) messages.push(encodeRouteMonitoring(peer, update, now));
}

/** Writes UPDATEs in the form in which the peer itself sends them, as its OPEN says. */
function writerFor({ agreed }: WatchedSession, family: IpFamily): UpdateWriter {
  const { as4, maxMessageBytes, extendedNextHop } = agreed;
  const addPath = agreed.addPath.includes(family);
  return new UpdateWriter({ family, addPath, as4, maxMessageBytes, extendedNextHop });
}
