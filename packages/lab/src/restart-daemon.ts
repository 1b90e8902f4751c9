import { setTimeout as sleep } from "node:timers/promises";
import type { LabContext } from "./lab-context.ts";
import type { DaemonName, LabDirectory } from "./lab-directory.ts";
import { LabError } from "./lab-error.ts";
import type { LabRecord } from "./lab-record.ts";
import { startStore } from "./lab-store.ts";
import { startNodeDaemon, waitForNodeDaemon } from "./node-daemon.ts";
import { findNode } from "./open-lab.ts";
import { isRunning, type ProcessIdentity } from "./process-identity.ts";

/** What a runtime gives a container between SIGTERM and SIGKILL. */
const GRACE_MS = 10_000;
const POLL_MS = 20;

/** Ends a node's daemon or the store, if it still runs, starts it anew and waits until it answers. Pods stay as they are. */
export async function restartDaemon(
  lab: LabDirectory,
  record: LabRecord,
  word: string,
  ctx: LabContext,
): Promise<void> {
  if (word === "store") {
    await endDaemon(lab, "store");
    await startStore(lab, record.store, ctx);
    return;
  }
  const node = findNode(lab, word);
  await endDaemon(lab, { node: node.name });
  await startNodeDaemon(lab, record, node, ctx);
  await waitForNodeDaemon(lab, node, ctx);
}

async function endDaemon(lab: LabDirectory, name: DaemonName): Promise<void> {
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
