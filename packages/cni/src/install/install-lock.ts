import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FileLock } from "@caracal/linux";
import { removeIfEmpty } from "../host-file.ts";
import { recordPath } from "./install-record.ts";

/** Another installation or its undoing is under way on this host; nothing was changed. */
export class InstallBusyError extends Error {
  override readonly name = "InstallBusyError";
}

/**
 * One at a time on a host: each writes what the other would have to remember. What is left of the lock goes with the last
 * thing that was remembered. Throws `InstallBusyError`.
 */
export function lockInstallation(stateDirectory: string): Disposable {
  const path = join(stateDirectory, "lock");
  const lock = FileLock.tryOpen(path);
  // The other may have been an undoing, that took the file away before it let it go; a third may have made it anew.
  if (lock?.isAt(path) !== true) {
    lock?.close();
    throw new InstallBusyError(`another one is under way: it has the lock ${path}`);
  }
  return {
    [Symbol.dispose]: () => {
      if (!existsSync(recordPath(stateDirectory))) {
        rmSync(path, { force: true });
        removeIfEmpty(stateDirectory);
      }
      lock.close();
    },
  };
}
