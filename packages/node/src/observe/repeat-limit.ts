/** Kinds of line that are told apart; what comes beyond shares one. */
const kindsMax = 256;

/**
 * Lets a line of each kind through at most once in a while, so that something that fails again and again does not fill the
 * log. What was held back is counted and told with the next line.
 */
export class RepeatLimit {
  readonly #everyMs: number;
  readonly #now: () => number;
  readonly #kinds = new Map<string, { toldAtMs: number; heldBack: number }>();

  constructor(everyMs: number, now: () => number) {
    this.#everyMs = everyMs;
    this.#now = now;
  }

  /** How many lines of the kind were held back since the last one, when this one may be told; `undefined` otherwise. */
  admit(kind: string): number | undefined {
    const key = this.#kinds.has(kind) || this.#kinds.size < kindsMax ? kind : "";
    const known = this.#kinds.get(key);
    const now = this.#now();
    if (known !== undefined && now - known.toldAtMs < this.#everyMs) {
      known.heldBack += 1;
      return undefined;
    }
    this.#kinds.set(key, { toldAtMs: now, heldBack: 0 });
    return known?.heldBack ?? 0;
  }
}
