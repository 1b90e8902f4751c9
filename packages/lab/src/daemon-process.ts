import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { spawnInNamespace } from "@caracal/linux";
import type { DaemonName, LabDirectory } from "./lab-directory.ts";
import { LabError } from "./lab-error.ts";
import { identifyProcess, isRunning, LAB_VARIABLE, type ProcessIdentity } from "./process-identity.ts";

/** What to start. */
export interface DaemonCommand {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The network namespace's file; the machine's own if absent. */
  readonly namespace?: string;
}

const POLL_MS = 20;

/**
 * Starts a daemon of the lab in a session of its own, its output going to its log. It outlives this process: Ctrl-C and
 * a closed terminal do not reach it.
 */
export async function startDaemon(
  lab: LabDirectory,
  name: DaemonName,
  command: DaemonCommand,
): Promise<ProcessIdentity> {
  const [program = "", ...args] = command.argv;
  const log = openSync(lab.logFile(name), "a");
  try {
    const options: SpawnOptions = {
      env: { ...command.env, [LAB_VARIABLE]: lab.path },
      stdio: ["ignore", log, log],
      detached: true,
      cwd: "/",
    };
    const child =
      command.namespace === undefined
        ? spawn(program, args, options)
        : spawnInNamespace(command.namespace, program, args, options);
    const pid = await pidOf(child, program);
    child.unref();
    const identity = identifyProcess(pid) ?? { pid, startTime: 0 };
    lab.noteDaemon(name, identity);
    return identity;
  } finally {
    closeSync(log);
  }
}

function pidOf(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (cause) =>
      reject(new LabError(`cannot start ${program}: ${cause.message}`, { cause })),
    );
    child.once("spawn", () => resolve(child.pid ?? 0));
  });
}

/** What is waited for, and how long. */
export interface Readiness {
  /** For people: "the store". */
  readonly title: string;
  readonly isReady: () => Promise<boolean>;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** Waits until a daemon serves. When it ends first, or is late, throws what it said last. */
export async function waitForDaemon(
  lab: LabDirectory,
  name: DaemonName,
  readiness: Readiness,
): Promise<void> {
  const end = performance.now() + readiness.deadlineMs;
  while (!(await readiness.isReady())) {
    readiness.signal.throwIfAborted();
    const said = lastLine(lab.logFile(name));
    if (!isRunning(lab.daemon(name))) {
      throw new LabError(
        `${readiness.title} ended at once: ${said || `it left no word in ${lab.logFile(name)}`}`,
      );
    }
    if (performance.now() > end) {
      const seconds = readiness.deadlineMs / 1000;
      throw new LabError(`${readiness.title} does not answer after ${seconds} s; it said last: ${said}`);
    }
    await sleep(POLL_MS);
  }
}

function lastLine(file: string): string {
  try {
    return readFileSync(file, "utf8").trimEnd().split("\n").at(-1) ?? "";
  } catch {
    return "";
  }
}
