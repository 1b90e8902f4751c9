import { type Ipv4 } from "@caracal/net";
import { type Millis } from "./session-config.ts";
import { type Connection } from "./connection.ts";

/** The two ends of a session, as far as they decide between connections. */
export interface Ends {
  readonly routerId: Ipv4;
  readonly localAsn: number;
  readonly peerAsn: number;
}

/**
 * A second connection this soon after Established is the tail of a collision, not a restarted peer: both ends had
 * connected at once and the loser's OPEN was still on its way.
 */
const collisionWindowMs = 3000;

/**
 * RFC 4271 §6.8: of two connections the one stays that the end with the higher identifier opened; RFC 6286 §2.3: with
 * equal ones, that of the higher AS. Says whether `direction` is the one that stays.
 */
export function survives(
  direction: Connection["direction"],
  { routerId, localAsn, peerAsn }: Ends,
  remoteId: Ipv4,
): boolean {
  const weDominate = routerId > remoteId || (routerId === remoteId && localAsn > peerAsn);
  return (direction === "outgoing") === weDominate;
}

/** RFC 4724 §4.2: whether a new connection beside this one says that the peer's end of it is gone. */
export function isRestart(established: Connection, now: Millis): boolean {
  const canRestart = established.negotiated?.gracefulRestart !== undefined;
  return canRestart && now - established.establishedAt >= collisionWindowMs;
}
