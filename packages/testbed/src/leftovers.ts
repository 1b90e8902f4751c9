import { readdirSync, readFileSync } from "node:fs";

/** Marks every namespace and directory of a test bed. */
const MARK = "ctb";

/**
 * The name everything of one bed starts with: mark, the owner's pid and start time, a number of the bed's own.
 * The start time tells a dead owner from a new process that got its pid.
 */
export function bedPrefix(bedIndex: number): string {
  const random = Math.trunc(Math.random() * 36 ** 3).toString(36);
  return `${MARK}-${process.pid}-${startTime(process.pid) ?? 0}-${bedIndex}${random}`;
}

/** Those names, out of many, that belong to a bed whose process is gone. */
export function abandoned(names: readonly string[]): readonly string[] {
  return names.filter((name) => {
    const owner = /^ctb-([0-9]+)-([0-9]+)-/.exec(name);
    return owner !== null && startTime(Number(owner[1])) !== Number(owner[2]);
  });
}

/** Names in a directory; none when it does not exist. */
export function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Clock ticks after boot at which a process started (proc(5), `stat` field 22), or `undefined` when there is none. */
function startTime(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The command name, in parentheses, may hold anything; the fields after it are numbers, from the third on.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(fields[19]);
  } catch {
    return undefined;
  }
}
