import { type Millis } from "../session/session-config.ts";
import { type Peer } from "./peer.ts";
import { type SpeakerConfig } from "./speaker-events.ts";

/**
 * The two waits at the start of a speaker's life. A restarting speaker chooses among its peers' routes, and tells the
 * result, only when each has said all it has (RFC 4724 §4.1); peers that restart as well are not waited for, since they
 * wait for us. And whoever programs the kernel must not remove anything old before every peer has spoken.
 */
export class InitialSync {
  /** Route selection waits. */
  deferring: boolean;
  /** All peers have spoken, or the time is up. */
  done = false;
  readonly #limitMs: Millis;
  #deadline: Millis | undefined;

  constructor(config: SpeakerConfig) {
    this.deferring = config.restarting;
    this.#limitMs = config.selectionDeferralMs;
  }

  /** When to look again; set once the peers are known. */
  get deadline(): Millis | undefined {
    return this.done ? undefined : this.#deadline;
  }

  begin(now: Millis): void {
    this.#deadline ??= now + this.#limitMs;
  }

  /** Looks at the peers. Says whether either wait ended just now. */
  check(peers: Iterable<Peer>, now: Millis): boolean {
    if (this.done || this.#deadline === undefined) return false;
    const isLate = now >= this.#deadline;
    let isSelectable = true;
    let isComplete = true;
    for (const peer of peers) {
      if (peer.isSynced) continue;
      isComplete = false;
      if (peer.negotiated?.gracefulRestart?.restarted !== true) isSelectable = false;
    }
    const wasDeferring = this.deferring;
    if (isSelectable || isLate) this.deferring = false;
    if (isComplete || isLate) this.done = true;
    return this.done || wasDeferring !== this.deferring;
  }
}
