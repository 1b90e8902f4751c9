import { type IpAddress } from "@caracal/net";
import { type Millis } from "../session/session-config.ts";
import { type SpeakerFact } from "./speaker-events.ts";

/** For so long nothing more is told of an address, so that nobody fills a log by knocking. */
export const refusalQuietMs: Millis = 10_000;

/** Addresses that are told of in that time. */
export const maxRefusalFacts = 32;

/** Why a connection is refused: it comes from nowhere, or from a prefix whose peers are as many as there may be. */
export type RefusalReason = "unknown" | "full";

/** Counts refused connections, and tells of some. */
export class Refusals {
  #count = 0;
  #toldCount = 0;
  #since: Millis = Number.NEGATIVE_INFINITY;
  readonly #told = new Set<IpAddress>();

  get count(): number {
    return this.#count;
  }

  /** One more: what is to be told of it, if anything. */
  note(remoteAddress: IpAddress, reason: RefusalReason, now: Millis): SpeakerFact | undefined {
    this.#count += 1;
    if (now - this.#since >= refusalQuietMs) {
      this.#since = now;
      this.#told.clear();
    }
    if (this.#told.has(remoteAddress) || this.#told.size >= maxRefusalFacts) return undefined;
    this.#told.add(remoteAddress);
    const count = this.#count - this.#toldCount;
    this.#toldCount = this.#count;
    return { kind: "refused", remoteAddress, reason, count };
  }
}
