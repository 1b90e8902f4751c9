import { type SpawnOptions, spawn } from "node:child_process";
import { spawnInNamespace } from "@caracal/linux";
import { LabError } from "./lab-error.ts";

/** What a program that ended left. */
export interface CommandOutcome {
  /** `null` when it was killed. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a program to its end. */
export interface CommandOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  /** The network namespace's file; the machine's own if absent. */
  readonly namespace?: string;
}

const TIMEOUT_MS = 60_000;
/** Only the end of a longer output is kept. */
const MAX_OUTPUT_CHARS = 1 << 20;

/** Runs a program to its end, whatever its exit code; one that cannot be started is a `LabError`. */
export function runCommand(argv: readonly string[], options: CommandOptions): Promise<CommandOutcome> {
  const [program = "", ...args] = argv;
  const settings: SpawnOptions = {
    env: { ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
    killSignal: "SIGKILL",
  };
  return new Promise((resolve, reject) => {
    const child =
      options.namespace === undefined
        ? spawn(program, args, settings)
        : spawnInNamespace(options.namespace, program, args, settings);
    const texts = { stdout: "", stderr: "" };
    for (const key of ["stdout", "stderr"] as const) {
      child[key]?.setEncoding("utf8");
      child[key]?.on("data", (chunk: string) => (texts[key] = (texts[key] + chunk).slice(-MAX_OUTPUT_CHARS)));
    }
    child.once("error", (cause) =>
      reject(new LabError(`cannot run ${program}: ${cause.message}`, { cause })),
    );
    child.once("close", (exitCode) => resolve({ exitCode, ...texts }));
    // A program that ends without reading its input is no error of ours.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(options.input ?? "");
  });
}
