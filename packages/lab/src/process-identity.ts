import { readdirSync, readFileSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isJsonObject } from "./json-value.ts";

/** A process, told apart from a later one with the same pid by when it started. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot (proc(5), `stat` field 22). */
  readonly startTime: number;
}

/** In the environment of every process of a lab: the lab's directory. What crashed before it was noted is found by it. */
export const LAB_VARIABLE = "CARACAL_LAB_DIR";

const END_DEADLINE_MS = 10_000;
const END_INTERVAL_MS = 10;

/** The identity of a running process, or `undefined` when there is none (a zombie counts as none). */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The command's name, in parentheses, may hold anything; the state is the first field after it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : { pid, startTime: Number(fields[19]) };
  } catch {
    return undefined;
  }
}

export function isRunning(process: ProcessIdentity | undefined): boolean {
  return process !== undefined && identifyProcess(process.pid)?.startTime === process.startTime;
}

export function isProcessIdentity(value: unknown): value is ProcessIdentity {
  return isJsonObject(value) && typeof value["pid"] === "number" && typeof value["startTime"] === "number";
}

/** The pids that carry the lab's mark or live in one of its namespaces, but not this process or those that started it. */
export function labProcesses(labDirectory: string, namespacePaths: readonly string[]): readonly number[] {
  const mark = `\0${LAB_VARIABLE}=${labDirectory}\0`;
  return findProcesses(namespacePaths, (pid) => hasMark(pid, mark));
}

/** The pids in any of these namespaces, or that `isWanted`; this process and those that started it are left out. */
export function findProcesses(
  namespacePaths: readonly string[],
  isWanted: (pid: number) => boolean = () => false,
): readonly number[] {
  const namespaces = new Set(namespacePaths.flatMap((path) => inodeOf(path) ?? []));
  const spared = ancestors(process.pid);
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter(
      (pid) => !spared.has(pid) && (isWanted(pid) || namespaces.has(inodeOf(`/proc/${pid}/ns/net`) ?? -1)),
    );
}

/** Kills whatever `find` gives until it gives nothing; gives what was still there at the deadline. */
export async function killAll(find: () => readonly number[]): Promise<readonly number[]> {
  const end = performance.now() + END_DEADLINE_MS;
  for (;;) {
    const pids = find();
    if (pids.length === 0 || performance.now() > end) return pids;
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself.
      }
    }
    await sleep(END_INTERVAL_MS);
  }
}

function ancestors(pid: number): ReadonlySet<number> {
  const found = new Set<number>();
  for (let current = pid; current > 0 && !found.has(current);) {
    found.add(current);
    current = parentOf(current);
  }
  return found;
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s*([0-9]+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function hasMark(pid: number, mark: string): boolean {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, "utf8")}`.includes(mark);
  } catch {
    return false;
  }
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    return undefined;
  }
}
