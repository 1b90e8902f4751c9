import { spawn } from "node:child_process";

/** What a finished program left behind. */
export interface CommandResult {
  /** 128 + signal number when a signal ended it, as a shell says it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a program to its end. */
export interface RunOptions {
  readonly input?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The program is killed after this long; 120 s unless told. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 120_000;
const SIGNAL_EXIT_BASE = 128;
const SIGKILL = 9;

/** Runs a program to its end; a non-zero exit throws with its command line and stderr. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  const result = await runAnyway(argv, options);
  if (result.exitCode !== 0) {
    const said = (result.stderr || result.stdout).trim();
    throw new Error(`${argv.join(" ")} exited with ${result.exitCode}: ${said}`);
  }
  return result;
}

/** Runs a program to its end, whatever its exit code; throws only when it cannot be started. */
export function runAnyway(argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  const [program, ...args] = argv;
  if (program === undefined) throw new RangeError("an empty command line");
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      killSignal: "SIGKILL",
    });
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    child.on("error", reject);
    child.on("close", (code) =>
      resolve({ exitCode: code ?? SIGNAL_EXIT_BASE + SIGKILL, stdout: stdout(), stderr: stderr() }),
    );
    // A program that exits without reading its input is no error of ours.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: string[] = [];
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => chunks.push(chunk));
  return () => chunks.join("");
}
