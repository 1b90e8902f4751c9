/** One part of the daemon that says how it is. */
export interface HealthReport {
  readonly live: boolean;
  readonly ready: boolean;
  /** Why it is not ready or not live, in words. */
  readonly detail: string;
}

/** Health of the whole daemon, put together from its parts. Live unless a part is stuck; ready when all are. */
export class Health {
  readonly #parts = new Map<string, HealthReport>();

  report(part: string, report: HealthReport): void {
    this.#parts.set(part, report);
  }

  get isLive(): boolean {
    return [...this.#parts.values()].every((part) => part.live);
  }

  get isReady(): boolean {
    return this.#parts.size > 0 && [...this.#parts.values()].every((part) => part.ready);
  }

  /** `calico/node is not ready: …` in Calico's words, or undefined when it is. */
  get notReadyBecause(): string | undefined {
    const reasons = [...this.#parts]
      .filter(([, part]) => !part.ready)
      .map(([name, part]) => `${name}: ${part.detail}`);
    return reasons.length === 0 ? undefined : `calico/node is not ready: ${reasons.join("; ")}`;
  }

  /** A line a part, for people and for the body of the health endpoints. */
  table(): string {
    const rows = [...this.#parts].map(([name, part]) =>
      `${name.padEnd(14)} ${part.live ? "live" : "dead"} ${part.ready ? "ready" : "not ready"} ${part.detail}`.trimEnd(),
    );
    return `${rows.join("\n")}\n`;
  }
}
