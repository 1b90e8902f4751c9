import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** How long a killed process may take to be gone. */
const goneMs = 5_000;
const pollMs = 10;

/** The names of a BIRD's files in the run directory. */
export function birdRunFiles(
  runDir: string,
  name: "bird" | "bird6",
): { readonly socket: string; readonly pidFile: string } {
  return { socket: join(runDir, `${name}.ctl`), pidFile: join(runDir, `${name}.pid`) };
}

/** Ends the BIRDs of a daemon that was killed: their ports and sockets are needed, their kernel routes stay. */
export async function endLeftBirds(runDir: string): Promise<void> {
  for (const name of ["bird", "bird6"] as const) {
    const { socket, pidFile } = birdRunFiles(runDir, name);
    const pid = readPid(pidFile);
    if (pid !== undefined && isBirdAt(pid, socket)) {
      process.kill(pid, "SIGKILL");
      for (let waitedMs = 0; waitedMs < goneMs && isBirdAt(pid, socket); waitedMs += pollMs)
        await sleep(pollMs);
    }
    rmSync(pidFile, { force: true });
  }
}

function readPid(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, "utf8").trim());
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** A number that has been given to another process since must not be killed: BIRD's command line names its socket. */
function isBirdAt(pid: number, socket: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(socket);
  } catch {
    return false;
  }
}
