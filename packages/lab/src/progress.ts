import type { TextSink } from "./lab-context.ts";

/** Lines on what is going on, each with the seconds since the work began. */
export class Progress {
  readonly #out: TextSink;
  readonly #startedAt = performance.now();

  constructor(out: TextSink) {
    this.#out = out;
  }

  say(text: string): void {
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1);
    this.#out.write(`[${seconds.padStart(5)}s] ${text}\n`);
  }
}
