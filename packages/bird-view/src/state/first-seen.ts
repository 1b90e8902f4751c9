/**
 * When things that carry no time of their own were first seen. It remembers exactly what the last observation named, so
 * it grows with what is present and with nothing else.
 */
export class FirstSeen {
  readonly #now: () => number;
  #times: ReadonlyMap<string, number> = new Map();

  /** `now` gives milliseconds since 1970. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes what is present now: new keys get the present time, the others keep theirs, and absent ones are forgotten. */
  observe(present: Iterable<string>): ReadonlyMap<string, number> {
    const nowMs = this.#now();
    const times = new Map<string, number>();
    for (const key of present) times.set(key, this.#times.get(key) ?? nowMs);
    this.#times = times;
    return times;
  }
}
