import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { eventually } from "./eventually.ts";

/** How a program ended. */
export interface ProgramExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** How to start a program that keeps running. */
export interface StartOptions {
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Only the end of a long output is kept. */
const OUTPUT_LIMIT_CHARS = 1 << 20;
const DEFAULT_GRACE_MS = 3_000;

/** A running program, alone in its process group. It dies with the process that started it, even on `kill -9`. */
export class Program {
  /** Resolves when it has ended. */
  readonly exited: Promise<ProgramExit>;
  readonly #child: ChildProcess;
  /** Its command line. */
  readonly title: string;
  #output = "";
  /** Both streams are at their end: all that was printed has been read. */
  #isDrained = false;

  private constructor(child: ChildProcess, title: string) {
    this.#child = child;
    this.title = title;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8");
      stream?.on("data", (chunk: string) => {
        this.#output = (this.#output + chunk).slice(-OUTPUT_LIMIT_CHARS);
      });
    }
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    child.once("close", () => {
      this.#isDrained = true;
    });
  }

  /** Starts `argv`; resolves when the process exists. */
  static async start(argv: readonly string[], options: StartOptions = {}): Promise<Program> {
    // setpriv makes the kernel kill the program when this process is gone; it then becomes the program itself.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...argv], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    await once(child, "spawn");
    return new Program(child, argv.join(" "));
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${this.title} has no process`);
    return pid;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it has printed on both streams, in order of arrival; the last 1 Mi characters. */
  get output(): string {
    return this.#output;
  }

  /** Waits for the output to match; fails at once, with the output, when the program ends first. */
  async waitForOutput(pattern: RegExp, deadlineMs?: number): Promise<RegExpExecArray> {
    await eventually(() => pattern.test(this.#output) || this.#isDrained, {
      what: `${String(pattern)} in the output of ${this.title}`,
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    });
    const match = pattern.exec(this.#output);
    if (match === null) throw new Error(`${this.title} ended without ${String(pattern)}:\n${this.#output}`);
    return match;
  }

  /** Signals the whole process group; an ended group is left alone. */
  signal(name: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, name);
    } catch {
      // No process of the group is left.
    }
  }

  /** Ends it: SIGTERM, then SIGKILL for the whole group after the grace time. */
  async stop(graceMs: number = DEFAULT_GRACE_MS): Promise<ProgramExit> {
    const timer = setTimeout(() => this.signal("SIGKILL"), graceMs);
    this.signal("SIGTERM");
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
      // Whatever it started and left behind goes with it.
      this.signal("SIGKILL");
    }
  }
}
