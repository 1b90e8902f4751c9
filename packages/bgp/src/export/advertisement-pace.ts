import { type PrefixSlot } from "../rib/prefix-slots.ts";
import { type Rib } from "../rib/rib.ts";
import { type Millis } from "../session/session-config.ts";

/** Time as a group sees it. */
export interface PaceClock {
  readonly now: () => Millis;
  /** Numbers from 0 up to 1. */
  readonly random: () => number;
}

/** RFC 4271 §10: the interval is shortened by up to a quarter, so that routers do not fall into step. */
const leastShare = 0.75;

/**
 * MinRouteAdvertisementInterval (RFC 4271 §9.2.1.1) of a group: after it was told something, further changes wait, each prefix
 * once however often it changes, withdrawals like announcements. What comes after a quiet time goes at once.
 */
export class AdvertisementPace {
  readonly #intervalMs: Millis;
  readonly #rib: Rib;
  readonly #clock: PaceClock;
  /** Prefixes that changed, with the path identifiers that peers may hold. */
  readonly #waiting = new Map<PrefixSlot, readonly number[]>();
  #nextAt: Millis = Number.NEGATIVE_INFINITY;

  constructor(intervalMs: Millis, rib: Rib, clock: PaceClock) {
    this.#intervalMs = intervalMs;
    this.#rib = rib;
    this.#clock = clock;
  }

  /** Whether changes have to wait: also behind those that do, so that a busy group is not told less often. */
  get isHolding(): boolean {
    return this.#intervalMs > 0 && (this.#waiting.size > 0 || this.#clock.now() < this.#nextAt);
  }

  /** When what waits is due; `Infinity` while nothing waits. */
  get deadline(): Millis {
    return this.#waiting.size === 0 ? Infinity : this.#nextAt;
  }

  /** Something was told: the interval begins. */
  begin(): void {
    if (this.#intervalMs === 0) return;
    const share = leastShare + (1 - leastShare) * this.#clock.random();
    this.#nextAt = this.#clock.now() + this.#intervalMs * share;
  }

  /** A prefix changes; `held` are the path identifiers that it had before. */
  wait(slot: PrefixSlot, held: readonly number[]): void {
    if (this.#waiting.has(slot)) return;
    this.#waiting.set(slot, held);
    this.#rib.hold(slot);
  }

  /** One peer was told of a prefix out of turn: it holds these paths besides. */
  toldEarly(slot: PrefixSlot, paths: readonly number[]): void {
    const held = this.#waiting.get(slot);
    if (held !== undefined) this.#waiting.set(slot, [...new Set([...held, ...paths])]);
  }

  /** What waits, which stays. */
  get waiting(): Iterable<readonly [PrefixSlot, readonly number[]]> {
    return this.#waiting;
  }

  has(slot: PrefixSlot): boolean {
    return this.#waiting.has(slot);
  }

  /** Hands up to `limit` prefixes to `tell`. */
  release(limit: number, tell: (slot: PrefixSlot, held: readonly number[]) => void): void {
    let left = limit;
    for (const [slot, held] of this.#waiting) {
      if (left === 0) return;
      left -= 1;
      tell(slot, held);
      this.#waiting.delete(slot);
      this.#rib.release(slot);
    }
  }
}
