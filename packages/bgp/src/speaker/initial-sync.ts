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
  readonly #isRestart: boolean;
  #awaitsUnknown = false;

  constructor(config: SpeakerConfig) {
    this.deferring = config.restarting;
    this.#isRestart = config.restarting;
    this.#limitMs = config.selectionDeferralMs;
  }

  /** When to look again; set once the peers are known. */
  get deadline(): Millis | undefined {
    return this.done ? undefined : this.#deadline;
  }

  /** `hasRanges`: peers may come of which nobody knows how many. */
  begin(now: Millis, hasRanges: boolean): void {
    this.#deadline ??= now + this.#limitMs;
    // Only who restarted has something to lose by not waiting for them.
    this.#awaitsUnknown = hasRanges && this.#isRestart;
  }

  /** Looks at the peers. Says whether either wait ended just now. */
  check(peers: Iterable<Peer>, now: Millis): boolean {
    if (this.done || this.#deadline === undefined) return false;
    const isLate = now >= this.#deadline;
    let isSelectable = !this.#awaitsUnknown;
    let isComplete = !this.#awaitsUnknown;
    for (const peer of peers) {
      // Strangers that only knock are not waited for.
      if (peer.isSynced || (peer.range !== undefined && peer.negotiated === undefined)) continue;
      isComplete = false;
      if (peer.negotiated?.gracefulRestart?.restarted !== true) isSelectable = false;
    }
    const wasDeferring = this.deferring;
    if (isSelectable || isLate) this.deferring = false;
    if (isComplete || isLate) this.done = true;
    return this.done || wasDeferring !== this.deferring;
  }
}
