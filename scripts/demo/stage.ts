import { spawn } from "node:child_process";
import { join } from "node:path";

/** What a command printed and how it ended. */
export interface CommandOutcome {
  readonly exitCode: number;
  readonly stdout: string;
}

const REPOSITORY = join(import.meta.dirname, "../..");
const INTERRUPTED_EXIT = 130;

let runningCount = 0;
let isInterrupted = false;

// The command under way gets Ctrl-C too, and may have something to roll back: it is waited for.
process.on("SIGINT", () => {
  isInterrupted = true;
  if (runningCount === 0) process.exit(INTERRUPTED_EXIT);
});

/** Shows commands with their output, and keeps account of what was expected and what was seen. */
export class Stage {
  readonly #missed: string[] = [];
  #expectedCount = 0;
  #stepCount = 0;
  readonly #isColored = process.stdout.isTTY && (process.env["NO_COLOR"] ?? "") === "";

  /** A heading for what comes next. */
  step(title: string): void {
    this.#stepCount += 1;
    console.log(`\n${this.#bold(`${this.#stepCount}. ${title}`)}`);
  }

  say(text: string): void {
    console.log(text);
  }

  /** Runs `./caracal WORDS…` in the repository, the command line shown first; talk on stderr passes through. */
  async run(...words: readonly string[]): Promise<CommandOutcome> {
    this.showCommand(words);
    const outcome = await runCaracal(words);
    process.stdout.write(outcome.stdout);
    return outcome;
  }

  /** Shows a command line of `./caracal` as one would type it. */
  showCommand(words: readonly string[]): void {
    this.say(`\n${this.#bold(`$ ./caracal ${words.map(quote).join(" ")}`)}`);
  }

  /** Notes that something was expected, and whether it was seen. */
  expect(what: string, isSeen: boolean): void {
    this.#expectedCount += 1;
    if (!isSeen) this.#missed.push(what);
    console.log(`  ${isSeen ? "seen" : "NOT SEEN"}: ${what}`);
  }

  /** Says how it went; the exit code is 1 when anything was not seen. */
  conclude(): number {
    const seenCount = this.#expectedCount - this.#missed.length;
    console.log(`\n${seenCount} of ${this.#expectedCount} expectations were seen.`);
    for (const what of this.#missed) console.log(`  NOT SEEN: ${what}`);
    return this.#missed.length === 0 ? 0 : 1;
  }

  #bold(text: string): string {
    return this.#isColored ? `\u001b[1m${text}\u001b[0m` : text;
  }
}

/** Runs Caracal's command line without showing it. */
export function runCaracal(words: readonly string[]): Promise<CommandOutcome> {
  const child = spawn(join(REPOSITORY, "caracal"), words, {
    cwd: REPOSITORY,
    stdio: ["ignore", "pipe", "inherit"],
  });
  runningCount += 1;
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      runningCount -= 1;
      if (isInterrupted) process.exit(INTERRUPTED_EXIT);
      resolve({ exitCode: code ?? 1, stdout });
    });
  });
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`;
}
