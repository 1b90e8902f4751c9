import { readFileSync, readdirSync } from "node:fs";

/** What a router under test uses, it and the processes that it started. */
export class RouterProcess {
  readonly #pids: readonly number[];

  /** To be made when the router has started all its processes. */
  constructor(pid: number) {
    this.#pids = familyOf(pid);
  }

  /** Of all threads, in user and system mode. */
  cpuSeconds(): number {
    let nanoseconds = 0;
    for (const pid of this.#pids) {
      for (const thread of readdirSync(`/proc/${pid}/task`)) {
        nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
      }
    }
    return nanoseconds / 1e9;
  }

  /** Resident now. */
  residentBytes(): number {
    return this.#memory("VmRSS");
  }

  /** The most that was ever resident. */
  peakBytes(): number {
    return this.#memory("VmHWM");
  }

  #memory(field: string): number {
    return this.#pids.reduce((sum, pid) => {
      const text = readFileSync(`/proc/${pid}/status`, "utf8");
      return sum + Number(new RegExp(`${field}:\\s+(\\d+)`).exec(text)?.[1] ?? 0) * 1024;
    }, 0);
  }
}

function familyOf(first: number): number[] {
  const family = [first];
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(Number(name));
    if (parent !== undefined) parents.set(Number(name), parent);
  }
  // What is found joins the list while it is walked.
  for (const pid of family) {
    for (const [child, parent] of parents) if (parent === pid) family.push(child);
  }
  return family;
}

function parentOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(text.replace(/^.*\) /, "").split(" ")[1]);
  } catch {
    // It is gone.
    return undefined;
  }
}
