import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { machineMissing, runInMachine } from "./machine.ts";

export interface TierCount {
  passed: number;
  failed: number;
  skipped: number;
}

/** Set where the tests of the tier `uml` may run. */
export const inside = "CARACAL_IN_UML";
/** What the run inside says of the tier, and is said outside again. */
const frameLine = /^(=== uml: |[0-9]+ passed, )/;
const countLine = /^=== uml: ([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped /;
/** Several times what the tier takes on a machine that does nothing else. */
const timeoutMs = 80 * 60_000;

/** Whether this process is in the machine that the tier made. */
export function isInMachine(): boolean {
  return process.env[inside] === "1";
}

/**
 * Runs `npm test -- --tier uml` on a user-mode Linux of its own, shows what it prints, and counts as it counts. `parts` choose
 * among the files as on the command line.
 */
export async function runTierInMachine(parts: readonly string[], files: number): Promise<TierCount> {
  const missing = machineMissing();
  if (missing !== undefined) {
    console.log(`    skipped: ${missing}`);
    return { passed: 0, failed: 0, skipped: files };
  }
  let count: TierCount | undefined;
  // Else the machine would outlive who ends the tests.
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort());
  // What the first program compiles, the others need not: most of their start is that.
  const cache = mkdtempSync(join(tmpdir(), "caracal-uml-cache-"));
  try {
    const outcome = await runInMachine({
      directory: process.cwd(),
      command: [process.execPath, "scripts/test.ts", "--tier", "uml", ...parts],
      env: { [inside]: "1", HOME: "/root", NODE_COMPILE_CACHE: cache, NO_COLOR: "1" },
      timeoutMs,
      signal: stop.signal,
      onLine: (line) => {
        const [, passed, failed, skipped] = countLine.exec(line) ?? [];
        if (passed !== undefined)
          count = { passed: Number(passed), failed: Number(failed), skipped: Number(skipped) };
        else if (!frameLine.test(line)) console.log(line);
      },
    });
    if (outcome.kind === "exited" && count !== undefined) return count;
    if (outcome.kind === "stopped") process.exitCode = 1;
    if (outcome.kind === "died") console.log(outcome.lastLines.join("\n"));
    const reason = outcome.kind === "exited" ? `its tests ended with code ${outcome.exitCode}` : outcome.kind;
    console.log(`    the machine told no result: ${reason}`);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}
