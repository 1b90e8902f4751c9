import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Log } from "../observe/log.ts";

/** Pauses before a BIRD that ended is started again double from the first to the last of these. */
const firstRetryMs = 1_000;
const lastRetryMs = 30_000;
/** One that has run for so long did not end because of how it was started. */
const soundMs = 60_000;

export interface BirdProcessOptions {
  /** `bird` or `bird6`, for people. */
  readonly name: string;
  readonly program: string;
  readonly configFile: string;
  readonly socket: string;
  readonly pidFile: string;
  readonly log: Log;
}

/** One BIRD, started again whenever it ends until it is told to stop. */
export class BirdProcess {
  readonly #options: BirdProcessOptions;
  #child: ChildProcess | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryDelayMs = firstRetryMs;
  #lastLine = "";
  #failure: string | undefined;
  #isWanted = false;

  constructor(options: BirdProcessOptions) {
    this.#options = options;
  }

  /** Why it does not run although it should. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Starts it; where it runs already, has it read its configuration again. */
  configure(): void {
    this.#isWanted = true;
    if (this.#child !== undefined) this.#child.kill("SIGHUP");
    else if (this.#retry === undefined) this.#start();
  }

  /** Ends it at once, without a word to its peers, so that they keep our routes; kernel routes stay. */
  async kill(): Promise<void> {
    this.#isWanted = false;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const child = this.#child;
    if (child === undefined) return;
    const ended = once(child, "close");
    child.kill("SIGKILL");
    await ended;
  }

  #start(): void {
    const { program, configFile, socket, pidFile, name, log } = this.#options;
    const startedAtMs = performance.now();
    // -R keeps kernel routes until the peers have told theirs again; -d stays in the foreground and logs to stderr.
    const child = spawn(program, ["-R", "-d", "-c", configFile, "-s", socket, "-P", pidFile], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    createInterface({ input: child.stderr }).on("line", (line) => {
      this.#lastLine = line.replace(/^bird6?: /, "");
      log.info({ bird: name, line: this.#lastLine }, "BIRD says");
    });
    child.once("spawn", () => {
      this.#failure = undefined;
      log.info({ bird: name, pid: child.pid }, "BIRD runs");
    });
    let error: Error | undefined;
    child.once("error", (cause) => (error = cause));
    child.once("close", (code, signal) => {
      this.#child = undefined;
      if (!this.#isWanted) return;
      if (performance.now() - startedAtMs > soundMs) this.#retryDelayMs = firstRetryMs;
      this.#failure = error?.message ?? `${name} ended with ${signal ?? code}: ${this.#lastLine}`;
      log.error({ bird: name, reason: this.#failure, retryMs: this.#retryDelayMs }, "BIRD does not run");
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        if (this.#isWanted) this.#start();
      }, this.#retryDelayMs);
      this.#retryDelayMs = Math.min(this.#retryDelayMs * 2, lastRetryMs);
    });
  }
}
