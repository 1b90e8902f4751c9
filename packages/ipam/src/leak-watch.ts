import { IpAddress } from "@caracal/net";
import type { AuditedAllocation } from "./audit.ts";
import { Nanos } from "./timestamp.ts";

/** An allocation that nobody seems to have. */
export interface LeakSuspect {
  readonly allocation: AuditedAllocation;
  readonly firstSeen: Nanos;
  /** How often it was looked at since, all with the same result. */
  readonly observations: number;
}

/** Suspects of one moment. */
export interface LeakFindings {
  /** Not old enough, or seen once only. */
  readonly suspected: readonly LeakSuspect[];
  /** Seen again after the grace time, unchanged: leaked, if a last look says so too. */
  readonly due: readonly LeakSuspect[];
}

/**
 * Tells leaked allocations from those whose owner is about to come or go: one is due when at least two observations, a
 * grace time apart, found the same assignment without anyone who has it. Whoever assigns the address anew, or turns up
 * with it, begins the time again.
 */
export class LeakWatch {
  readonly #grace: Nanos;
  #suspects = new Map<string, LeakSuspect>();

  constructor(graceSeconds: number) {
    this.#grace = Nanos.fromSeconds(graceSeconds);
  }

  /** Takes in all that seems leaked at one moment; what is not among it is forgotten. */
  observe(leaked: readonly AuditedAllocation[], now: Nanos): LeakFindings {
    const before = this.#suspects;
    this.#suspects = new Map(
      leaked.map((allocation) => {
        const key = assignmentKey(allocation);
        const { firstSeen = now, observations = 0 } = before.get(key) ?? {};
        return [key, { allocation, firstSeen, observations: observations + 1 }];
      }),
    );
    const all = [...this.#suspects.values()];
    const isDue = ({ firstSeen, observations }: LeakSuspect): boolean =>
      observations >= 2 && now - firstSeen >= this.#grace;
    return { suspected: all.filter((one) => !isDue(one)), due: all.filter(isDue) };
  }
}

/** Equal only for one and the same assignment of an address. */
export function assignmentKey({ address, handle, sequenceNumber }: AuditedAllocation): string {
  return `${IpAddress.format(address)} ${handle ?? ""} ${String(sequenceNumber)}`;
}
