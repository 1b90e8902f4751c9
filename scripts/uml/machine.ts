/**
 * A user-mode Linux that runs one command on this machine's own files: a kernel with modules that the host's may lack, such
 * as `ipip`, as a process of an ordinary user. Nothing that the command does reaches the host: its files, links and
 * processes end with the machine.
 */
import { type ChildProcess, spawn } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface MachineOptions {
  /** Where the command is run. */
  readonly directory: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Each line that the command prints. */
  readonly onLine: (line: string) => void;
  readonly signal?: AbortSignal;
}

export type MachineOutcome =
  | { readonly kind: "exited"; readonly exitCode: number }
  /** The machine was ended before the command was done. */
  | { readonly kind: "timedOut" | "stopped" }
  /** The machine ended by itself before the command was done; what it said is in `lastLines`. */
  | { readonly kind: "died"; readonly lastLines: readonly string[] };

/** The least that four daemons, their switches and all that they write to files need. */
const memoryMb = 2560;
/** Of what the machine says before and beside the command. */
const keptLines = 40;
/** By how much the machine's own end comes after the one from outside. */
const graceSeconds = 10;
const init = fileURLToPath(new URL("init.sh", import.meta.url));

/** Why no machine can run here, or undefined. */
export function machineMissing(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64")
    return `user-mode Linux runs on Linux x86-64 only, and this is ${process.platform} ${process.arch}`;
  if (findProgram("linux.uml") === undefined) return "linux.uml is missing (Debian package user-mode-linux)";
  if (findProgram("modprobe") === undefined) return "modprobe is missing (Debian package kmod)";
  if (!existsSync("/usr/lib/uml/modules"))
    return "/usr/lib/uml/modules is missing (Debian package user-mode-linux)";
  if (memoryDirectory() === undefined) return `neither /dev/shm nor ${tmpdir()} has ${memoryMb} MB free`;
  return undefined;
}

/** Boots, runs the command, and removes all traces. */
export async function runInMachine(options: MachineOptions): Promise<MachineOutcome> {
  const run = mkdtempSync(join(tmpdir(), "caracal-uml-"));
  try {
    writeFileSync(join(run, "command.sh"), commandScript(options));
    const machine = boot(run, options.timeoutMs);
    const lines: string[] = [];
    const ended = ending(machine, options);
    await readLines(machine, lines, options.onLine);
    const reason = await ended;
    const status = join(run, "status");
    if (existsSync(status)) return { kind: "exited", exitCode: Number(readFileSync(status, "utf8")) };
    return reason === undefined ? { kind: "died", lastLines: lines } : { kind: reason };
  } finally {
    rmSync(run, { recursive: true, force: true });
  }
}

function boot(run: string, timeoutMs: number): ChildProcess {
  const words = [
    `mem=${memoryMb}M`,
    "rootfstype=hostfs root=/dev/root ro".split(" "),
    `init=${init}`,
    `CARACAL_UML_RUN=${run}`,
    `CARACAL_UML_SECONDS=${Math.ceil(timeoutMs / 1000) + graceSeconds}`,
    // The kernel's own words are of use only when it dies.
    "quiet loglevel=1 panic=-1 con=null con0=null,fd:1 umid=machine".split(" "),
    `uml_dir=${run}`,
  ].flat();
  return spawn("linux.uml", words, {
    cwd: "/",
    env: { PATH: searchPath(), HOME: "/root", TERM: "dumb", TMPDIR: memoryDirectory() ?? tmpdir() },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own: the machine's processes are many on the host.
    detached: true,
  });
}

/** Waits for the machine's end and brings it about when it is time; why it was ended, or undefined. */
function ending(
  machine: ChildProcess,
  { timeoutMs, signal }: MachineOptions,
): Promise<"timedOut" | "stopped" | undefined> {
  return new Promise((resolve, reject) => {
    let reason: "timedOut" | "stopped" | undefined;
    const end = (why: "timedOut" | "stopped"): void => {
      reason ??= why;
      kill(machine);
    };
    const timer = setTimeout(() => end("timedOut"), timeoutMs);
    const stop = (): void => end("stopped");
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted === true) stop();
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    };
    machine.once("error", (error) => {
      settle();
      reject(error);
    });
    machine.once("close", () => {
      settle();
      // What is left of the group would outlive it.
      kill(machine);
      resolve(reason);
    });
  });
}

function kill({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // None of it is left.
  }
}

async function readLines(
  machine: ChildProcess,
  lines: string[],
  onLine: (line: string) => void,
): Promise<void> {
  const { stdout, stderr } = machine;
  if (stdout === null || stderr === null) return;
  let isCommand = false;
  const keep = (line: string): void => {
    lines.push(line);
    if (lines.length > keptLines) lines.shift();
  };
  const errors = createInterface({ input: stderr }).on("line", keep);
  for await (const raw of createInterface({ input: stdout })) {
    const line = raw.replace(/\r$/, "");
    keep(line);
    if (line === "--- caracal-uml begins") isCommand = true;
    else if (line === "--- caracal-uml ends") isCommand = false;
    else if (isCommand) onLine(line);
  }
  errors.close();
}

function commandScript({ directory, command, env }: MachineOptions): string {
  const settings = Object.entries(env).map(([name, value]) => `export ${name}=${quote(value)}`);
  return [...settings, `cd ${quote(directory)} || exit`, `exec ${command.map(quote).join(" ")}`, ""].join(
    "\n",
  );
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Where the machine's memory is kept: a file of that size, used as far as the machine uses it. */
function memoryDirectory(): string | undefined {
  return ["/dev/shm", tmpdir()].find((directory) => {
    try {
      const { bavail, bsize } = statfsSync(directory);
      return bavail * bsize > memoryMb * 2 ** 20;
    } catch {
      return false;
    }
  });
}

function findProgram(name: string): string | undefined {
  return searchPath()
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function searchPath(): string {
  return `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`;
}
