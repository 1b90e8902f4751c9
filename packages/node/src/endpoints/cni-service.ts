import { type CniAnswer, readCall } from "../cni/cni-call.ts";
import { CniCode, CniError } from "../cni/cni-error.ts";
import { failureAnswer } from "../cni/failure-answer.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { RepeatLimit } from "../observe/repeat-limit.ts";

/** Who does the work; `CniEngine`. */
export interface CniHandler {
  handle(params: unknown, signal: AbortSignal): Promise<CniAnswer>;
}

/** Who does what can be done early; `undefined` is left to wait, or to be told to come back. */
export interface EarlyCniHandler {
  handle(params: unknown): Promise<CniAnswer | undefined>;
}

export interface CniServiceOptions {
  readonly log: Log;
  readonly metrics: Pick<Metrics, "cniRequestSeconds">;
  readonly now: () => number;
  /** Told of every call that was served. */
  readonly onServed?: (params: unknown, answer: CniAnswer) => void;
  /** How long an ADD waits for the daemon's start; half a minute unless told. */
  readonly startPatienceMs?: number;
}

/** Runtimes repeat what failed, each pod by itself: so often at most is one kind of failure told. */
const failureLineMs = 10_000;
/** How long calls under way may take to end before the daemon stops without them; what they leave, a DEL takes away. */
const drainMs = 5_000;
/** With what the ADD itself may take it is less than the plugin waits. */
const startPatienceMs = 30_000;
/** More pods than a node has, waiting for its start, are a storm that the runtime shall repeat. */
const startWaitersMost = 4_096;

/** The control socket's method `cni`, from the daemon's first moment to its last: outside those it says "come back later". */
export class CniService {
  readonly #options: CniServiceOptions;
  readonly #failures: RepeatLimit;
  readonly #underWay = new Set<Promise<unknown>>();
  #engine: CniHandler | undefined;
  #early: EarlyCniHandler | undefined;
  #away = "the node daemon is starting";
  #awayBecause = "";
  /** Ends the waits for the daemon's start. Those that have ended are not in it: a datastore may be away for days. */
  readonly #startWaits = new Set<() => void>();
  #isStopping = false;

  constructor(options: CniServiceOptions) {
    this.#options = options;
    this.#failures = new RepeatLimit(failureLineMs, options.now);
  }

  /** What can be done before the daemon has heard from its datastore is done from now on. */
  openEarly(handler: EarlyCniHandler): void {
    this.#early = handler;
  }

  /** Why the daemon has not started yet. */
  waitForStore(reason: string): void {
    this.#away = "the node daemon is waiting for the datastore";
    this.#awayBecause = reason;
  }

  /** From now on calls are served. */
  open(engine: CniHandler): void {
    this.#early = undefined;
    this.#engine = engine;
    this.#endStartWaits();
  }

  async handle(params: unknown, signal: AbortSignal): Promise<CniAnswer> {
    const command = commandOf(params);
    if (this.#engine === undefined) {
      const early = await this.#early?.handle(params);
      if (early !== undefined) return early;
      if (command === "ADD") await this.#untilBegun(signal);
    }
    if (this.#engine === undefined || signal.aborted) {
      // CNI 1.1.0, "STATUS": what cannot serve an ADD answers 50, not the code of a call that failed.
      const code = command === "STATUS" ? CniCode.notAvailable : CniCode.tryAgainLater;
      return failureAnswer(new CniError(code, this.#away, this.#awayBecause), readCall(params)?.stdin ?? "");
    }
    const stop = this.#options.metrics.cniRequestSeconds.startTimer({ command });
    const work = this.#engine.handle(params, signal);
    this.#underWay.add(work);
    try {
      const answer = await work;
      this.#options.onServed?.(params, answer);
      stop({ outcome: answer.exitCode === 0 ? "ok" : "error" });
      if (answer.exitCode !== 0) this.#tell(command, answer);
      return answer;
    } finally {
      this.#underWay.delete(work);
    }
  }

  /** Calls are under way. */
  get isBusy(): boolean {
    return this.#underWay.size > 0;
  }

  /** Takes no more calls; those that wait for a start are told so. */
  stop(): void {
    this.#engine = undefined;
    this.#isStopping = true;
    this.#away = "the node daemon is stopping";
    this.#awayBecause = "";
    this.#endStartWaits();
  }

  /** Takes no more calls, and waits a while for those under way. */
  async drain(): Promise<void> {
    this.stop();
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, drainMs);
    await Promise.race([Promise.allSettled(this.#underWay), late.promise]);
    clearTimeout(timer);
  }

  /** Returns when calls are served, when they will not be any more, or when it has taken too long. */
  async #untilBegun(signal: AbortSignal): Promise<void> {
    if (this.#isStopping || signal.aborted || this.#startWaits.size >= startWaitersMost) return;
    const { promise, resolve: end } = Promise.withResolvers<void>();
    const timer = setTimeout(end, this.#options.startPatienceMs ?? startPatienceMs);
    signal.addEventListener("abort", () => end(), { once: true });
    this.#startWaits.add(end);
    await promise;
    this.#startWaits.delete(end);
    clearTimeout(timer);
  }

  #endStartWaits(): void {
    for (const end of this.#startWaits) end();
  }

  #tell(command: string, answer: CniAnswer): void {
    const kind = `${command} ${/"code":[0-9]+/.exec(answer.stdout)?.[0] ?? ""}`;
    const heldBack = this.#failures.admit(kind);
    const facts = { command, answer: answer.stdout.trimEnd(), stack: answer.stderr };
    if (heldBack === undefined) this.#options.log.debug(facts, "CNI call failed");
    else this.#options.log.warn({ ...facts, ...(heldBack > 0 && { heldBack }) }, "CNI call failed");
  }
}

/** For a metric's label: only words that the protocol knows. */
function commandOf(params: unknown): string {
  const command =
    typeof params === "object" && params !== null && "command" in params ? params.command : undefined;
  return typeof command === "string" && /^(ADD|DEL|CHECK|VERSION|STATUS|GC)$/.test(command)
    ? command
    : "other";
}
