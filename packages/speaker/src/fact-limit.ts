import type { SpeakerFact } from "@caracal/bgp";

/** What a peer can bring about as often as it likes is told once in this time. */
const everyMs = 60_000;

/** Facts that are told apart; what comes beyond shares one place. */
const kindsMax = 1024;

/** Keeps peers from filling the log: of facts that they repeat, it lets one through in a minute. */
export class FactLimit {
  readonly #now: () => number;
  readonly #told = new Map<string, { atMs: number; heldBack: number }>();

  /** `now`: milliseconds that never jump back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** How many like this one were held back since the last, when it may be told; `undefined` otherwise. */
  admit(fact: SpeakerFact): number | undefined {
    const kind = kindOf(fact);
    if (kind === undefined) return 0;
    const key = this.#told.has(kind) || this.#told.size < kindsMax ? kind : "";
    const last = this.#told.get(key);
    const now = this.#now();
    if (last !== undefined && now - last.atMs < everyMs) {
      last.heldBack += 1;
      return undefined;
    }
    this.#told.set(key, { atMs: now, heldBack: 0 });
    return last?.heldBack ?? 0;
  }
}

/** `undefined`: told always, as waits bound how often it comes. */
function kindOf(fact: SpeakerFact): string | undefined {
  switch (fact.kind) {
    case "attributeFault":
      return `${fact.kind} ${fact.attribute} ${fact.action} ${fact.peer}`;
    case "refreshIgnored":
    case "unrefreshedRoutesRemoved":
      return `${fact.kind} ${fact.peer}`;
    default:
      return undefined;
  }
}
