/** A value that is got anew when it is too old, or when it was refused. */
export class CachedValue<Value> {
  readonly #get: () => Promise<{ readonly value: Value; readonly goodUntilMs: number }>;
  #held: Promise<{ readonly value: Value; readonly goodUntilMs: number }> | undefined;

  /** `get` also says, in milliseconds since 1970, until when the value is good. */
  constructor(get: () => Promise<{ readonly value: Value; readonly goodUntilMs: number }>) {
    this.#get = get;
  }

  async get(): Promise<Value> {
    const held = this.#held;
    const found = await held?.catch(() => undefined);
    if (found !== undefined && Date.now() < found.goodUntilMs) return found.value;
    // Of several that come at once, the first gets it for all.
    if (this.#held === held) this.#held = this.#get();
    return (await (this.#held ?? this.#get())).value;
  }

  forget(): void {
    this.#held = undefined;
  }
}
