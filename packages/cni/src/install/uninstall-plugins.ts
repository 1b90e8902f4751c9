import { existsSync } from "node:fs";
import { basename, dirname } from "node:path";
import {
  digestOf,
  type HostEntry,
  readHostEntry,
  removeHostFile,
  removeIfEmpty,
  removeLeftTemporaries,
  replaceByLink,
  replaceHostFile,
} from "../host-file.ts";
import { lockInstallation } from "./install-lock.ts";
import { type FormerEntry, InstallRecord, type PathRecord } from "./install-record.ts";
import { isOf, type PathOutcome, tlsDirectoryName } from "./install-plugins.ts";

/**
 * Undoes an installation, the network configuration first: each path gets back what it had before, or nothing if it had nothing.
 * A file that someone changed since is left as it is, unless forced. Throws `InstallBusyError`, `InstallRecordError` and what the
 * file system says.
 */
export function uninstallPlugins(stateDirectory: string, isForced: boolean): readonly PathOutcome[] {
  if (!existsSync(stateDirectory)) return [];
  using _turn = lockInstallation(stateDirectory);
  const record = new InstallRecord(stateDirectory);
  return record.paths.toReversed().map((path) => restore(record, path, isForced));
}

function restore(record: InstallRecord, known: PathRecord, isForced: boolean): PathOutcome {
  const { path, installed, before } = known;
  removeLeftTemporaries(path);
  const current = readHostEntry(path);
  const isKnown =
    current === undefined ? installed === undefined || before === undefined : isOf(known, current);
  if (!isKnown && !isForced) {
    const what = current === undefined ? "was removed" : "was changed";
    return { path, kind: "left", detail: `it ${what} since it was installed; --force does not mind` };
  }
  if (before === undefined) {
    removeHostFile(path);
    // Only an installation makes it.
    if (basename(dirname(path)) === tlsDirectoryName) removeIfEmpty(dirname(path));
  } else if (before.link !== undefined) {
    if (current?.link !== before.link) replaceByLink(path, before.link);
  } else if (!isAsBefore(current, before)) {
    replaceHostFile(path, record.kept(before));
  }
  record.forget(path);
  return { path, kind: before === undefined ? "removed" : "restored" };
}

function isAsBefore(current: HostEntry | undefined, { digest, mode, owner }: FormerEntry): boolean {
  if (current === undefined || current.link !== undefined) return false;
  const isOwners =
    owner === undefined || (current.owner.uid === owner.uid && current.owner.gid === owner.gid);
  return isOwners && current.mode === mode && digestOf(current.content) === digest;
}
