import { setTimeout as sleep } from "node:timers/promises";
import type { DaemonName, LabDirectory } from "./lab-directory.ts";
import { LabError } from "./lab-error.ts";
import { isRunning, type ProcessIdentity } from "./process-identity.ts";

/** What a runtime gives a container between SIGTERM and SIGKILL. */
const GRACE_MS = 10_000;
const POLL_MS = 20;

/** Ends a daemon of the lab: SIGTERM, then SIGKILL. */
export async function endDaemon(lab: LabDirectory, name: DaemonName): Promise<void> {
  const identity = lab.daemon(name);
  if (identity === undefined) return;
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (await ends(identity, signal)) return;
  }
  throw new LabError(`process ${identity.pid} does not end`);
}

async function ends(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  const end = performance.now() + GRACE_MS;
  if (isRunning(identity)) process.kill(identity.pid, signal);
  while (isRunning(identity)) {
    if (performance.now() > end) return false;
    await sleep(POLL_MS);
  }
  return true;
}
