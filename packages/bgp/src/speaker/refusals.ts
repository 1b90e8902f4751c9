import { type IpAddress } from "@caracal/net";
import { type Millis } from "../session/session-config.ts";
import { type SpeakerFact } from "./speaker-events.ts";

/** Facts about refused connections are at least so far apart, so that nobody fills a log by knocking. */
export const refusalQuietMs: Millis = 10_000;

/** Why a connection is refused: it comes from nowhere, or from a prefix whose peers are as many as there may be. */
export type RefusalReason = "unknown" | "full";

/** Counts refused connections, and tells of the first, then of all since the last told. */
export class Refusals {
  #count = 0;
  #toldCount = 0;
  #toldAt: Millis = Number.NEGATIVE_INFINITY;

  get count(): number {
    return this.#count;
  }

  /** One more: what is to be told of it, if anything. */
  note(remoteAddress: IpAddress, reason: RefusalReason, now: Millis): SpeakerFact | undefined {
    this.#count += 1;
    if (now - this.#toldAt < refusalQuietMs) return undefined;
    const count = this.#count - this.#toldCount;
    this.#toldAt = now;
    this.#toldCount = this.#count;
    return { kind: "refused", remoteAddress, reason, count };
  }
}
